/** What the reader of PNG files, their writer and the estimate of their work share; the reader itself is loaded for the first PNG file. */

/** DEFLATE expands one byte to at most this many. */
export const MAX_DEFLATE_RATIO = 1032;
/** A longer text is cut; nor may all texts together have more than this: a few kilobytes can be compressed gigabytes. */
export const MAX_TEXT_BYTES = 2 ** 20, MAX_ALL_TEXT_BYTES = 8 * 2 ** 20;

/** Of the pixels to the left, above and above to the left, the one nearest to left + up - upLeft (PNG specification, section 9.4). */
export function paeth(left: number, up: number, upLeft: number): number {
  const estimate = left + up - upLeft;
  const toLeft = Math.abs(estimate - left);
  const toUp = Math.abs(estimate - up);
  const toUpLeft = Math.abs(estimate - upLeft);
  if (toLeft <= toUp && toLeft <= toUpLeft) return left;
  return toUp <= toUpLeft ? up : upLeft;
}
