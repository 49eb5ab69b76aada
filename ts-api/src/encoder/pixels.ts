/** [images][channels][height][width] f32, checked against the config. */
export interface Pixels {
  data: Float32Array;
  images: number;
  height: number;
  width: number;
}
