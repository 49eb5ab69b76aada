/** The two samples, each cut into 12 pieces that overlap: the same files in every browser, byte for byte. */
import { encodePng, loadImage } from "./library.js";

const SAMPLES = ["chelsea.png", "rocket.jpg"], ACROSS = 4, DOWN = 3;
/** Height of a piece in fifths of the photo's; it is 4 wide for 3 high. */
const FIFTHS = 3;

/** @returns PNG files, the pieces of one sample after those of the other */
export async function piecesOfSamples() {
  return (await Promise.all(SAMPLES.map(cut))).flat();
}

async function cut(sample) {
  const response = await fetch(`../photos/${sample}`);
  if (!response.ok) throw new Error(`The sample ${sample} cannot be read: status ${response.status}.`);
  const photo = await loadImage(new Uint8Array(await response.arrayBuffer())), name = sample.slice(0, sample.indexOf("."));
  const height = Math.floor((photo.height * FIFTHS) / 5), width = Math.floor((height * 4) / 3), files = [];
  for (let row = 0; row < DOWN; row++) {
    for (let column = 0; column < ACROSS; column++) {
      const left = Math.floor(((photo.width - width) * column) / (ACROSS - 1)), top = Math.floor(((photo.height - height) * row) / (DOWN - 1));
      files.push(new File([await encodePng(pieceOf(photo, left, top, width, height))], `${name}-${files.length + 1}.png`, { type: "image/png", lastModified: 0 }));
    }
  }
  return files;
}

function pieceOf({ data, width: whole, channels }, left, top, width, height) {
  const piece = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * whole + left) * channels;
    piece.set(data.subarray(from, from + width * channels), y * width * channels);
  }
  return { data: piece, width, height, channels };
}
