/** A model as a web service: from a Request to a Response, in any runtime. Who listens, and where, is the host's business. */
import { Hono, type Context } from "hono";
import { NUMERICS_VERSION } from "../core/numerics.js";
import { readDataUrl } from "../image/data-url.js";
import type { IJepaImageProcessor } from "../image/processor.js";
import { IJepaForImageClassification } from "../model/classifier.js";
import { checkLabelOptions, rankLabels, type LabelOptions } from "../pipelines/image-classification.js";
import { Admission, type Ticket } from "./admission.js";
import { announcedLength, mediaType, readBody } from "./body.js";
import { within } from "./deadline.js";
import { embeddingsAnswer, parseEmbeddings } from "./embeddings.js";
import { featuresOf, FORMATS, oneOf, POOLS, type EncodedFeatures } from "./features.js";
import { HttpError, toHttpError, toResponse } from "./http-error.js";
import { Lane, type ServedModel } from "./lane.js";
import { Metrics } from "./metrics.js";

/** What `pipeline(...)` gives. With a classification head there is also POST /classify. */
export interface ServedPipeline {
  readonly model: ServedModel;
  readonly processor: IJepaImageProcessor;
}

/** Reads an image from an http(s) URL. It decides which hosts may be asked. */
export type FetchImage = (url: URL, limits: { maxBytes: number; signal: AbortSignal }) => Promise<Uint8Array>;

export interface ServerOptions {
  /** What clients call the model. Default "ijepa". */
  name?: string | undefined;
  /** Most bytes of a body. Default 20 MiB. All bodies under way together may have eight times as many. */
  maxBody?: number | undefined;
  /** Most images of all requests under way; what comes beyond them gets status 429. Default 256. */
  concurrency?: number | undefined;
  /** Most milliseconds that a request may take to arrive, and then to be answered. Default 60000. */
  timeout?: number | undefined;
  /** Most pixels of an image. Default 50 million. */
  maxPixels?: number | undefined;
  /** Without it http(s) URLs in requests are refused. */
  fetchImage?: FetchImage | undefined;
  /** Told of failures that are the server's own: answers with status 500. */
  onError?: ((error: unknown) => void) | undefined;
}

export interface ImageServer {
  /** Never rejects. */
  fetch(request: Request): Promise<Response>;
  /** Takes on nothing more, and resolves when every request is answered. The model stays open. */
  stop(): Promise<void>;
  /** Requests answered so far, with whatever status. */
  readonly answered: number;
}

/** A request that was taken on and read. */
interface Call {
  readonly body: Uint8Array;
  readonly query: URLSearchParams;
  readonly ticket: Ticket;
  /** Aborted when the client hangs up, or the answer is overdue. */
  readonly signal: AbortSignal;
}

const DEFAULT_MAX_BODY = 20 * 2 ** 20;
const DEFAULT_CONCURRENCY = 256;
const DEFAULT_TIMEOUT = 60_000;
const DEFAULT_MAX_PIXELS = 50_000_000;
/** Bodies that may be in memory, if all are of the largest size. */
const BODIES = 8;
const MAX_IMAGES_OF_REQUEST = 64;
const MAX_RETRY_SECONDS = 60;
const IMAGE = /^(image\/[\w.+-]+|application\/octet-stream)$/;
const JSON_TYPE = /^application\/json$/;

