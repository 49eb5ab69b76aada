/** From the table of imports to docs/pictures/rooms.svg: rooms as boxes, each above all that it imports from. */

type Table = Readonly<Record<string, readonly string[]>>;

interface Box {
  readonly room: string;
  readonly level: number;
  x: number;
}

const WIDTH = 1000, ROW = 62, BOX_HEIGHT = 30, MARGIN = 24, LETTER = 8;
/** Rooms that are entries of the package. */
const ENTRIES = new Set(["index", "server", "collections", "queue", "transformers", "weights-tools"]);

export function drawMap(table: Table): string {
  const below = new Map(Object.entries(table).map(([room, targets]) => [room, roomsOf(room, targets, table)]));
  const boxes = place(below), height = ROW * (1 + Math.max(...boxes.map(({ level }) => level))) + 2 * MARGIN + 20;
  const at = new Map(boxes.map((box) => [box.room, { x: box.x, y: height - MARGIN - 20 - BOX_HEIGHT - box.level * ROW }]));
  const lines = boxes.flatMap(({ room }) => direct(room, below).map((target) => line(at.get(room)!, at.get(target)!)));
  const shapes = boxes.map(({ room }) => box(room, at.get(room)!));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="ui-monospace, monospace" font-size="13" text-anchor="middle">`,
    "<title>The rooms of ts-api/src: a room imports only from rooms below it</title>",
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    ...lines,
    ...shapes,
    `<text x="${WIDTH / 2}" y="${height - 14}" fill="#555">A line leads down to a room that is imported. Blue: entries of the package. Lines that others imply are left out.</text>`,
    "</svg>\n",
  ].join("\n");
}

/** The rooms behind the entries of a row: "#runtime" and "runtime/env" are both runtime. */
function roomsOf(room: string, targets: readonly string[], table: Table): Set<string> {
  const names = targets.map((target) => (target === "#devices" ? "backends/*" : target.replace(/^#(embedded\/\*)?/, "")));
  return new Set(names.map((name) => (name in table ? name : name.split("/")[0])).filter((name) => name in table && name !== room));
}

/** Each room one level above the highest that it imports; within a level, near those below it. */
function place(below: ReadonlyMap<string, ReadonlySet<string>>): Box[] {
  const boxes = new Map<string, Box>();
  for (const [room, targets] of below) {
    const level = Math.max(-1, ...[...targets].map((target) => boxes.get(target)!.level)) + 1;
    boxes.set(room, { room, level, x: 0 });
  }
  const levels = Math.max(...[...boxes.values()].map(({ level }) => level));
  for (let level = 0; level <= levels; level++) {
    const row = [...boxes.values()].filter((box) => box.level === level);
    const middle = ({ room }: Box) => mean(direct(room, below).map((target) => boxes.get(target)!.x));
    const order = row.map((box) => ({ box, middle: middle(box) })).sort((a, b) => a.middle - b.middle);
    order.forEach(({ box }, i) => (box.x = Math.round((WIDTH * (i + 0.5 + (level % 2 === 0 ? 0 : 0.18))) / (row.length + (level % 2 === 0 ? 0 : 0.36)))));
  }
  return [...boxes.values()];
}

/** What a room imports, without what it would reach through another of them. */
function direct(room: string, below: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const targets = [...below.get(room)!];
  return targets.filter((target) => !targets.some((other) => other !== target && reaches(other, target, below)));
}

function reaches(from: string, to: string, below: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  return [...below.get(from)!].some((target) => target === to || reaches(target, to, below));
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? WIDTH / 2 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function line(from: { x: number; y: number }, to: { x: number; y: number }): string {
  const top = from.y + BOX_HEIGHT, half = (to.y - top) / 2;
  return `<path d="M${from.x} ${top}C${from.x} ${top + half} ${to.x} ${to.y - half} ${to.x} ${to.y}" fill="none" stroke="#9ab" stroke-width="1.2"/>`;
}

function box(room: string, { x, y }: { x: number; y: number }): string {
  const width = Math.max(64, room.length * LETTER + 20), fill = ENTRIES.has(room) ? "#cfe3ff" : room === "cli" ? "#ffe3b8" : "#eef2f5";
  const shape = `<rect x="${x - width / 2}" y="${y}" width="${width}" height="${BOX_HEIGHT}" rx="5" fill="${fill}" stroke="#678"/>`;
  return `${shape}<text x="${x}" y="${y + 20}">${room}</text>`;
}
