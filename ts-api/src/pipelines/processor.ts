/** From a loaded model to the image processor of its checkpoint. */
import { IJepaImageProcessor } from "../image/processor.js";
import { openResizer } from "../image/resizer.js";
import type { IJepaConfig } from "../config/config.js";

/** The properties of a loaded model that its image processor needs. */
interface Processed {
  readonly config: IJepaConfig;
  readonly preprocessorConfig: Record<string, unknown> | undefined;
  dispose(): Promise<void>;
}

/**
 * The checkpoint's own processor; without one, ViTImageProcessor's defaults at the size of the config. A model whose processor
 * cannot be made is disposed of.
 */
export async function processorOf(model: Processed): Promise<IJepaImageProcessor> {
  const { preprocessorConfig, config } = model;
  await openResizer();
  if (preprocessorConfig === undefined) return new IJepaImageProcessor({ size: { height: config.imageHeight, width: config.imageWidth } });
  try {
    return IJepaImageProcessor.fromConfig(preprocessorConfig);
  } catch (error) {
    await model.dispose();
    throw error;
  }
}
