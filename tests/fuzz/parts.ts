/** What `npm run fuzz` can try, by name. */
import { engine } from "./engine.js";
import type { FuzzPart } from "./frame.js";
import { images } from "./images.js";
import { server } from "./server.js";
import { weights } from "./weights.js";

export const PARTS: Record<string, FuzzPart> = { images, weights, engine, server };
