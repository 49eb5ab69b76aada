/** Text for terminals: tables, sizes, counts, broken lines, and names without control characters. */

/** `text` with control characters escaped: names come from users and files, and must not control a terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/**
 * Aligned columns, two spaces apart.
 *
 * @param rows texts of equal number in each row, headings first
 * @param right indices of the columns that are aligned to the right
 * @returns lines without trailing spaces
 */
export function formatTable(rows: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => {
    const cells = row.map((text, column) => (right.includes(column) ? text.padStart(widths[column]) : text.padEnd(widths[column])));
    return cells.join("  ").trimEnd();
  });
}

/** A number of bytes for people: "340 MB". */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB"];
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${units[power]}`;
}

/** `text` broken at spaces into lines of at most `width` characters, longer words excepted. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** "1 file", "3 files". */
export function countOf(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** The last part of a path or URL. */
export function lastPart(path: string): string | undefined {
  return path.split(/[/\\]/).findLast((part) => part !== "");
}

/** The file beside a .npy file that says what its rows are. */
export function namesBeside(npy: string): string {
  return npy.replace(/\.npy$/i, ".names.json");
}
