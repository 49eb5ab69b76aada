/** @jest-environment jsdom */
const { readFileSync } = require("node:fs");
const { pipeline } = require("ijepa");

test("a photo has its digest, by its path and by its bytes, on one thread and two", async () => {
  for (const threads of [1, 2]) {
    const extract = await pipeline("image-feature-extraction", { threads });
    for (const photo of [process.env.PHOTO, readFileSync(process.env.PHOTO)]) {
      expect((await extract(photo)).numerics.digest).toBe(process.env.DIGEST);
    }
    await extract.dispose();
  }
}, 60_000);
