/** A classifier of one's own: names are given to some photos, and the page learns to name the others. */

const STORE = "ijepa-labels", ENOUGH = 10;
/** A guess that is less probable gets a question mark. */
const SURE = 0.9;

/** @param on { learn(labels) => result, show(names), results(title, found) } */
export function createLabels(box, on) {
  const given = new Map(JSON.parse(localStorage.getItem(STORE) ?? "[]")), $ = (name) => box.querySelector(`[data-part="${name}"]`);
  let byId = new Map(), guesses = [];
  const isGiving = () => box.open && $("name").value.trim() !== "";

  $("learn").addEventListener("click", async () => {
    const learned = await on.learn(known());
    if (learned === undefined) return;
    guesses = learned.guesses;
    draw();
    const { wrong, tested } = learned;
    $("said").textContent = tested === 0 ? "Name at least two photos of each kind to see how good it is." : `A test: each photo you named was guessed from the others. ${tested - wrong.length} of ${tested} came out right.`;
    const unsure = guesses.filter(({ id }) => !given.has(id)).sort((a, b) => a.sure - b.sure).slice(0, 12);
    if (wrong.length > 0) on.results("What it gets wrong", wrong.map(({ id, label, said }) => ({ id, text: `${said.label}, ${percent(said.sure)}\nyou said ${label}` })));
    else on.results("Where it is least sure", unsure.map(({ id, label, sure }) => ({ id, text: `${label}\n${percent(sure)}` })));
  });
  $("clear").addEventListener("click", () => {
    given.clear();
    guesses = [];
    keep();
  });
  $("name").addEventListener("input", draw);

  /** Names of photos that are here. */
  function known() {
    return [...given].filter(([id]) => byId.has(id));
  }

  function keep() {
    localStorage.setItem(STORE, JSON.stringify([...given]));
    draw();
  }

  function draw() {
    const labels = known(), counts = new Map(), names = new Map(guesses.map(({ id, label, sure }) => [id, { text: sure < SURE ? `${label}?` : label, isGuess: true }]));
    for (const [id, label] of labels) {
      counts.set(label, (counts.get(label) ?? 0) + 1);
      names.set(id, { text: label, isGuess: false });
    }
    on.show(names);
    $("learn").disabled = counts.size < 2;
    const kinds = [...counts].map(([label, count]) => `${count} ${label}`).join(", ");
    $("counts").textContent = labels.length === 0 ? "No photo has a name yet." : `Named so far: ${kinds}.${labels.length < ENOUGH ? ` ${ENOUGH} in all are a good start.` : ""}`;
    $("hint").textContent = isGiving() ? `Click the photos that show “${$("name").value.trim()}”. Click one again to remove the name.` : "Type a name, then click the photos that it fits. Do that for two names or more.";
  }

  return {
    /** @param photos those that are here, by id */
    show(photos) {
      byId = photos;
      draw();
    },

    /** Gives a photo the name in the field; false while none is being given. */
    give(id) {
      if (!isGiving()) return false;
      const label = $("name").value.trim();
      if (given.get(id) === label) given.delete(id);
      else given.set(id, label);
      keep();
      return true;
    },
  };
}

/** In whole percent; 100 only where it is that. */
function percent(share) {
  return share < 1 && share >= 0.995 ? "over 99\u00a0%" : `${Math.round(100 * share)}\u00a0%`;
}
