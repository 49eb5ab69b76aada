const { pipeline } = require("ijepa");

test("a photo has its digest", async () => {
  const extract = await pipeline("image-feature-extraction");
  const { dims, numerics } = await extract(process.env.PHOTO);
  await extract.dispose();
  expect(dims).toEqual([1, 64, 192]);
  expect(numerics.digest).toBe(process.env.DIGEST);
}, 60_000);
