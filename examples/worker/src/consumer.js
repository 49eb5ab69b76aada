/** A consumer of the events of a bucket: a photo that is put into PHOTOS becomes a row in ROWS, one that is deleted takes it away. */
import { isIJepaError } from "ijepa/worker";
import { embed } from "./extractor.js";

/** What happens when a message comes twice is the same as when it comes once. */
export async function consume({ messages }, env) {
  for (const message of messages) {
    try {
      await take(message.body, env);
      message.ack();
    } catch (error) {
      console.error(String(error));
      message.retry();
    }
  }
}

async function take({ action, object: { key } }, { PHOTOS, ROWS, ...env }) {
  if (/^(Delete|LifecycleDeletion)/.test(action)) return ROWS.delete(rowOf(key));
  const object = await PHOTOS.get(key);
  // Deleted since: an event of its own follows.
  if (object === null) return undefined;
  const photo = await object.arrayBuffer(), row = { source: key, id: await sha256(photo), bytes: photo.byteLength, ...(await result(photo, env)) };
  return ROWS.put(rowOf(key), JSON.stringify(row), { httpMetadata: { contentType: "application/json" } });
}

/** A photo that cannot be used will not be better the next time. */
async function result(photo, env) {
  try {
    const { data, dims, numerics } = await embed(photo, env);
    return { dims, embedding: [...data], numerics };
  } catch (error) {
    if (!isIJepaError(error) || !error.code.startsWith("image/")) throw error;
    return { error: { code: error.code, message: error.message } };
  }
}

function rowOf(key) {
  return `${key}.json`;
}

async function sha256(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
