/** The documents: their code runs and prints what they say, their commands exist, their links and paths lead somewhere. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix, resolve } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { parseCommandLine } from "../../ts-api/src/cli/args.js";
import { EXIT_CODES } from "../../ts-api/src/cli/exit.js";
import { COMMANDS } from "../../ts-api/src/cli/run.js";
import type { ErrorCode } from "../../ts-api/src/index.js";
import { WASM_MODULES } from "../../ts-api/src/runtime/env.js";
import { codeBlocks, filesBelow, textOf } from "./tree.js";

/** Inside the package, so that "ijepa" is what its users import. */
const WORKSHOP = "build/tests/repo/snippets";
/** A model that the reader brings: commands that use it are read, not run. */
const BROUGHT = "ijepa_vith14_1k";
const documents = filesBelow("").filter((path) => path.endsWith(".md") && !path.startsWith("tests/goldens"));

test("there are documents", () => {
  for (const path of ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/numeric-contract.md"]) assert.ok(documents.includes(path), path);
});

for (const path of documents) {
  codeBlocks(path, "ts").concat(codeBlocks(path, "js")).forEach((code, index) => {
    test(`${path}, snippet ${index + 1}: it runs, and prints what its comments say`, () => {
      const expected = [...code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
      assert.ok(expected.length > 0, "a snippet must print something");
      const { outputText } = ts.transpileModule(code, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } });
      const script = `${WORKSHOP}/${path.replace(/\W/g, "-")}-${index + 1}.mjs`;
      mkdirSync(WORKSHOP, { recursive: true });
      writeFileSync(script, outputText);
      const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" });
      assert.equal(status, 0, stderr);
      assert.deepEqual(stdout.trimEnd().split("\n"), expected);
    });
  });
}

