/** Photos as tiles that glide to their places: on the wall, on the map, in groups. One of them is in the tab order; arrow keys reach the others. */

import { spacedOut } from "./arrange.js";

/** Sides and distances in pixels; BETWEEN is that of groups. */
const WALL = 92, GAP = 4, BETWEEN = 20, NARROW = 0.75;
/** Smallest and largest tile of the map with the space beside it, the height of the map in parts of its width, and cells for each photo: most stay empty. */
const MAP = { least: 28, most: 76, height: 0.7, cells: 2.2 };
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: "up", ArrowDown: "down" };

/** @param choose told of the id of a photo that was clicked */
export function createWall(box, choose) {
  const tiles = new Map(), urls = new Map();
  let photos = [], kind = "wall", groups = [], order = [], columns = 1;

  box.addEventListener("keydown", (event) => {
    const step = STEPS[event.key], at = order.indexOf(event.target.dataset.id);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    const to = order[Math.min(order.length - 1, Math.max(0, at + (step === "up" ? -columns : step === "down" ? columns : step)))];
    focusable(to);
    tiles.get(to).focus();
  });

  const focusable = (id) => {
    for (const [other, tile] of tiles) tile.tabIndex = other === id ? 0 : -1;
  };

  const tileOf = (id) => {
    const known = tiles.get(id);
    if (known !== undefined) return known;
    const tile = Object.assign(document.createElement("button"), { type: "button", className: "tile", tabIndex: -1 });
    tile.dataset.id = id;
    tile.append(Object.assign(document.createElement("img"), { alt: "", decoding: "async" }), document.createElement("span"));
    if (urls.has(id)) tile.firstChild.src = urls.get(id);
    tile.addEventListener("click", () => {
      focusable(id);
      choose(id);
    });
    tiles.set(id, tile);
    box.append(tile);
    return tile;
  };

  const place = (id, x, y, side) => {
    const tile = tileOf(id);
    Object.assign(tile.style, { transform: `translate(${Math.round(x)}px, ${Math.round(y)}px)`, width: `${side}px`, height: `${side}px` });
    tile.hidden = false;
  };

  /** @param turns rows from left to right and back, so that neighbours stay side by side where a row ends */
  const placeRows = (ids, { side, across }, top, turns) => {
    columns = across;
    ids.forEach((id, i) => {
      const row = Math.floor(i / columns), inRow = i % columns, column = turns && row % 2 === 1 ? columns - 1 - inRow : inRow;
      place(id, column * (side + GAP), top + row * (side + GAP), side);
    });
    return top + Math.ceil(ids.length / columns) * (side + GAP);
  };

  return {
    urlOf: (id) => urls.get(id),

    /** The thumbnail of a photo, which may not be on the wall yet. */
    arrive({ id, thumbnail, name }) {
      if (urls.has(id)) return;
      const isNew = !tiles.has(id), tile = tileOf(id);
      urls.set(id, URL.createObjectURL(thumbnail));
      tile.firstChild.src = urls.get(id);
      if (!isNew) return;
      tile.ariaLabel = tile.dataset.name = name;
      const { side, across } = rowOf(box.clientWidth), before = photos.length + [...tiles.values()].filter(({ dataset }) => dataset.state === "new").length;
      tile.dataset.state = "new";
      if (kind === "wall") place(id, (before % across) * (side + GAP), Math.floor(before / across) * (side + GAP), side);
      box.style.height = `${Math.max(box.clientHeight, (Math.floor(before / across) + 1) * (side + GAP))}px`;
    },

    /** @param all in the order of the wall */
    show(all) {
      photos = all;
      const ids = new Set(all.map(({ id }) => id));
      for (const [id, tile] of tiles) {
        if (ids.has(id)) continue;
        tile.remove();
        tiles.delete(id);
      }
      for (const { id, sources } of all) {
        const tile = tileOf(id);
        tile.ariaLabel = tile.dataset.name = sources[0];
        delete tile.dataset.state;
      }
    },

    /** @param asked "wall", "map" or "duplicates", as it was by default; with groups of ids for the last */
    arrange(asked = kind, askedGroups = groups) {
      [kind, groups] = [asked, askedGroups];
      const width = box.clientWidth, row = rowOf(width);
      if (width === 0) return;
      let height = 0;
      if (kind === "wall") height = placeRows((order = photos.map(({ id }) => id)), row, 0, true);
      else if (kind === "map") {
        const grid = mapGrid(width, photos.length), cells = spacedOut(photos.map((photo) => photo.place), grid.columns, grid.rows);
        height = grid.rows * grid.step;
        cells.forEach(([column, row], i) => place(photos[i].id, column * grid.step, row * grid.step, grid.step - GAP));
        order = [...photos.keys()].sort((a, b) => cells[a][1] - cells[b][1] || cells[a][0] - cells[b][0]).map((i) => photos[i].id);
        columns = 1;
      } else {
        order = groups.flat();
        for (const group of groups) height = placeRows(group, row, height, false) + BETWEEN;
        const seen = new Set(order);
        for (const { id } of photos) if (!seen.has(id)) tileOf(id).hidden = true;
      }
      box.style.height = `${height}px`;
      box.dataset.shown = kind;
      if (order.length > 0 && ![...tiles.values()].some(({ tabIndex, hidden }) => tabIndex === 0 && !hidden)) focusable(order[0]);
    },

    focus(id) {
      tiles.get(id)?.focus();
    },

    /** @param id undefined: of no photo */
    mark(id) {
      for (const [other, tile] of tiles) tile.ariaPressed = String(other === id);
    },

    /** @param names by id: { text, isGuess } */
    name(names) {
      for (const [id, tile] of tiles) {
        const { text = "", isGuess = false } = names.get(id) ?? {};
        if (tile.lastChild.textContent !== text) tile.lastChild.textContent = text;
        tile.ariaLabel = text === "" ? tile.dataset.name : `${tile.dataset.name}, ${text}`;
        tile.lastChild.dataset.guess = String(isGuess);
      }
    },
  };
}

/** How many tiles fill a row, and their side. */
function rowOf(width) {
  const least = width < 500 ? Math.round(WALL * NARROW) : WALL, across = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
  return { across, side: Math.floor((width + GAP) / across) - GAP };
}

/** Cells of the map: enough that it keeps its shape, as large as fits. */
function mapGrid(width, count) {
  const wanted = Math.sqrt((width * width * MAP.height) / (MAP.cells * Math.max(1, count)));
  const columns = Math.max(1, Math.floor(width / Math.min(MAP.most, Math.max(MAP.least, wanted)))), step = Math.floor(width / columns);
  return { columns, step, rows: Math.max(Math.ceil((MAP.cells * count) / columns), Math.round((width * MAP.height) / step)) };
}