/** @throws nothing; the model and the processor are the caller's, who disposes of them after `stop` */
export function createServer({ model, processor }: ServedPipeline, options: ServerOptions = {}): ImageServer {
  const { name = "ijepa", maxBody = DEFAULT_MAX_BODY, concurrency = DEFAULT_CONCURRENCY, timeout = DEFAULT_TIMEOUT } = options;
  const { maxPixels = DEFAULT_MAX_PIXELS, fetchImage, onError } = options;
  const { config, dtype, device } = model;
  const served = { name, width: config.hiddenSize, maxImages: Math.min(MAX_IMAGES_OF_REQUEST, concurrency) };
  const metrics = new Metrics({ model: name, dtype, device, numerics: NUMERICS_VERSION });
  const lane = new Lane(model, processor, { maxPixels, onBatch: (images, seconds) => metrics.batch(images, seconds) });
  const retryAfter = () => Math.min(MAX_RETRY_SECONDS, Math.max(1, Math.ceil(metrics.secondsPerImage * admission.images)));
  const admission: Admission = new Admission({ images: concurrency, bytes: BODIES * maxBody }, retryAfter);

  /** Takes the request on, reads it, and lets it go when there is an answer. */
  const post = (types: RegExp, answer: (call: Call) => Promise<object>) => async (context: Context) => {
    const request = context.req.raw, type = mediaType(request);
    if (!types.test(type)) throw wrongType(type, types);
    const ticket = admission.admit(announcedLength(request, maxBody));
    try {
      const body = await within(timeout, undefined, (late) => readBody(request, { maxBytes: maxBody, late, grow: (bytes) => ticket.grow(0, bytes) }));
      const query = new URL(request.url).searchParams;
      return Response.json(await within(timeout, request.signal, (signal) => answer({ body, query, ticket, signal })));
    } finally {
      ticket.release();
    }
  };

  const readImage = async (address: string, source: string, { ticket, signal }: Call): Promise<Uint8Array> => {
    if (/^data:/i.test(address)) return readDataUrl(address, source, maxBody);
    if (fetchImage === undefined) {
      throw new HttpError(400, "request/url", `${source} is an http(s) URL; this server does not fetch images. Send it as a data: URL.`, { param: source });
    }
    ticket.grow(0, maxBody);
    const bytes = await fetchImage(new URL(address), { maxBytes: maxBody, signal });
    ticket.grow(0, bytes.length - maxBody);
    return bytes;
  };

  const embeddings = async (call: Call): Promise<object> => {
    const { images, ...wanted } = parseEmbeddings(call.body, served);
    call.ticket.grow(images.length - 1, 0);
    const embedOne = async (address: string, index: number): Promise<EncodedFeatures> => {
      const param = `input[${index}]`;
      try {
        return await featuresOf(await lane.encode(await readImage(address, param, call), param, call.signal), wanted);
      } catch (error) {
        throw toHttpError(error, param);
      }
    };
    return embeddingsAnswer(name, await Promise.all(images.map(embedOne)), config.numPatches);
  };

  const embed = async ({ body, query, signal }: Call): Promise<object> => {
    const wanted = {
      pool: oneOf("pool", query.get("pool"), POOLS, "mean"),
      format: oneOf("encoding_format", query.get("encoding_format"), FORMATS, "float"),
      normalize: oneOf("normalize", query.get("normalize"), ["true", "false"], "false") === "true",
    };
    const encoded = await lane.encode(body, "the body", signal);
    return { model: name, width: encoded.width, height: encoded.height, ...(await featuresOf(encoded, wanted)) };
  };

  const classify = async ({ body, query, signal }: Call): Promise<object> => {
    if (!(model instanceof IJepaForImageClassification)) throw new HttpError(404, "request/no-head", `The model ${name} has no classification head.`);
    const top = query.get("top_k");
    const labels: LabelOptions = top === null ? {} : { top_k: /^\d+$/.test(top) ? Number(top) : NaN };
    checkLabelOptions(labels);
    const { logits, numerics } = await lane.encode(body, "the body", signal);
    return { model: name, labels: rankLabels(config, logits!.data, labels), numerics };
  };

  const gauges = () => ({ requests: admission.requests, images: admission.images, bytes: admission.bytes, waiting: lane.waiting });
  const health = () => {
    const status = admission.stopping ? "stopping" : "ok";
    return Response.json({ status, model: name, dtype, device, description: model.deviceDescription }, { status: admission.stopping ? 503 : 200 });
  };
  const metricsText = () => new Response(metrics.toString(gauges()), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
  const models = () => Response.json({ object: "list", data: [{ id: name, object: "model", created: 0, owned_by: "ijepa" }] });

  const routes: readonly (readonly [method: "GET" | "POST", path: string, handler: (context: Context) => Response | Promise<Response>])[] = [
    ["POST", "/v1/embeddings", post(JSON_TYPE, embeddings)],
    ["POST", "/embed", post(IMAGE, embed)],
    ["POST", "/classify", post(IMAGE, classify)],
    ["GET", "/v1/models", models],
    ["GET", "/healthz", health],
    ["GET", "/metrics", metricsText],
  ];
  const app = new Hono();
  app.use(async (context, next) => {
    const start = performance.now();
    await next();
    const route = routes.find(([, path]) => path === context.req.path)?.[1] ?? "other";
    metrics.request(route, context.res.status, (performance.now() - start) / 1000);
  });
  for (const [method, path, handler] of routes) {
    app.on(method, path, handler);
    app.all(path, () => {
      throw new HttpError(405, "request/method", `${path} takes ${method}.`, { allow: method });
    });
  }
  app.notFound(() => {
    const paths = routes.map(([method, path]) => `${method} ${path}`).join(", ");
    return toResponse(new HttpError(404, "request/path", `There is no such path; there is ${paths}.`));
  });
  app.onError((error) => {
    const answer = toHttpError(error);
    if (answer.status === 500) onError?.(error);
    return toResponse(answer);
  });
  return {
    fetch: async (request) => app.fetch(request),
    stop: () => admission.stop(),
    get answered() {
      return metrics.answered;
    },
  };
}

function wrongType(type: string, types: RegExp): HttpError {
  const wanted = types === IMAGE ? "image/png, image/jpeg, image/webp or application/octet-stream" : "application/json";
  return new HttpError(415, "request/type", `The content type must be ${wanted}, not ${type === "" ? "absent" : JSON.stringify(type.slice(0, 60))}.`);
}