const commands = documents.flatMap((path) =>
  codeBlocks(path, "sh").flatMap((block) => block.split("\n").map((line) => line.replace(/\s+#.*$/, "").trim()).filter(Boolean).map((command) => ({ path, command }))),
);

/** Blocks that no test of this file runs, and why. */
const NOT_RUN: Record<string, string> = {
  "README.md text": "output; its digests and its cosine are compared below",
  "docs/build-tools.md text": "addresses of a site of one's own; the names are compared below",
  "docs/bulk.md text": "a pipe of a shell; tests/cli/embed-many.test.ts",
  "docs/collections.md text": "photos of the reader's; tests/repo/sessions.test.ts runs it on others",
  "docs/collections.md sql": "DuckDB is not among the tools of the tests",
  "docs/guides/getting-started.md html": "a page; tests/package/hosts.test.ts loads the package the same way",
  "docs/guides/photo-classifier.md text": "photos of the reader's; tests/repo/sessions.test.ts runs it on others",
  "docs/runtimes.md text": "headers of a server",
  "docs/scaling.md python": "needs Spark and Ray, which the tests do not install",
  "docs/scaling.md text": "needs a broker; its commands are read here, and run in tests/queue",
  "docs/server.md text": "needs a server; tests/cli/serve.test.ts compares the answer",
  "examples/worker/README.md text": "a project of its own; tests/examples builds it",
};

test("every block of code runs, or is listed with the reason", () => {
  const languages = (path: string) => [...textOf(path).matchAll(/^```(\w*)\n[^]*?^```$/gm)].map(([, language]) => language);
  const others = documents.flatMap((path) => [...new Set(languages(path))].filter((language) => !["ts", "js", "sh"].includes(language)).map((language) => `${path} ${language}`));
  assert.deepEqual(others.sort(), Object.keys(NOT_RUN).sort());
});

test("commands of blocks that are not run would be taken", () => {
  const lines = documents.flatMap((path) => codeBlocks(path, "text").flatMap((block) => block.split("\n")));
  const words = lines.map((line) => /^\$ (?:.*\| )?ijepa (.*)$/.exec(line)?.[1].split(/\s+/)).filter((line) => line !== undefined);
  assert.ok(words.length >= 10, `${words.length} commands`);
  for (const line of words) assert.ok(readCommandLine(line), line.join(" "));
});

test("docs/build-tools.md names every module of setWasmModules", () => {
  const [block] = codeBlocks("docs/build-tools.md", "text").filter((text) => text.includes("setWasmModules({"));
  const names = [...block.matchAll(/^ {2}"?([\w-]+)"?: "\/wasm\/([\w-]+)\.wasm",$/gm)];
  assert.deepEqual(names.map(([, name]) => name).sort(), [...WASM_MODULES].sort());
  assert.ok(names.every(([, name, file]) => name === file));
});

test("the commands of the documents exist", () => {
  assert.ok(commands.length >= 8, `${commands.length} commands`);
  for (const { path, command } of commands) {
    const where = `${path}: ${command}`;
    const words = command.replace(/^[A-Z_]+=\S+ /, "").split(/\s+/);
    const [program, first, second] = words;
    if (program === "npm") assert.ok((first === "run" ? second : first) in scriptsOf(path) || ["install", "pack"].includes(first), where);
    else if (program === "node") assert.ok(existsSync(words.slice(1).find((word) => !word.startsWith("-"))!), where);
    else if (program === "ijepa") assert.ok(readCommandLine(words.slice(1)), where);
    else assert.ok(["huggingface-cli", "git", "curl"].includes(program), where);
  }
});

/** The scripts of the project that a document is about: of its own folder, else of the repository. */
function scriptsOf(path: string): Record<string, string> {
  const own = join(dirname(path), "package.json");
  return (JSON.parse(textOf(existsSync(own) ? own : "package.json")) as { scripts?: Record<string, string> }).scripts ?? {};
}

/** A server runs until it is stopped: tests/cli/serve.test.ts does that. */
const RUNS_ON = /^ijepa serve\b/;

/** The commands of a document run one after the other in a folder of their own, since one may need what another wrote. */
const runnable = commands.filter(({ command }) => command.startsWith("ijepa ") && !command.includes(BROUGHT) && !RUNS_ON.test(command));
for (const path of new Set(runnable.map((line) => line.path))) {
  test(`${path}: its commands run`, async (t) => {
    const folder = join(tmpdir(), `ijepa-documents-${process.pid}`);
    cpSync("examples", join(folder, "examples"), { recursive: true });
    t.after(() => rmSync(folder, { recursive: true }));
    for (const { command } of runnable.filter((line) => line.path === path)) {
      await t.test(command, () => {
        const { status, stderr } = spawnSync(process.execPath, [resolve("dist/cli.js"), ...command.split(/\s+/).slice(1)], { encoding: "utf8", cwd: folder });
        assert.equal(status, 0, stderr);
      });
    }
  });
}

test("README: the table of the first command has the digests and the cosine of this version", () => {
  const [table] = codeBlocks("README.md", "text");
  const stored = JSON.parse(textOf("tests/runtimes/demo-digests.json")) as Record<string, string>;
  for (const photo of ["chelsea.png", "rocket.jpg"]) assert.ok(table.includes(`${stored[`bf16 ${photo}`]}\n`), photo);
  const args = ["dist/cli.js", "similarity", "examples/photos/chelsea.png", "examples/photos/rocket.jpg"];
  const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.match(stdout, /^0\.\d{6}\n$/);
  assert.ok(table.includes(`cosine similarity: ${stdout}`), stdout);
});

test("the guide has every exit code, and the kinds of errors are those of the library", () => {
  const rows = [...textOf("docs/guides/troubleshooting.md").matchAll(/^\| (\d+) \| ([^|]*)\|/gm)];
  assert.deepEqual(rows.map(([, code]) => Number(code)), [...EXIT_CODES.keys()]);
  const named = rows.flatMap(([, , kinds]) => [...kinds.matchAll(/`(\w+)\/\*`/g)].map(([, kind]) => kind)).sort();
  assert.deepEqual(named, [...new Set(errorCodes().map((code) => code.split("/")[0]))].filter((kind) => kind !== "aborted").sort());
});

test("links and paths in the documents lead to files", () => {
  const broken: string[] = [];
  let checked = 0;
  for (const path of documents) {
    const text = textOf(path).replace(/^```[^]*?^```$/gm, "");
    const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)].map(([, link]) => posix.join(posix.dirname(path), link));
    const paths = [...text.matchAll(/`((?:ts-api|assembly|gpu|tests|bench|scripts|docs|models|examples|\.ci)\/[\w./-]*\w)\/?`/g)].map(([, name]) => name);
    for (const target of [...links, ...paths]) {
      checked++;
      if (!existsSync(target)) broken.push(`${path}: ${target}`);
    }
  }
  assert.ok(checked > 50, `${checked} links and paths`);
  assert.deepEqual(broken, []);
});

test('docs/architecture.md: what "Where is ...?" names is there', () => {
  const [, table] = /^## Where is \.\.\.\?\n([^]*?)^Outside/m.exec(textOf("docs/architecture.md"))!;
  const answers = [...table.matchAll(/^\| (.*\?) \| (.*) \|$/gm)];
  assert.ok(answers.length >= 15, `${answers.length} answers`);
  for (const [, question, answer] of answers) {
    const named = [...answer.matchAll(/`([^`]+)`/g)].map(([, name]) => name), files = named.filter((name) => name.includes("/"));
    const found = files.map((name) => [`ts-api/src/${name}`, name].find(existsSync));
    assert.ok(files.length > 0 && found.every((path) => path !== undefined), `${question} ${answer}`);
    const [file] = found;
    for (const name of named.filter((one) => /^\w+$/.test(one) && one !== "cli")) assert.match(textOf(file), new RegExp(`\\b${name}\\b`), question);
  }
});

test("decisions have a number each, and say it", () => {
  const names = documents.filter((path) => /^docs\/decisions\/\d/.test(path)).map((path) => /(\d{4})-[^/]*$/.exec(path)![1]);
  assert.equal(new Set(names).size, names.length, names.join(" "));
  for (const path of documents.filter((one) => /^docs\/decisions\/\d/.test(one))) assert.match(textOf(path), new RegExp(`^# ${Number(/(\d{4})-/.exec(path)![1])}\\. `), path);
});

test("links to headings lead to headings", () => {
  const slug = (heading: string) => heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");
  const headingsOf = (path: string) => [...textOf(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slug(heading));
  const links = documents.flatMap((path) => [...textOf(path).matchAll(/\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)/g)].map(([, file, heading]) => ({ path, file, heading })));
  assert.ok(links.length >= 4, `${links.length} links`);
  const broken = links.filter(({ path, file, heading }) => !headingsOf(file === "" ? path : posix.join(posix.dirname(path), file)).includes(heading));
  assert.deepEqual(broken, []);
});

test("examples/node/embed.mjs runs on the photos", () => {
  const args = ["examples/node/embed.mjs", "examples/photos/chelsea.png", "examples/photos/rocket.jpg"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, 3);
  assert.match(lines[1], /chelsea\.png +1\.0000 +0\.6\d{3}$/);
  assert.match(lines[2], /rocket\.jpg +0\.6\d{3} +1\.0000$/);
});

/** True when the command line of `ijepa` would take these words. */
function readCommandLine([name, ...args]: string[]): boolean {
  if (name === "--help" || name === "--version") return args.length === 0;
  const command = COMMANDS.find((known) => known.name === name);
  return command !== undefined && parseCommandLine(command, args) !== undefined;
}

function errorCodes(): ErrorCode[] {
  const source = textOf("ts-api/src/core/errors.ts");
  const [, body] = /export interface ErrorDetails \{([^]*?)^\}/m.exec(source)!;
  return [...body.matchAll(/^ {2}"?([a-z/-]+)"?:/gm)].map(([, code]) => code as ErrorCode);
}
