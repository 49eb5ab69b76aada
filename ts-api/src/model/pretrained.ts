/** What every model class offers: its properties, `savePretrained`, `dispose`. */
import type { BackendId } from "../backends/backend.js";
import type { Rejection } from "../backends/open.js";
import { wrongType } from "../core/options.js";
import { digestOf, NUMERICS_VERSION, type Dtype, type Group, type Numerics } from "../core/numerics.js";
import type { SaveLayout, SaveOptions } from "../weights/save.js";
import type { IJepaConfig } from "../config/config.js";
import type { Session } from "../loading/session.js";

export type { SaveOptions } from "../weights/save.js";

/** The base class of all models. */
export abstract class PreTrainedModel<X> {
  /** The configuration. */
  readonly config: IJepaConfig;
  /** Weight format that it computes in. */
  readonly dtype: Dtype;
  /** int4: inputs that share a scale; undefined for other formats. */
  readonly groupSize: Group | undefined;
  /** preprocessor_config.json of the checkpoint, if it had one. */
  readonly preprocessorConfig: Record<string, unknown> | undefined;
  protected readonly session: Session<X>;

  protected constructor(session: Session<X>) {
    this.session = session;
    this.config = session.config;
    this.preprocessorConfig = session.preprocessorConfig;
    this.dtype = session.dtype;
    this.groupSize = session.groupSize;
  }

  /**
   * Resolves when the backend is open and has the weights. A model with random weights opens at the first `forward`, or here; a loaded
   * one is ready.
   *
   * @throws IJepaError `backend/*`, `aborted`; the next call tries again
   */
  get ready(): Promise<void> {
    return this.session.ready();
  }

  /**
   * Tensors of the checkpoint that this model does not use, under the names that they have there: the head or mask token of another
   * class, buffers, other networks beside the encoder. Tensors that the encoder may need are never among them: such a checkpoint is
   * refused on loading.
   */
  get unusedTensors(): readonly string[] {
    return this.session.unused(this.layout.names);
  }

  /** Backend that runs it. This property and the next ones are known once the model is `ready`; TypeError before. */
  get device(): BackendId {
    return this.session.opened.backend.id;
  }

  /** The backend in words: runtime and SIMD level, or adapter; kernels; threads. */
  get deviceDescription(): string {
    return this.session.opened.backend.device;
  }

  /** Devices that "auto" passed over, and why. */
  get rejected(): readonly Rejection[] {
    return this.session.opened.rejected;
  }

  /** With determinism "report": the probe whose bits are wrong on this device; undefined if all are right. */
  get inexact(): string | undefined {
    return this.session.opened.inexact;
  }

  /**
   * Writes the model in Hugging Face's layout, which its `from_pretrained` reads: config.json, model.safetensors (or shards and their
   * index), and preprocessor_config.json if the checkpoint had one. The tensors are those that the model was loaded from, in their
   * original precision, whatever `dtype` it runs in: they are read again from their source.
   *
   * @param folder a local path; created if it does not exist
   * @throws IJepaError `weights/missing` if the tensors cannot be read again, `io/write`, `input/value`, `aborted`
   */
  async savePretrained(folder: string, given?: SaveOptions): Promise<void> {
    const { checkSaveOptions, saveCheckpoint } = await import("../weights/save.js"), options = checkSaveOptions(given);
    if (typeof folder !== "string") throw wrongType("folder", "a path", folder);
    const checkpoint = await this.session.source(options.signal);
    try {
      await saveCheckpoint(checkpoint, folder, this.layout, options);
    } finally {
      await checkpoint.close();
    }
  }

  /** For JSON: the class, the configuration, the format and, once it is open, the device. */
  toJSON(): object {
    const { config, dtype } = this, opened = this.session.isOpen;
    return { model: this.layout.architecture, dtype, ...(opened ? { device: this.device, deviceDescription: this.deviceDescription } : {}), config };
  }

  /** What Node, Bun and Deno print for it. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    const { dtype, config: { hiddenSize, numHiddenLayers } } = this, where = this.session.isOpen ? `on ${this.deviceDescription}` : "not open yet";
    return `${this.layout.architecture} { ${numHiddenLayers} layers of width ${hiddenSize}, ${dtype}, ${where} }`;
  }

  /** What the class saves. */
  protected abstract readonly layout: SaveLayout;

  /** How `result` was made, with the digest of its bits. */
  protected async numericsOf(result: Float32Array): Promise<Numerics> {
    return { version: NUMERICS_VERSION, dtype: this.dtype, device: this.device, digest: await digestOf(result) };
  }

  /** Frees the weights, after pending calls. The model cannot be used afterwards. */
  async dispose(): Promise<void> {
    await this.session.dispose();
  }
}
