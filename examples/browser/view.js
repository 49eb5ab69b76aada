/** The photo, the map over it, and the patch that is looked at. The map has one pixel a patch; the browser stretches it. */
import { attentionMap, drawMap, similarityMap } from "./library.js";

export const EXPLANATIONS = {
  pca: "Patches of one colour look alike to the model. The colours are the three directions in which they differ most:",
  similarity: "How alike each patch is to the framed one, to the model: yellow is like it, violet is not.",
  attention: "Where the model looks: how much attention each patch gets in this layer.",
};
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param on { look(patch), leave(), choose(patch) }: the pointer is over a patch, or no more; a patch was clicked or reached by key
 */
export function createView({ photo, canvas, marker }, on) {
  let grid = { columns: 1, rows: 1 }, patch = [0, 0];

  const inside = (value, count) => Math.min(count - 1, Math.max(0, value));
  const patchAt = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    const place = (at, length, count) => inside(Math.floor((at / length) * count), count);
    return [place(clientX - box.left, box.width, grid.columns), place(clientY - box.top, box.height, grid.rows)];
  };
  const choose = (chosen) => {
    patch = chosen;
    on.choose(patch);
  };
  canvas.addEventListener("pointermove", (event) => on.look(patchAt(event)));
  canvas.addEventListener("pointerleave", () => on.leave());
  canvas.addEventListener("click", (event) => choose(patchAt(event)));
  canvas.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose([inside(patch[0] + step[0], grid.columns), inside(patch[1] + step[1], grid.rows)]);
  });

  const mark = (framed) => {
    marker.hidden = framed === undefined;
    if (framed === undefined) return;
    const percent = (value, count) => `${(100 * value) / count}%`;
    Object.assign(marker.style, { left: percent(framed[0], grid.columns), top: percent(framed[1], grid.rows), width: percent(1, grid.columns), height: percent(1, grid.rows) });
  };

  return {
    get patch() {
      return patch;
    },

    /** Another photo. */
    show({ width, height, picture }) {
      Object.assign(photo, { width: picture.width, height: picture.height }).getContext("2d").drawImage(picture, 0, 0);
      canvas.parentElement.style.setProperty("--ratio", width / height);
      photo.hidden = false;
      canvas.hidden = marker.hidden = true;
    },

    /** Another grid: the patch in its middle is chosen. */
    reset({ columns, rows }) {
      grid = { columns, rows };
      patch = [Math.floor(columns / 2), Math.floor(rows / 2)];
    },

    /**
     * @param kind "pca", "similarity" or "attention"
     * @param result { features, components }: a tensor, and its map of components
     * @param attention { maps, layer, head, fromPatch }, for its view
     * @param looked the patch under the pointer; without one the chosen patch counts
     * @returns the map
     */
    draw(kind, { features, components }, attention, looked = patch) {
      const { columns } = grid;
      const maps = {
        pca: () => components,
        similarity: () => similarityMap(features, columns, looked),
        attention: () => mapOf(attention, attention.head, columns, looked),
      };
      const map = maps[kind]();
      put(canvas, coloured(map));
      canvas.hidden = false;
      mark(kind === "similarity" || (kind === "attention" && attention.fromPatch) ? looked : undefined);
      return map;
    },

    /** Every head of the layer as a canvas, and first their mean. */
    multiples(attention, heads) {
      return [undefined, ...Array.from({ length: heads }, (_, head) => head)].map((head) => {
        const small = document.createElement("canvas");
        put(small, coloured(mapOf(attention, head, grid.columns, patch)));
        return { head, canvas: small };
      });
    },
  };
}

function mapOf({ maps, layer, fromPatch }, head, columns, patch) {
  return attentionMap(maps[layer], columns, { head, patch: fromPatch ? patch : undefined });
}

/** Violet to yellow, where a map has one value a patch. */
function coloured(map) {
  return drawMap(map, map, { opacity: 1 });
}

/** Pixels on a canvas, whose size becomes theirs. */
export function put(canvas, { data, width, height, channels }) {
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; to < image.data.length; from += channels, to += 4) {
    for (let c = 0; c < 3; c++) image.data[to + c] = data[from + (channels === 1 ? 0 : c)];
    image.data[to + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}
