/** Bytes that are taken from a stream at a time: every read leaves objects that workerd keeps to the end of the request. */
const PIECE = 512 * 1024;

/**
 * The model's files for the library, from the Worker's bindings: the R2 bucket BUCKET, else the static assets ASSETS. R2 has
 * ranges; static assets come whole, and what is not wanted is passed over as it comes. No file is ever whole in memory.
 */
export function modelFiles({ ASSETS, BUCKET }) {
  return BUCKET === undefined ? { name: "the assets", open: (file) => openAsset(ASSETS, file) } : { name: "the bucket", open: (file) => openObject(BUCKET, file) };
}

async function openObject(bucket, file) {
  const object = await bucket.head(file);
  if (object === null) return undefined;
  return source(file, object.size, async (into, offset) => {
    const part = await bucket.get(file, { range: { offset, length: into.length } });
    return part === null ? 0 : fill(into, part.body);
  });
}

async function openAsset(assets, file) {
  const get = () => assets.fetch(`https://assets/${encodeURIComponent(file)}`);
  const { ok, headers, body } = await get(), length = headers.get("content-length");
  if (!ok || length !== null) await body?.cancel();
  if (!ok) return undefined;
  const size = length === null ? await sizeOf(body) : Number(length);
  return source(file, size, async (into, offset) => fill(into, (await get()).body, offset));
}

/** A ByteSource of the library, which may hand over memory to read into. `read` gives the number of bytes that it had. */
function source(name, size, read) {
  return {
    name,
    size,
    async read(offset, length, signal, into = new Uint8Array(length)) {
      return into.subarray(0, await read(into, offset));
    },
    close: async () => {},
  };
}

/**
 * Fills `into` with what follows the first `skip` bytes of a stream, piece by piece through the same memory: engines free
 * arrays late, and a Worker has little. Returns how many bytes there were.
 */
async function fill(into, stream, skip = 0) {
  const reader = stream.getReader({ mode: "byob" });
  let memory = new ArrayBuffer(PIECE), passed = 0, filled = 0;
  while (filled < into.length) {
    const { value } = await reader.read(new Uint8Array(memory), { min: PIECE });
    // The last piece may come together with the end of the stream.
    if (value === undefined || value.length === 0) break;
    const wanted = value.subarray(Math.max(0, skip - passed)).subarray(0, into.length - filled);
    into.set(wanted, filled);
    filled += wanted.length;
    passed += value.length;
    memory = value.buffer;
  }
  await reader.cancel();
  return filled;
}

async function sizeOf(stream) {
  let size = 0;
  for await (const piece of stream) size += piece.length;
  return size;
}
