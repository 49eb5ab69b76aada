/** Small pictures of photos, by the SHA-256 of their files, kept in the browser's cache. */

const CACHE = "ijepa-thumbnails", SIDE = 320, QUALITY = 0.85;
/** A photo in full takes megabytes: one after the other. */
let last = Promise.resolve();

/** @returns { id, thumbnail }; undefined for a file that the browser cannot show */
export function makeThumbnail(bytes) {
  last = last.then(() => make(bytes)).catch(() => undefined);
  return last;
}

async function make(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), id = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const kept = await thumbnailOf(id);
  if (kept !== undefined) return { id, thumbnail: kept };
  const photo = await createImageBitmap(new Blob([bytes])), scale = Math.min(1, SIDE / Math.max(photo.width, photo.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(photo.width * scale)), Math.max(1, Math.round(photo.height * scale))), context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  photo.close();
  const thumbnail = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  await (await caches.open(CACHE)).put(addressOf(id), new Response(thumbnail));
  return { id, thumbnail };
}

/** Undefined where there is none. */
export async function thumbnailOf(id) {
  return (await (await caches.open(CACHE)).match(addressOf(id)))?.blob();
}

function addressOf(id) {
  return new URL(`thumbnail/${id}`, self.location.href).href;
}
