/** What helps new users of the command: help in every spelling, the name that was meant, the options of embed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pipeline } from "../../ts-api/src/index.js";
import { ijepa, ROCKET, succeed, TINY } from "./helpers.js";

test("ijepa help, ijepa help COMMAND, -v", async () => {
  assert.equal(await succeed(["help"]), await succeed(["--help"]));
  assert.equal(await succeed(["help", "embed"]), await succeed(["embed", "--help"]));
  assert.equal(await succeed(["-v"]), await succeed(["--version"]));
  assert.equal(await succeed(["version"]), await succeed(["--version"]));
  assert.equal((await ijepa(["help", "nothing"])).code, 2);
});

test("commands and options that are misspelt: the one that was meant", async () => {
  const cases: [args: string[], says: RegExp][] = [
    [["embd"], /There is no command "embd"; did you mean "embed"\?/],
    [["help", "similarty"], /did you mean "similarity"\?/],
    [["--verson"], /There is no option "--verson"/],
    [["embed", ROCKET, "--pol", "mean"], /Unknown option '--pol'; did you mean --pool\? See "ijepa embed --help"/],
    [["embed", ROCKET, "--max_pixels", "9"], /did you mean --max-pixels\?/],
    [["serve", "--max-bdy", "9"], /did you mean --max-body\?/],
  ];
  for (const [args, says] of cases) {
    const { code, stderr } = await ijepa(args);
    assert.equal(code, 2);
    assert.match(stderr, says);
  }
});

test("what is missing from a command is named", async () => {
  const cases: [args: string[], says: RegExp][] = [
    [[ROCKET], /Name a command before the image, such as "ijepa embed [^"]*rocket\.jpg"/],
    [["search"], /"ijepa search" takes COLLECTION IMAGE\|ID, not 0 arguments/],
    [["duplicates"], /"ijepa duplicates" takes COLLECTION, not 0 arguments/],
    [["fit", "a", "b"], /"ijepa fit" takes COLLECTION, not 2 arguments/],
    [["classify", ROCKET], /"ijepa classify" needs --model DIR, a classifier made by "ijepa fit"/],
  ];
  for (const [args, says] of cases) {
    const { code, stderr } = await ijepa(args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, says);
  }
});

test("help of convert and compare says what their options are there", async () => {
  const flowing = async (command: string) => (await succeed([command, "--help"])).replace(/\s+/g, " ");
  assert.match(await flowing("convert"), /--dtype \S+ format of the matrices \(default: int4;/);
  assert.match(await flowing("compare"), /--image IMAGE path or URL of an image to compare on \(required; can be repeated\)/);
});

test("embed --pool first, --normalize: the library's digests", async () => {
  const extract = await pipeline("image-feature-extraction", TINY, { dtype: "int4" });
  for (const [options, args] of [[{ pool: "first" }, ["--pool", "first"]], [{ pool: "mean", normalize: true }, ["--pool", "mean", "--normalize"]], [{ normalize: true }, ["--normalize"]]] as const) {
    const { images } = JSON.parse(await succeed(["embed", ROCKET, "--model", TINY, "--dtype", "int4", "--json", ...args])) as { images: { numerics: { digest: string } }[] };
    assert.equal(images[0].numerics.digest, (await extract(ROCKET, options)).numerics.digest);
  }
  await extract.dispose();
});
