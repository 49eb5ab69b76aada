/** Counters and histograms in Prometheus' text format, version 0.0.4. */

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const IMAGES = [1, 2, 4, 8];

type Labels = Readonly<Record<string, string | number>>;

class Histogram {
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** @param bounds upper ends of the buckets, rising */
  constructor(private readonly bounds: readonly number[]) {
    this.#counts = bounds.map(() => 0);
  }

  get sum(): number {
    return this.#sum;
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    this.bounds.forEach((bound, i) => (this.#counts[i] += value <= bound ? 1 : 0));
  }

  lines(name: string, labels: Labels): string[] {
    const bucket = (le: number | string, count: number) => line(`${name}_bucket`, { ...labels, le }, count);
    return [
      ...this.bounds.map((bound, i) => bucket(bound, this.#counts[i])),
      bucket("+Inf", this.#count),
      line(`${name}_sum`, labels, this.#sum),
      line(`${name}_count`, labels, this.#count),
    ];
  }
}

/** Values that rise and fall. */
export interface Gauges {
  requests: number;
  images: number;
  waiting: number;
  bytes: number;
}

export class Metrics {
  readonly #requests = new Map<string, { labels: Labels; count: number }>();
  readonly #durations = new Map<string, Histogram>();
  readonly #batches = new Histogram(IMAGES);
  readonly #passes = new Histogram(SECONDS);

  /** @param info labels of `ijepa_info` */
  constructor(private readonly info: Labels) {}

  /** @param route one of few, because each is a time series */
  request(route: string, status: number, seconds: number): void {
    const labels = { route, status }, key = `${route} ${status}`;
    const known = this.#requests.get(key) ?? { labels, count: 0 };
    this.#requests.set(key, { labels, count: known.count + 1 });
    const durations = this.#durations.get(route) ?? new Histogram(SECONDS);
    durations.observe(seconds);
    this.#durations.set(route, durations);
  }

  batch(images: number, seconds: number): void {
    this.#batches.observe(images);
    this.#passes.observe(seconds);
  }

  /** Requests answered so far. */
  get answered(): number {
    return [...this.#requests.values()].reduce((sum, { count }) => sum + count, 0);
  }

  /** Mean time of a forward pass for each of its images; 0 before the first. */
  get secondsPerImage(): number {
    return this.#passes.sum / Math.max(1, this.#batches.sum);
  }

  toString(gauges: Gauges): string {
    const gauge = (name: string, help: string, value: number) => family(name, "gauge", help, [line(name, {}, value)]);
    const requests = [...this.#requests.values()].map(({ labels, count }) => line("ijepa_requests_total", labels, count));
    const durations = [...this.#durations].flatMap(([route, histogram]) => histogram.lines("ijepa_request_duration_seconds", { route }));
    return [
      ...family("ijepa_info", "gauge", "What is served.", [line("ijepa_info", this.info, 1)]),
      ...family("ijepa_requests_total", "counter", "Requests answered.", requests),
      ...family("ijepa_request_duration_seconds", "histogram", "From the head of a request to its answer.", durations),
      ...family("ijepa_batch_images", "histogram", "Images of a forward pass.", this.#batches.lines("ijepa_batch_images", {})),
      ...family("ijepa_batch_duration_seconds", "histogram", "Time of a forward pass.", this.#passes.lines("ijepa_batch_duration_seconds", {})),
      ...gauge("ijepa_requests_in_flight", "Requests under way.", gauges.requests),
      ...gauge("ijepa_images_in_flight", "Images of the requests under way; --concurrency is their limit.", gauges.images),
      ...gauge("ijepa_images_waiting", "Images that wait for the model.", gauges.waiting),
      ...gauge("ijepa_body_bytes_in_flight", "Bytes of the bodies of the requests under way.", gauges.bytes),
      "",
    ].join("\n");
  }
}

function family(name: string, type: string, help: string, lines: readonly string[]): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${String(text).replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join()}}`} ${value}`;
}
