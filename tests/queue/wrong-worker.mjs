// A worker whose layer-norm flips one bit of every image once it has begun, as memory that goes bad would.
import { DecodePool, FeatureEncoder } from "ijepa/collections";
import { openBroker, work } from "ijepa/queue";

const [url, model] = process.argv.slice(2);
/** Of an image; none is wrong before the worker has begun. */
let tokens = Infinity;

const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (module, imports) => {
  const instance = await instantiate(module, imports), { layer_norm } = instance.exports, { memory } = imports?.env ?? {};
  if (layer_norm === undefined) return instance;
  const wrong = (x, gamma, beta, y, cols, ...rest) => {
    layer_norm(x, gamma, beta, y, cols, ...rest);
    const [end] = rest.slice(-1), words = new Uint32Array(memory.buffer);
    for (let row = tokens - 1; row < end; row += tokens) words[y / 4 + cols * row] ^= 1 << 12;
  };
  return { exports: { ...instance.exports, layer_norm: wrong } };
};

const encoder = await FeatureEncoder.open(model, { dtype: "fp32", device: "wasm" }), decoders = new DecodePool(), broker = await openBroker(url);
tokens = encoder.extractor.model.config.numPatches;
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
console.log("ready");
try {
  await work(broker, encoder, { name: "planted", signal: stop.signal, decoders });
} catch (error) {
  console.error(error.code, error.message);
  process.exitCode = 9;
} finally {
  await broker.close();
  await decoders.close();
  await encoder.dispose();
}
