// @vitest-environment jsdom
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { pipeline } from "ijepa";

test("a photo has its digest, by its path, its bytes and a File, on one thread and two", { timeout: 60_000 }, async () => {
  const bytes = readFileSync(process.env.PHOTO);
  for (const threads of [1, 2]) {
    const extract = await pipeline("image-feature-extraction", { threads });
    for (const photo of [process.env.PHOTO, bytes, new File([bytes], "rocket.jpg")]) {
      expect((await extract(photo)).numerics.digest).toBe(process.env.DIGEST);
    }
    await extract.dispose();
  }
});
