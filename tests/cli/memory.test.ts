/** What the command holds in memory does not grow with the number of images. About 30 s. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { peaks } from "../../bench/bulk/memory.js";

/** `npm run bench -- bulk --memory` measures the bound of the documents with 1,000 and 10,000 images. */
const FEW = 400, MANY = 1600, WARM = 1500, MOST = 1.25;

test(`${MANY} images take no more memory than ${FEW}`, { skip: existsSync("/proc/self/clear_refs") ? false : "not run: the peak of a part of a process is counted on Linux only" }, async (t) => {
  for (const { command, images, peak, ofFirst } of await peaks({ counts: [FEW, MANY], warm: WARM, side: 32, rounds: 1 })) {
    t.diagnostic(`${command}: ${peak.toFixed(0)} MB with ${images} images, ${ofFirst.toFixed(3)} of the first`);
    assert.ok(ofFirst < MOST, `${command} with ${images} images: ${ofFirst}`);
  }
});
