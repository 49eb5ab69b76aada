/** A model as a web service: from a Request to a Response, in any runtime. Listening is up to the host. */
import { Hono, type Context } from "hono";
import { cors } from "hono/cors";
import { NUMERICS_VERSION } from "../core/numerics.js";
import { checkHas, wrongType as wrongValue } from "../core/options.js";
import { show } from "../core/show.js";
import { readDataUrl } from "../image/data-url.js";
import type { IJepaImageProcessor } from "../image/processor.js";
import { IJepaForImageClassification } from "../model/classifier.js";
import { firstToken, meanPool } from "../model/pooling.js";
import { checkLabelOptions, rankLabels, type LabelOptions } from "../pipelines/image-classification.js";
import { Admission, type Ticket } from "./admission.js";
import { announcedLength, codingOf, mediaType, readBody } from "./body.js";
import { within } from "./deadline.js";
import { Downloads } from "./downloads.js";
import { embeddingsAnswer, parseEmbeddings, unknownModel } from "./embeddings.js";
import { damageOf, featuresOf, FORMATS, oneOf, POOLS, type EncodedFeatures } from "./features.js";
import { HttpError, toHttpError, toResponse } from "./http-error.js";
import { Batcher, type Encoded, type ServedModel } from "./batcher.js";
import { Metrics } from "./metrics.js";
import { readQuery } from "./query.js";
import { checkServerOptions, type ServerOptions } from "./server-options.js";

/** The result of `pipeline(...)`. With a classification head there is also POST /classify. */
export interface ServedPipeline {
  /** The model that computes. */
  readonly model: ServedModel;
  /** Turns images into the model's inputs. */
  readonly processor: IJepaImageProcessor;
}

/** A model as a web service. Give `fetch` to any server that speaks the Fetch API. */
export interface ImageServer {
  /** Never rejects. */
  fetch(request: Request): Promise<Response>;
  /** Accepts no more requests, and resolves when every request is answered. The model stays open. */
  stop(): Promise<void>;
  /** Requests answered so far, with any status. */
  readonly answered: number;
}

/** A request that was admitted and read. */
interface Call {
  readonly body: Uint8Array;
  readonly query: { readonly [name: string]: string };
  readonly ticket: Ticket;
  /** Aborted when the client hangs up, or the answer is overdue. */
  readonly signal: AbortSignal;
}

interface Route {
  readonly method: "GET" | "POST";
  /** As Hono writes it. */
  readonly path: string;
  /** The path, as in logs and metrics. */
  readonly label: string;
  handle(context: Context): Response | Promise<Response>;
}

/** Bodies of the largest size that may be in memory; and as many downloads. */
const BODIES = 8;
const MAX_IMAGES_OF_REQUEST = 64;
const MAX_RETRY_SECONDS = 60;
/** Seconds for which a browser caches the permission. */
const PREFLIGHT_SECONDS = 600;
const DEFAULT_RESULTS = 10;
const IMAGE = /^(image\/[\w.+-]+|application\/octet-stream)$/;
const JSON_TYPE = /^application\/json$/;

/**
 * The caller keeps the model and the processor, and disposes of them after `stop`.
 *
 * @throws IJepaError `input/value` for an unknown option or an invalid value; TypeError for values of the wrong type
 */
