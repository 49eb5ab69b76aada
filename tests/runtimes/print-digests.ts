/** Prints this processor and its digests of the demo model, on one thread; one photo, since an emulated processor is slow. */
import { demoDigests, PHOTOS } from "./digests.js";

console.log(JSON.stringify({ arch: process.arch, digests: await demoDigests(1, PHOTOS.slice(0, 1)) }));
