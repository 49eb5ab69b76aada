import type { BackendId } from "../backends/backend.js";
import type { Rejection } from "../backends/open.js";
import { digestOf, NUMERICS_VERSION, type Dtype, type Numerics } from "../core/numerics.js";
import type { IJepaConfig } from "./config.js";
import type { Session } from "./session.js";

/** What every loaded model tells of itself. */
export abstract class PreTrainedModel<X> {
  readonly config: IJepaConfig;
  readonly dtype: Dtype;
  /** Backend that runs it. */
  readonly device: BackendId;
  /** The backend in words: runtime and SIMD level, or adapter; kernels; threads. */
  readonly deviceDescription: string;
  /** Devices that "auto" passed over, and why. */
  readonly rejected: readonly Rejection[];
  /** With determinism "report": the probe whose bits are wrong on this device; undefined where all are right. */
  readonly inexact: string | undefined;
  /** preprocessor_config.json of the checkpoint, where it had one. */
  readonly preprocessorConfig: Record<string, unknown> | undefined;
  protected readonly session: Session<X>;

  protected constructor(session: Session<X>) {
    const { backend, rejected, inexact } = session.resources;
    this.session = session;
    this.config = session.config;
    this.preprocessorConfig = session.preprocessorConfig;
    this.dtype = session.dtype;
    this.device = backend.id;
    this.deviceDescription = backend.device;
    this.rejected = rejected;
    this.inexact = inexact;
  }

  /** How `result` was made, with the digest of its bits. */
  protected async numericsOf(result: Float32Array): Promise<Numerics> {
    return { version: NUMERICS_VERSION, dtype: this.dtype, device: this.device, digest: await digestOf(result) };
  }

  /** Frees the weights, after the calls under way. The model cannot be used afterwards. */
  async dispose(): Promise<void> {
    await this.session.dispose();
  }
}
