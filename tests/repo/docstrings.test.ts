/**
 * Everything that the package exports says what it is: a description, the shape of tensors, the unit of measures, and the errors of
 * functions that throw. The pages of the API (`npm run site`) are made of these texts.
 */
import assert from "node:assert/strict";
import { dirname, resolve } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { textOf } from "./tree.js";

const SHAPE = /\[[^\]]+\]|\bshape/i;
const ERRORS = /\bthrows?\b|\brejects?\b|never fails/i;
/** Numbers that count something need their unit, in the name or in the text. */
const MEASURE = /(time|timeout|limit|wait|pause|duration|interval|age|elapsed|bytes|memory|size|width|height|rate|budget)$/i;
const UNIT = /width|milliseconds?|\bms\b|seconds?|minutes?|bytes?|KiB|MiB|GiB|\bMB\b|pixels?|rows?|images?|patch|weights?|inputs?|numbers?|dimensions?|channels?|features?|elements?|per cent|%|ratio|0 to 1|jobs?|parts?/i;

const program = ts.createProgram(entries(), { ...ts.parseJsonConfigFileContent(ts.readConfigFile("tsconfig.json", ts.sys.readFile).config, ts.sys, ".").options, noEmit: true });
const checker = program.getTypeChecker();
const exported = namesOf();

test("every entry of the package is looked at, and everything that it exports", () => {
  assert.ok(entries().length >= 6, entries().join(", "));
  assert.ok(exported.size > 150, `${exported.size} exports`);
});

test("each has a description", () => {
  assert.deepEqual(everything().filter(({ description }) => description === "").map(({ name }) => name), []);
});

test("functions that throw say what", () => {
  const silent = everything().filter(({ declaration, text }) => throws(declaration) && !ERRORS.test(text));
  assert.deepEqual(silent.map(({ name }) => name), []);
});

test("tensors have their shape", () => {
  const shapeless = everything().filter(({ declaration, text }) => typesOf(declaration).some((type) => /\bTensor\b/.test(type)) && !SHAPE.test(text));
  assert.deepEqual(shapeless.map(({ name }) => name), []);
});

test("measures have their unit", () => {
  const bare = everything().filter(({ name, declaration, text }) => isNumber(declaration) && MEASURE.test(name) && !UNIT.test(`${name} ${text}`));
  assert.deepEqual(bare.map(({ name }) => name), []);
});

interface Described {
  /** As users write it: `entry: Class.method`. */
  readonly name: string;
  readonly declaration: ts.Declaration;
  /** Without tags. */
  readonly description: string;
  /** With them. */
  readonly text: string;
}

/** The sources of package.json's entries. */
function entries(): string[] {
  const { exports } = JSON.parse(textOf("package.json")) as { exports: Record<string, object | string> };
  const types = Object.values(exports).flatMap((entry) => [...JSON.stringify(entry).matchAll(/"types":"\.\/dist\/types\/([^"]+)\.d\.ts"/g)].map(([, name]) => name));
  const known = [...new Set(types)].filter((name) => name !== "wasm-module");
  return known.map((name) => (name.startsWith("weights-tools/") ? `${name}.ts` : `ts-api/src/${name}.ts`));
}

function namesOf(): Map<string, ts.Symbol> {
  const names = new Map<string, ts.Symbol>();
  for (const entry of entries()) {
    const source = program.getSourceFile(resolve(entry));
    assert.ok(source !== undefined, entry);
    for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(source)!)) {
      names.set(`${dirname(entry).split("/").at(-1)}: ${symbol.name}`, symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
    }
  }
  return names;
}

/** Exports and the public members of their classes and interfaces, inherited ones too; each declaration once. */
function everything(): Described[] {
  const found = new Map<ts.Declaration, Described>();
  const add = (name: string, symbol: ts.Symbol): void => {
    for (const declaration of symbol.declarations ?? []) {
      if (found.has(declaration) || isForeign(declaration) || isHidden(declaration) || implementsOverloads(symbol, declaration)) continue;
      found.set(declaration, { name, declaration, ...textsOf(symbol, declaration) });
      if (ts.isClassDeclaration(declaration) || ts.isInterfaceDeclaration(declaration)) for (const member of membersOf(symbol)) add(`${name}.${member.name}`, member);
      if (ts.isInterfaceDeclaration(declaration)) {
        for (const member of declaration.members.filter(ts.isCallSignatureDeclaration)) found.set(member, { name: `${name}()`, declaration: member, ...textsOf(undefined, member) });
      }
    }
  };
  for (const [name, symbol] of exported) add(name, symbol);
  return [...found.values()];
}

/** Those of instances, and static ones; not private fields and symbols. */
function membersOf(symbol: ts.Symbol): ts.Symbol[] {
  const members = [...checker.getDeclaredTypeOfSymbol(symbol).getProperties(), ...(symbol.exports?.values() ?? [])];
  return members.filter(({ name }) => !name.startsWith("__") && name !== "prototype");
}

function isForeign(declaration: ts.Declaration): boolean {
  return !/^(ts-api|weights-tools)\//.test(declaration.getSourceFile().fileName.replace(`${resolve(".")}/`, ""));
}

function isHidden(declaration: ts.Declaration): boolean {
  const flags = ts.getCombinedModifierFlags(declaration);
  if ("name" in declaration && declaration.name !== undefined && ts.isPrivateIdentifier(declaration.name as ts.Node)) return true;
  return (flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0 || ts.getJSDocTags(declaration).some(({ tagName }) => tagName.text === "internal");
}

/** Users see the overloads, not what implements them. */
function implementsOverloads({ declarations = [] }: ts.Symbol, declaration: ts.Declaration): boolean {
  return (ts.isFunctionDeclaration(declaration) || ts.isMethodDeclaration(declaration)) && declaration.body !== undefined && declarations.length > 1;
}

function textsOf(symbol: ts.Symbol | undefined, declaration: ts.Declaration): Pick<Described, "description" | "text"> {
  const signature = ts.isFunctionLike(declaration) ? checker.getSignatureFromDeclaration(declaration) : undefined;
  const described = signature ?? symbol!, tags = described.getJsDocTags().map(({ name, text }) => `@${name} ${ts.displayPartsToString(text)}`);
  const description = ts.displayPartsToString(described.getDocumentationComment(checker)).trim();
  return { description, text: [description, ...tags].join("\n") };
}

function throws(declaration: ts.Declaration): boolean {
  let found = false;
  const look = (node: ts.Node): void => {
    if (ts.isThrowStatement(node)) found = true;
    else if (!ts.isFunctionLike(node) || node === declaration) ts.forEachChild(node, look);
  };
  if (ts.isFunctionLike(declaration)) look(declaration);
  return found;
}

/** Types of parameters and of the result, as written; of properties, their own. */
function typesOf(declaration: ts.Declaration): string[] {
  if (ts.isPropertySignature(declaration) || ts.isPropertyDeclaration(declaration)) return [declaration.type?.getText() ?? ""];
  if (!ts.isFunctionLike(declaration)) return [];
  return [...declaration.parameters.map(({ type }) => type?.getText() ?? ""), declaration.type?.getText() ?? ""];
}

function isNumber(declaration: ts.Declaration): boolean {
  return (ts.isPropertySignature(declaration) || ts.isPropertyDeclaration(declaration)) && /^number( \| undefined)?$/.test(declaration.type?.getText() ?? "");
}
