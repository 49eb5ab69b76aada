/**
 * A `fetch` for fromPretrained that answers from the Worker's bindings: the R2 bucket BUCKET, else the static assets ASSETS.
 * The library asks for ranges. R2 has them; static assets come whole, so the last one stays here, and while a model's files are
 * read one after the other no more than one is in memory.
 */
export function modelFiles({ ASSETS, BUCKET }) {
  const read = BUCKET === undefined ? assetReader(ASSETS) : bucketReader(BUCKET);
  return async (url, { headers } = {}) => {
    const name = decodeURIComponent(new URL(url).pathname.slice(1));
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(headers).get("range") ?? "") ?? [];
    const range = first === undefined ? undefined : { offset: Number(first), length: Number(last) - Number(first) + 1 };
    const part = await read(name, range);
    if (part === undefined) return new Response("", { status: 404 });
    if (range === undefined) return new Response(part.body);
    const end = Math.min(range.offset + range.length, part.size) - 1;
    return new Response(part.body, { status: 206, headers: { "content-range": `bytes ${range.offset}-${end}/${part.size}` } });
  };
}

function bucketReader(bucket) {
  return async (name, range) => {
    const object = await bucket.get(name, { range });
    return object === null ? undefined : { body: object.body, size: object.size };
  };
}

function assetReader(assets) {
  let last = { name: "", bytes: new Uint8Array(0) };
  return async (name, range) => {
    if (last.name !== name) {
      const response = await assets.fetch(`https://assets/${encodeURIComponent(name)}`);
      if (!response.ok) return undefined;
      last = { name, bytes: new Uint8Array(await response.arrayBuffer()) };
    }
    const { offset, length } = range ?? { offset: 0, length: last.bytes.length };
    return { body: last.bytes.slice(offset, offset + length), size: last.bytes.length };
  };
}
