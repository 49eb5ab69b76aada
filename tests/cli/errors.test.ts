/** Every exit code, with the message on stderr. */
import assert from "node:assert/strict";
import { cp, mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { run } from "../../ts-api/src/cli/run.js";
import { ROCKET, SMALL, TINY, finish, ijepa, photo, recordingHost, start, temporaryFolder } from "./helpers.js";

/** The command fails with this exit code and one line on stderr that ends in the error's code; nothing is on stdout. */
async function fails(args: readonly string[], exitCode: number, code: string, input?: Uint8Array): Promise<string> {
  const { code: actual, stdout, stderr } = await ijepa(args, input);
  assert.deepEqual([actual, stdout], [exitCode, ""], `ijepa ${args.join(" ")}: ${stderr}`);
  const match = /^ijepa: (.+) \[(.+)\]\n$/.exec(stderr);
  assert.ok(match, stderr);
  assert.equal(match[2], code);
  return match[1];
}

/** A model folder that is like the goldens' smallest, but for what `damage` does to it. */
async function damagedModel(t: TestContext, damage: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(await temporaryFolder(t), "model");
  await mkdir(folder);
  for (const file of ["config.json", "preprocessor_config.json", "model.safetensors"]) await cp(`${TINY}/${file}`, join(folder, file));
  await damage(folder);
  return folder;
}

test("2: usage", async () => {
  assert.match(await fails(["embed", ROCKET, "--dtype", "fp16"], 2, "usage"), /--dtype must be one of fp32, bf16, int8, int4, nf4, fp4, not "fp16"/);
  assert.match(await fails(["similarity", ROCKET], 2, "usage"), /takes 2 images, not 1.*--help/);
  const wrong: [args: string[], message: RegExp][] = [
    [["embed"], /takes at least 1 image, not 0.*--help/],
    [["similarity", ROCKET, ROCKET, ROCKET], /takes 2 images, not 3/],
    [["embed", "-", "-"], /Standard input/],
    [["frobnicate"], /There is no command "frobnicate"; the commands are embed, similarity, visualize, index, search, duplicates, fit, classify, collection, worker, serve, convert, inspect, compare, verify, doctor/],
    [["--colour"], /There is no option "--colour"/],
    [["embed", ROCKET, "--colour"], /Unknown option '--colour'/],
    [["embed", ROCKET, "--model"], /--model <value>' argument missing/],
    [["embed", ROCKET, "--model", "--pool"], /argument is ambiguous/],
    [["embed", ROCKET, "--json=yes"], /--json' does not take an argument/],
    [["similarity", ROCKET, ROCKET, "--out", "x.npy"], /Unknown option '--out'/],
    [["embed", ROCKET, "--device", "cuda"], /--device must be one of auto, wasm, webgpu, not "cuda"/],
    [["embed", ROCKET, "--pool", "max"], /--pool must be one of none, mean, first, not "max"/],
    [["embed", ROCKET, "--out", "x.csv"], /x\.csv.*\.npy, \.json, \.jsonl, \.safetensors/],
    [["embed", ROCKET, "--out", ""], /its name must end in/],
    [["serve", "--host", ""], /--host must not be empty/],
  ];
  wrong.push([["embed", ROCKET, "--threads=65"], /--threads must be a whole number from 1 to 64/]);
  for (const number of ["0", "-1", "1.5", "", "1e3", "many", "99999999999999999999"]) {
    wrong.push([["embed", ROCKET, `--threads=${number}`], /--threads must be a whole number from 1 to 64/]);
    wrong.push([["embed", ROCKET, `--max-pixels=${number}`], /--max-pixels must be a whole number from 1 to 9007199254740991/]);
  }
  for (const [args, message] of wrong) {
    const host = recordingHost(args, undefined);
    assert.equal(await run(host), 2, args.join(" "));
    assert.equal(host.printed.stdout, "");
    assert.match(host.printed.stderr, /^ijepa: .* \[usage\]\n$/);
    assert.match(host.printed.stderr, message);
  }
});

test("3: images", async (t) => {
  const folder = await temporaryFolder(t);
  const rocket = await readFile(ROCKET);
  const bad: [name: string, bytes: Uint8Array, code: string][] = [
    ["note.png", Buffer.from("not an image"), "image/unsupported"],
    ["cut.jpg", rocket.subarray(0, rocket.length / 2), "image/corrupt"],
    ["empty.webp", new Uint8Array(0), "image/empty"],
  ];
  for (const [name, bytes, code] of bad) {
    const path = join(folder, name);
    await writeFile(path, bytes);
    assert.ok((await fails(["embed", path], 3, code)).includes(path));
  }
  assert.match(await fails(["embed", "-"], 3, "image/corrupt", rocket.subarray(0, 10_000)), /^standard input /);
  assert.match(await fails(["embed", ROCKET, "--max-pixels", "1000"], 3, "image/too-large"), /640 x 427.*1000/);
  await fails(["similarity", SMALL, ROCKET, "--max-pixels", "1"], 3, "image/too-large");
});

test("4: the model's configuration and weights", async (t) => {
  assert.match(await fails(["embed", ROCKET, "--model", "absent"], 4, "config/missing"), /config\.json/);
  const field = await damagedModel(t, async (folder) => {
    const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
    await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, num_attention_heads: 7 }));
  });
  assert.match(await fails(["embed", ROCKET, "--model", field], 4, "config/field"), /hidden size 64 is not a multiple .* 7/);
  const short = await damagedModel(t, (folder) => truncate(join(folder, "model.safetensors"), 5000));
  await fails(["similarity", ROCKET, SMALL, "--model", short], 4, "weights/format");
});

