import { expect, test } from "vitest";
import { pipeline } from "ijepa";

test("a photo has its digest", { timeout: 60_000 }, async () => {
  const extract = await pipeline("image-feature-extraction");
  const { dims, numerics } = await extract(process.env.PHOTO);
  await extract.dispose();
  expect(dims).toEqual([1, 64, 192]);
  expect(numerics.digest).toBe(process.env.DIGEST);
});
