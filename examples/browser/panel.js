/** The photo that was chosen, and what was found for it. */

/** @param on { urlOf(id), nameOf(id), choose(id), patch(id, [column, row]), closed() } */
export function createPanel(box, on) {
  const [figure, hint, close, heading, list] = ["figure", '[data-part="hint"]', '[data-part="close"]', "h2", "ol"].map((selector) => box.querySelector(selector));
  const api = {
    /** [rows, columns] of patches. */
    grid: [1, 1],

    photo({ id, text }) {
      const [rows, columns] = api.grid, caption = document.createElement("figcaption");
      caption.textContent = text;
      const frame = framed(id, undefined), patches = Object.assign(document.createElement("div"), { className: "patches", role: "group", ariaLabel: "Patches: choose one to find places like it" });
      patches.style.gridTemplate = `repeat(${rows}, 1fr) / repeat(${columns}, 1fr)`;
      const buttons = Array.from({ length: rows * columns }, (_, i) => {
        const patch = [i % columns, Math.floor(i / columns)];
        const button = Object.assign(document.createElement("button"), { type: "button", tabIndex: i === 0 ? 0 : -1, ariaLabel: `Patch in column ${patch[0] + 1}, row ${patch[1] + 1}` });
        button.addEventListener("click", () => {
          for (const other of buttons) other.ariaPressed = String(other === button);
          on.patch(id, patch);
        });
        return button;
      });
      patches.addEventListener("keydown", ({ key, target }) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key], next = buttons[buttons.indexOf(target) + step];
        next?.focus();
      });
      patches.append(...buttons);
      frame.append(patches);
      figure.replaceChildren(frame, caption);
      figure.hidden = hint.hidden = box.hidden = false;
    },

    close() {
      box.hidden = true;
    },

    /** @param found [{ id, text, patch }]; @param isOfPhoto whether they were found for the photo that is shown */
    results(title, found, isOfPhoto = true) {
      heading.textContent = title;
      if (!isOfPhoto) figure.hidden = hint.hidden = true;
      list.replaceChildren(...found.map(({ id, text, patch }) => {
        const item = document.createElement("li"), button = Object.assign(document.createElement("button"), { type: "button", ariaLabel: `${on.nameOf(id)}, ${text.replaceAll("\n", ", ")}` });
        button.append(framed(id, patch), text);
        button.addEventListener("click", () => on.choose(id));
        item.append(button);
        return item;
      }));
      box.hidden = false;
    },
  };

  document.addEventListener("keydown", ({ key }) => key === "Escape" && !box.hidden && close.click());
  close.addEventListener("click", () => {
    api.close();
    on.closed();
  });

  /** The photo, with a frame around a patch. */
  function framed(id, patch) {
    const frame = Object.assign(document.createElement("span"), { className: "framed" });
    frame.append(Object.assign(document.createElement("img"), { alt: "", src: on.urlOf(id) ?? "" }));
    if (patch === undefined) return frame;
    const [rows, columns] = api.grid, mark = Object.assign(document.createElement("span"), { className: "marker" }), percent = (value, count) => `${(100 * value) / count}%`;
    Object.assign(mark.style, { left: percent(patch[0], columns), top: percent(patch[1], rows), width: percent(1, columns), height: percent(1, rows) });
    frame.append(mark);
    return frame;
  }

  return api;
}