test("4: a config nested too deep for JSON.stringify is refused in one short line", async (t) => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const model = await damagedModel(t, (folder) => writeFile(join(folder, "config.json"), `{"model_type": "ijepa", "hidden_size": ${deep}}`));
  assert.ok((await fails(["embed", ROCKET, "--model", model], 4, "config/field")).length < 300);
  const { code, stderr } = await ijepa(["embed", ROCKET, "--model", model, "--json"]);
  assert.equal(code, 4);
  assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, "config/field");
});

test("5: the device", async () => {
  // 16 pages are 1 MiB: the model does not fit.
  const { code, stdout, stderr } = await finish(start(["embed", SMALL], {}, ["--wasm-max-mem-pages=16"]));
  assert.deepEqual([code, stdout], [5, ""]);
  assert.match(stderr, /^ijepa: WebAssembly memory cannot grow .* \[backend\/memory\]\n$/);
});

test("6: files", async () => {
  assert.match(await fails(["embed", "absent.png"], 6, "io/read"), /absent\.png/);
  assert.match(await fails(["similarity", "tests", ROCKET], 6, "io/read"), /folder/);
});

test("7: inputs", async () => {
  assert.match(await fails(["embed", ROCKET, "--model", "ftp://host/model"], 7, "input/value"), /ftp/);
});

test("--json: an error is one JSON object", async () => {
  const expected: [args: string[], error: Record<string, unknown>][] = [
    [["embed", "--json"], { code: "usage", exitCode: 2 }],
    [["embed", "--json", "--colour", ROCKET], { code: "usage", exitCode: 2 }],
    [["embed", photo("gif.gif"), "--json"], { code: "image/unsupported", exitCode: 3, file: photo("gif.gif") }],
    [["similarity", ROCKET, SMALL, "--json", "--model", "absent"], { code: "config/missing", exitCode: 4 }],
  ];
  for (const [args, error] of expected) {
    const { code, stdout, stderr } = await ijepa(args);
    assert.deepEqual([code, stdout], [error["exitCode"], ""]);
    const { message, ...rest } = (JSON.parse(stderr) as { error: Record<string, unknown> }).error;
    assert.deepEqual(rest, error);
    assert.ok(typeof message === "string" && message.length > 10);
  }
  // After -- it is the name of an image.
  assert.match(await fails(["embed", "--", "--json"], 6, "io/read"), /--json/);
});

test("no stack is printed, unless IJEPA_DEBUG asks for it", async () => {
  const args = ["embed", "absent.png"];
  assert.ok(!(await ijepa(args)).stderr.includes("    at "));
  assert.match((await ijepa(args, undefined, { IJEPA_DEBUG: "1" })).stderr, /\n {4}at /);
});