export function createServer(pipeline: ServedPipeline, options: ServerOptions = {}): ImageServer {
  const { model, processor } = checkPipeline(pipeline), { config, dtype, device } = model;
  const { name, maxBody, concurrency, timeout, maxPixels, decoders, fetchImage, search: finder, onError, origins } = checkServerOptions(options);
  const served = { name, width: config.hiddenSize, maxImages: Math.min(MAX_IMAGES_OF_REQUEST, concurrency) };
  const metrics = new Metrics({ model: name, dtype, device, numerics: NUMERICS_VERSION });
  const batcher = new Batcher(model, processor, { decoders, maxPixels, onBatch: (images, seconds) => metrics.batch(images, seconds) });
  const retryAfter = () => Math.min(MAX_RETRY_SECONDS, Math.max(1, Math.ceil(metrics.secondsPerImage * admission.images)));
  const admission: Admission = new Admission({ images: concurrency, bytes: BODIES * maxBody }, retryAfter);
  const downloads = fetchImage && new Downloads(BODIES, fetchImage, maxBody);

  /** Admits the request, reads it, and releases it when there is an answer. */
  const post = (types: RegExp, optionNames: readonly string[], answer: (call: Call) => Promise<object>) => async (context: Context) => {
    const request = context.req.raw, type = mediaType(request), query = readQuery(new URL(request.url), optionNames) as Call["query"];
    if (!types.test(type)) throw wrongType(type, types);
    codingOf(request);
    const ticket = admission.admit(announcedLength(request, maxBody));
    try {
      const body = await within(timeout, undefined, (late) => readBody(request, { maxBytes: maxBody, late, grow: (bytes) => ticket.grow(0, bytes) }));
      return Response.json(await within(timeout, request.signal, (signal) => answer({ body, query, ticket, signal })));
    } finally {
      ticket.release();
    }
  };

  const encodeAt = (address: string, source: string, signal: AbortSignal): Promise<Encoded> => {
    if (/^data:/i.test(address)) return batcher.encode(readDataUrl(address, source, maxBody), source, signal);
    if (downloads !== undefined) return downloads.with(address, source, signal, (bytes) => batcher.encode(bytes, source, signal));
    throw new HttpError(400, "request/url", `${source} is an http(s) URL; this server does not fetch images. Send it as a data: URL.`, { param: source });
  };

  const embeddings = async ({ body, ticket, signal }: Call): Promise<object> => {
    const { images, ...wanted } = parseEmbeddings(body, served);
    ticket.grow(images.length - 1, 0);
    // A signal for each image: Node warns of leaks if one has many listeners.
    const controllers = images.map(() => new AbortController());
    signal.addEventListener("abort", () => controllers.forEach((controller) => controller.abort(signal.reason)));
    const embedOne = async (address: string, index: number): Promise<EncodedFeatures> => {
      const param = `input[${index}]`;
      try {
        return await featuresOf(await encodeAt(address, param, controllers[index].signal), wanted);
      } catch (error) {
        throw signal.aborted ? error : toHttpError(error, param);
      }
    };
    return embeddingsAnswer(name, await Promise.all(images.map(embedOne)), config.numPatches);
  };

  const embed = async ({ body, query, signal }: Call): Promise<object> => {
    const wanted = {
      pool: oneOf("pool", query["pool"], POOLS, "mean"),
      format: oneOf("encoding_format", query["encoding_format"], FORMATS, "float"),
      normalize: oneOf("normalize", query["normalize"], ["true", "false"], "false") === "true",
    };
    const encoded = await batcher.encode(body, "the body", signal);
    return { model: name, width: encoded.width, height: encoded.height, ...(await featuresOf(encoded, wanted)) };
  };

  const classify = async ({ body, query, signal }: Call): Promise<object> => {
    if (!(model instanceof IJepaForImageClassification)) throw new HttpError(404, "request/no-head", `The model ${name} has no classification head.`);
    const top = query["top_k"];
    const labels: LabelOptions = top === undefined ? {} : { top_k: /^\d{1,9}$/.test(top) ? Number(top) : (top as unknown as number) };
    checkLabelOptions(labels);
    const encoded = await batcher.encode(body, "the body", signal), { logits, numerics } = encoded;
    return { model: name, labels: rankLabels(config, logits!.data, labels), numerics, ...damageOf(encoded) };
  };

  const search = async ({ body, query, signal }: Call): Promise<object> => {
    if (finder === undefined) throw new HttpError(404, "request/no-collection", `The server of ${name} has no collection.`);
    const k = query["k"] ?? String(DEFAULT_RESULTS);
    if (!/^\d{1,6}$/.test(k) || Number(k) < 1) throw new HttpError(400, "input/value", `k must be a whole number from 1 to 999999, not ${show(k)}.`, { param: "k" });
    const encoded = await batcher.encode(body, "the body", signal), { hidden, width, height } = encoded;
    const { data } = finder.pooling === "mean" ? meanPool(hidden) : firstToken(hidden);
    return { model: name, width, height, results: await finder.search(data, { k: Number(k), signal }), ...damageOf(encoded) };
  };

  const gauges = () => ({ requests: admission.requests, images: admission.images, bytes: admission.bytes, waiting: batcher.waiting });
  const health = () => {
    const status = admission.stopping ? "stopping" : "ok";
    return Response.json({ status, model: name, dtype, device, description: model.deviceDescription }, { status: admission.stopping ? 503 : 200 });
  };
  const metricsText = () => new Response(metrics.toString(gauges()), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
  const description = { id: name, object: "model", created: 0, owned_by: "ijepa" };
  const models = () => Response.json({ object: "list", data: [description] });
  const oneModel = (context: Context) => {
    const asked = context.req.param("name");
    if (asked !== name) throw unknownModel(asked, name);
    return Response.json(description);
  };

  const routes: readonly Route[] = [
    { method: "POST", path: "/v1/embeddings", label: "/v1/embeddings", handle: post(JSON_TYPE, [], embeddings) },
    { method: "POST", path: "/embed", label: "/embed", handle: post(IMAGE, ["pool", "normalize", "encoding_format"], embed) },
    { method: "POST", path: "/classify", label: "/classify", handle: post(IMAGE, ["top_k"], classify) },
    { method: "POST", path: "/search", label: "/search", handle: post(IMAGE, ["k"], search) },
    { method: "GET", path: "/v1/models", label: "/v1/models", handle: models },
    { method: "GET", path: "/v1/models/:name{.+}", label: "/v1/models/{name}", handle: oneModel },
    { method: "GET", path: "/healthz", label: "/healthz", handle: health },
    { method: "GET", path: "/metrics", label: "/metrics", handle: metricsText },
  ];
  const app = new Hono<{ Variables: { label: string } }>();
  app.use(async (context, next) => {
    const start = performance.now();
    await next();
    metrics.request(context.get("label") ?? "other", context.res.status, (performance.now() - start) / 1000);
  });
  if (origins.length > 0) {
    const origin = origins.includes("*") ? "*" : [...origins];
    app.use(cors({ origin, allowMethods: ["GET", "HEAD", "POST"], exposeHeaders: ["retry-after"], maxAge: PREFLIGHT_SECONDS }));
  }
  for (const { method, path, label, handle } of routes) {
    app.all(path, (context) => {
      context.set("label", label);
      const asked = context.req.method;
      // Of the answer to HEAD, Hono sends the head.
      const allow = method === "GET" ? "GET, HEAD" : method;
      if (allow.split(", ").includes(asked)) return handle(context);
      if (asked === "OPTIONS") return new Response(null, { status: 204, headers: { allow: `${allow}, OPTIONS` } });
      throw new HttpError(405, "request/method", `${label} takes ${method}.`, { allow });
    });
  }
  app.notFound(() => {
    const paths = routes.map(({ method, label }) => `${method} ${label}`).join(", ");
    return toResponse(new HttpError(404, "request/path", `There is no such path. The paths are ${paths}.`));
  });
  app.onError((error) => {
    const answer = toHttpError(error);
    if (answer.status === 500) onError?.(answer.cause ?? error);
    return toResponse(answer);
  });
  return {
    async fetch(request) {
      checkHas("The request", request, "a Request", "url", "headers", "method");
      return app.fetch(request);
    },
    async stop() {
      await admission.stop();
      await decoders.close();
    },
    get answered() {
      return metrics.answered;
    },
  };
}

function checkPipeline(pipeline: ServedPipeline): ServedPipeline {
  const { model, processor } = (pipeline ?? {}) as Partial<ServedPipeline>;
  if (typeof model?.forward === "function" && typeof processor?.preprocess === "function") return { model, processor };
  throw wrongValue("The pipeline", "what pipeline(...) resolves to, with a model and a processor", pipeline);
}

function wrongType(type: string, types: RegExp): HttpError {
  const wanted = types === IMAGE ? "image/png, image/jpeg, image/webp or application/octet-stream" : "application/json";
  return new HttpError(415, "request/type", `The content type must be ${wanted}, not ${type === "" ? "absent" : JSON.stringify(type.slice(0, 60))}.`);
}
