/** Finds the rows of the parts that count: the last row of each place, unless the place is gone. Rows are numbered through all parts. */
import { KeyTable } from "./key-table.js";
import { keyOf, wordsOf, type PartIndex } from "./part-index.js";

/** Ids are told apart by so many remainders before they are compared. */
const MAY_BE = 2 ** 16;

/** A row of a part. */
export interface RowPlace {
  /** The number of the part, from 0. */
  readonly part: number;
  readonly row: number;
}

export class LiveRows {
  readonly parts: PartIndex[] = [];
  readonly #bases: number[] = [];
  /** From a source's key to the last row that has it. */
  readonly #sources = new KeyTable();
  /** From an id to the last row that has it, live or not: a feature stays valid. */
  readonly #ids = new KeyTable();
  #rows = 0;

  add(part: PartIndex): void {
    this.parts.push(part);
    this.#bases.push(this.#rows);
    for (let row = 0; row < part.rows; row++) {
      this.#sources.set(part.keys, 4 * row, this.#rows + row);
      if (!part.isGone(row)) this.#ids.set(part.ids, 8 * row, this.#rows + row);
    }
    this.#rows += part.rows;
  }

  /** The live row of a place. */
  find(source: string): RowPlace | undefined {
    const number = this.#sources.get(keyOf(source), 0);
    if (number < 0) return undefined;
    const place = this.#placeOf(number);
    return this.parts[place.part].isGone(place.row) ? undefined : place;
  }

  /** A row with the feature of an image. */
  findId(id: string): RowPlace | undefined {
    const number = this.#ids.get(wordsOf(id), 0);
    return number < 0 ? undefined : this.#placeOf(number);
  }

  isLive(part: number, row: number): boolean {
    const index = this.parts[part];
    return this.#sources.get(index.keys, 4 * row) === this.#bases[part] + row && !index.isGone(row);
  }

  /** True for the last row of its place, even if it says that the place is gone. */
  isLast(part: number, row: number): boolean {
    return this.#sources.get(this.parts[part].keys, 4 * row) === this.#bases[part] + row;
  }

  /** Every live row, in the order in which they were added. */
  *rows(): Generator<RowPlace> {
    for (let part = 0; part < this.parts.length; part++) {
      for (let row = 0; row < this.parts[part].rows; row++) if (this.isLive(part, row)) yield { part, row };
    }
  }

  /** For each part a 1 for rows that represent their image, else 0: the first live row with an id. */
  images(): Uint8Array[] {
    const seen = new KeyTable();
    const masks = this.parts.map(({ rows }) => new Uint8Array(rows));
    for (const { part, row } of this.rows()) {
      const { ids } = this.parts[part];
      if (seen.get(ids, 8 * row) >= 0) continue;
      seen.set(ids, 8 * row, 1);
      masks[part][row] = 1;
    }
    return masks;
  }

  /** The live places of images, by id, in the order of their names. All rows are looked at once. */
  sourcesOf(ids: readonly string[]): ReadonlyMap<string, string[]> {
    const found = new Map(ids.map((id) => [id, [] as string[]])), mayBe = new Uint8Array(MAY_BE);
    for (const id of ids) mayBe[wordsOf(id)[0] % MAY_BE] = 1;
    for (const [part, index] of this.parts.entries()) {
      for (let row = 0; row < index.rows; row++) {
        if (mayBe[index.ids[8 * row] % MAY_BE] === 0) continue;
        const sources = found.get(index.id(row));
        if (sources !== undefined && this.isLive(part, row)) sources.push(index.source(row));
      }
    }
    for (const sources of found.values()) sources.sort((a, b) => (a < b ? -1 : 1));
    return found;
  }

  #placeOf(number: number): RowPlace {
    let low = 0, high = this.#bases.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#bases[middle] <= number) low = middle;
      else high = middle - 1;
    }
    return { part: low, row: number - this.#bases[low] };
  }
}
