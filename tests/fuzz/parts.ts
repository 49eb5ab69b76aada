/** What `npm run fuzz` can try, by name. */
import type { FuzzPart } from "./frame.js";
import { images } from "./images.js";

export const PARTS: Record<string, FuzzPart> = { images };
