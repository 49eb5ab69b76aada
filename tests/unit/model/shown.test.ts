/** What JSON and a console make of features and models. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { IJepaConfig, IJepaModel, pipeline, Tensor } from "../../../ts-api/src/index.js";

test("features and models as JSON, and on a console", async () => {
  const extract = await pipeline("image-feature-extraction", "tests/goldens/models/tiny", { dtype: "int4", device: "wasm" });
  const features = await extract("tests/goldens/images/files/jpeg-1x1.jpg", { pool: "mean" });
  const { type, dims, data, numerics } = JSON.parse(JSON.stringify(features)) as typeof features;
  assert.deepEqual([type, dims, data, numerics], ["float32", [1, 64], Array.from(features.data), features.numerics]);
  assert.deepEqual(JSON.parse(JSON.stringify(new Tensor("bool", new Uint8Array([0, 1]), [2]))), { type: "bool", data: [0, 1], dims: [2] });
  const { model } = extract, json = JSON.parse(JSON.stringify(model)) as Record<string, unknown>;
  assert.deepEqual(Object.keys(json), ["model", "dtype", "device", "deviceDescription", "config"]);
  assert.deepEqual(json["config"], JSON.parse(JSON.stringify(model.config)));
  assert.match(inspect(model), /^IJepaModel \{ \d+ layers of width 64, int4, on .*SIMD.* \}$/);
  await extract.dispose();
  const closed = new IJepaModel(new IJepaConfig());
  assert.equal(inspect(closed), "IJepaModel { 12 layers of width 768, bf16, not open yet }");
  assert.equal("device" in (JSON.parse(JSON.stringify(closed)) as object), false);
});
