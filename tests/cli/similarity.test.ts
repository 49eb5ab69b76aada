/** `ijepa similarity`: the cosine, JSON, bad images. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ASTRONAUT, CHELSEA, ROCKET, ijepa, photo, succeed } from "./helpers.js";

test("similarity is the documented one of the demo model", async () => {
  const documented: [a: string, b: string, cosine: number][] = [
    [CHELSEA, ASTRONAUT, 0.9206],
    [CHELSEA, ROCKET, 0.6125],
    [ASTRONAUT, ROCKET, 0.7317],
  ];
  for (const [a, b, cosine] of documented) {
    const stdout = await succeed(["similarity", a, b, "--dtype", "fp32"]);
    assert.match(stdout, /^0\.\d{6}\n$/);
    assert.ok(Math.abs(Number(stdout) - cosine) < 1e-3, `${a} ${b}: ${stdout}`);
  }
});

test("a photo is like itself", async () => {
  assert.equal(await succeed(["similarity", ROCKET, ROCKET, "--dtype", "int4"]), "1.000000\n");
});

test("--json: the number and what it was made of", async () => {
  const document = JSON.parse(await succeed(["similarity", CHELSEA, ROCKET, "--json", "--dtype", "fp32"])) as {
    pool: string;
    images: { file: string; dims: number[]; numerics: { dtype: string } }[];
    cosineSimilarity: number;
  };
  assert.equal(document.pool, "mean");
  const images = document.images.map(({ file, dims, numerics }) => [file, dims, numerics.dtype]);
  assert.deepEqual(images, [[CHELSEA, [192], "fp32"], [ROCKET, [192], "fp32"]]);
  assert.ok(Math.abs(document.cosineSimilarity - 0.6125) < 1e-3);
});

test("with a bad image there is no number; every bad one is reported", async () => {
  const { code, stdout, stderr } = await ijepa(["similarity", photo("bmp.bmp"), "absent.png"]);
  assert.deepEqual([code, stdout, stderr.split("\n").length], [3, "", 3]);
  const second = await ijepa(["similarity", ROCKET, "absent.png", "--json"]);
  assert.deepEqual([second.code, second.stdout], [6, ""]);
});
