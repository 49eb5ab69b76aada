/** Photos as tiles that glide to their places: on the wall, on the map, in groups. One of them is in the tab order; arrow keys reach the others. */

const WALL = 92, MAP = 56, GAP = 4, NARROW = 0.75;
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

  /** Rows from left to right and back, so that neighbours stay side by side where a row ends. */
  const placeRows = (ids, width, side, top) => {
    columns = Math.max(1, Math.floor((width + GAP) / (side + GAP)));
    ids.forEach((id, i) => {
      const row = Math.floor(i / columns), inRow = i % columns, column = row % 2 === 0 ? inRow : columns - 1 - inRow;
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
      tile.ariaLabel = name;
      const side = sideOf(box.clientWidth, WALL), before = photos.length + [...tiles.values()].filter(({ dataset }) => dataset.state === "new").length;
      tile.dataset.state = "new";
      const across = Math.max(1, Math.floor((box.clientWidth + GAP) / (side + GAP)));
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
        tileOf(id).ariaLabel = sources[0];
        delete tileOf(id).dataset.state;
      }
    },

    /** @param asked "wall", "map" or "duplicates", as it was by default; with groups of ids for the last */
    arrange(asked = kind, askedGroups = groups) {
      [kind, groups] = [asked, askedGroups];
      const width = box.clientWidth, side = sideOf(width, kind === "map" ? MAP : WALL);
      if (width === 0) return;
      let height = 0;
      if (kind === "wall") height = placeRows((order = photos.map(({ id }) => id)), width, side, 0);
      else if (kind === "map") {
        height = Math.round(Math.max(width * 0.62, 320));
        order = [...photos].sort((a, b) => a.place[1] - b.place[1] || a.place[0] - b.place[0]).map(({ id }) => id);
        for (const { id, place: [x, y] } of photos) place(id, x * (width - side), y * (height - side), side);
        columns = 1;
      } else {
        order = groups.flat();
        for (const group of groups) height = placeRows(group, width, side, height) + 2 * GAP;
        const seen = new Set(order);
        for (const { id } of photos) if (!seen.has(id)) tileOf(id).hidden = true;
      }
      box.style.height = `${height}px`;
      box.dataset.shown = kind;
      if (order.length > 0 && ![...tiles.values()].some(({ tabIndex, hidden }) => tabIndex === 0 && !hidden)) focusable(order[0]);
    },

    mark(id) {
      for (const [other, tile] of tiles) tile.ariaPressed = String(other === id);
    },

    /** @param names by id: { text, isGuess } */
    name(names) {
      for (const [id, tile] of tiles) {
        const { text = "", isGuess = false } = names.get(id) ?? {};
        tile.lastChild.textContent = text;
        tile.lastChild.dataset.guess = String(isGuess);
      }
    },
  };
}

function sideOf(width, side) {
  return width < 500 ? Math.round(side * NARROW) : side;
}
