/** What is on the canvas, and which patch is chosen. */
import { attentionMap, drawMap, pcaMap, similarityMap } from "./library.js";

export const EXPLANATIONS = {
  photo: "The photo as it was decoded.",
  pca: "The three strongest components of the features as red, green and blue: patches of one colour are alike to the model.",
  similarity: "How alike each patch is to the framed one, from violet to yellow.",
  attention: "How much each patch is attended to; or what the framed patch attends to.",
};
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param canvas
 * @param choose told of a patch that the user chose, [column, row]
 */
export function createView(canvas, choose) {
  let grid = { columns: 1, rows: 1 }, patch = [0, 0];

  const move = (column, row) => {
    const inside = (value, count) => Math.min(count - 1, Math.max(0, value));
    patch = [inside(column, grid.columns), inside(row, grid.rows)];
    choose(patch);
  };
  canvas.addEventListener("click", (event) => {
    // The canvas may be narrower than its box: object-fit is "contain".
    const box = canvas.getBoundingClientRect(), scale = Math.min(box.width / canvas.width, box.height / canvas.height);
    const left = box.left + (box.width - canvas.width * scale) / 2, top = box.top + (box.height - canvas.height * scale) / 2;
    const place = (at, from, length, count) => Math.floor(((at - from) / (length * scale)) * count);
    move(place(event.clientX, left, canvas.width, grid.columns), place(event.clientY, top, canvas.height, grid.rows));
  });
  canvas.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    move(patch[0] + step[0], patch[1] + step[1]);
  });

  return {
    /** Another image: the patch in its middle is chosen. */
    reset({ columns, rows }) {
      grid = { columns, rows };
      patch = [Math.floor(columns / 2), Math.floor(rows / 2)];
    },

    /**
     * @param kind "photo", "pca", "similarity" or "attention"
     * @param photo pixels
     * @param features tensor; undefined for the photo alone
     * @param attention { maps, layer, head, fromPatch }, for its view
     * @param opacity 0 to 1
     */
    draw(kind, photo, features, attention, opacity) {
      const { columns } = grid;
      const pictures = {
        photo: () => photo,
        pca: () => drawMap(photo, pcaMap(features, columns), { opacity }),
        similarity: () => drawMap(photo, similarityMap(features, columns, patch), { opacity, patch }),
        attention() {
          const { maps, layer, head, fromPatch } = attention, from = fromPatch ? patch : undefined;
          return drawMap(photo, attentionMap(maps[layer], columns, { head, patch: from }), { opacity, patch: from });
        },
      };
      put(canvas, features === undefined ? photo : pictures[kind]());
    },
  };
}

function put(canvas, { data, width, height, channels }) {
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; to < image.data.length; from += channels, to += 4) {
    for (let c = 0; c < 3; c++) image.data[to + c] = data[from + (channels === 1 ? 0 : c)];
    image.data[to + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}
