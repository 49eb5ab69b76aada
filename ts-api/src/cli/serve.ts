/** `ijepa serve`: a model and a port in, a running server out. */
import { isIJepaError, pipeline, type LoadOptions } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import type { ServedPipeline, ServerOptions } from "../server/index.js";
import { errorBody, HttpError } from "../server/http-error.js";
import { originsOf } from "../server/server-options.js";
import { SOURCE_OPTIONS, modelOptions, type Command, type Settings } from "./args.js";
import { textOf } from "./collection-options.js";
import { reportFailure, usage, UsageError } from "./exit.js";
import { modelName, shortName } from "./extract.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { printable } from "./text.js";
import { warnOfUnused, type LoadedModel } from "./unused-tensors.js";

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_PORT = 8080;
const DEFAULT_SECONDS = 60;

export const serve: Command = {
  name: "serve",
  usage: "[options]",
  summary: "Serve a model over HTTP: /embed, /v1/embeddings (OpenAI's format), /classify, /search, /healthz and /metrics",
  options: [
    "host", "port", ...SOURCE_OPTIONS, "dtype", "device", "threads", "revectorize", "max-body", "max-pixels", "concurrency", "timeout", "decode-threads", "decode-timeout", "allow-urls", "cors", "collection", "encoder", "json", "help",
  ],
  optionHelp: {
    "max-pixels": "largest image to decode, in pixels (default: 50000000)",
    "decode-threads": "threads that decode images, or auto for one per processor, at most 4; 0 decodes on the main thread (default: auto)",
    "decode-timeout": "seconds allowed to decode one image (default: 10)",
    timeout: "seconds allowed for a request to arrive, and again for it to be answered (default: 60)",
    collection: "collection for POST /search",
    encoder: "encoder of the classifier or collection: a folder, a URL or a Hub model (default: the one that it names)",
  },
  images: [0, 0],
  notes: [
    "Waiting requests are encoded in batches, which changes no bit of a result. Beyond --concurrency, requests get status 429 and a Retry-After header. Request bodies in progress use at most 8 times --max-body of memory.",
    "SIGINT and SIGTERM stop the server: it accepts no new requests, answers those it has, and exits with 0. A second SIGINT exits at once.",
    "The server has no authentication and no encryption: put a proxy in front of it before others can reach it. With --allow-urls it downloads images from public addresses only.",
    "With --collection, POST /search (?k=10) returns the images most similar to the photo in the body. The model and --dtype must be those of the collection.",
    "--json prints one object when the server listens and one when it has stopped.",
  ],
  run: runServe,
};

async function runServe(settings: Settings, host: CliHost): Promise<number> {
  const { host: address = DEFAULT_HOST, port = DEFAULT_PORT, timeout: seconds = DEFAULT_SECONDS, json } = settings;
  const cors = usage(() => originsOf(settings.cors, "--cors"));
  // Only this command needs them.
  const [{ createServer }, { listen }, { fetchPublic }] = await Promise.all([
    import("../server/index.js"),
    import("../runtime/http-host.js"),
    import("../runtime/public-fetch.js"),
  ]);
  const bar = new ProgressBar(host.stderr), served = await openModel(settings, { signal: host.signal, progress_callback: showDownloads(bar) }).finally(() => bar.clear());
  try {
    await warnOfUnused(served.model, host);
    const { model } = served, name = shortName(modelName(settings.model)), timeout = seconds * 1000;
    const server = createServer(served, {
      name,
      timeout,
      maxBody: settings.maxBody,
      maxPixels: settings.maxPixels,
      concurrency: settings.concurrency,
      decodeThreads: settings.decodeThreads,
      decodeTimeout: settings.decodeTimeout === undefined ? undefined : settings.decodeTimeout * 1000,
      cors,
      fetchImage: settings.allowUrls ? fetchPublic : undefined,
      search: await searchIn(settings, served, host.signal),
      onError: (error) => void reportFailure(host, error, { json }),
    });
    const stop = host.untilStopped();
    const refusal = (status: number, code: string, message: string) => errorBody(new HttpError(status, code, message));
    const listening = await listen(server.fetch, { host: address, port, timeout, refusal });
    const { dtype, device, deviceDescription } = model, { url } = listening;
    const started = json ? JSON.stringify({ url, model: name, dtype, device, deviceDescription }) : `${url} serves ${printable(name)} (${dtype}, ${deviceDescription})`;
    await host.stdout.write(`${started}\n`);
    await stop;
    await Promise.all([server.stop(), listening.close()]);
    const { answered } = server;
    await host.stdout.write(json ? `${JSON.stringify({ answered })}\n` : `Stopped; ${answered} requests were answered.\n`);
    return 0;
  } finally {
    await served.dispose();
  }
}

/** The collection for POST /search, with --collection. */
async function searchIn({ given, model, revision }: Settings, served: ServedPipeline, signal: AbortSignal): Promise<ServerOptions["search"]> {
  const folder = textOf(given, "collection");
  if (folder === undefined) return undefined;
  const { checkEncoding, Collection, encodingOf } = await import("../collections/index.js");
  const collection = await Collection.open(folder, { signal }), { encoding } = collection, { pooling, layers } = encoding;
  if (layers !== "last") throw new UsageError(`${folder} was made with --layers ${layers}; serve searches collections of the last layer.`);
  checkEncoding(await encodingOf(served, { model: model ?? null, revision: revision ?? null, pooling, layers, tokens: null }), encoding, folder, ["tokens"]);
  await collection.searcher(signal);
  return { pooling, search: (feature, options) => collection.search(feature, options) };
}

/** Loads the model, with its head if it has one. */
async function openModel(settings: Settings, loading: Pick<LoadOptions, "signal" | "progress_callback">): Promise<ServedPipeline & { readonly model: LoadedModel; dispose(): Promise<void> }> {
  const { model, given } = settings, options: LoadOptions = { ...modelOptions(settings), ...loading, encoder: textOf(given, "encoder") };
  try {
    return await pipeline("image-classification", model, options);
  } catch (error) {
    if (!isIJepaError(error, "weights/missing") || !error.details.names.some((name) => name.startsWith("classifier."))) throw error;
    return pipeline("image-feature-extraction", model, options);
  }
}
