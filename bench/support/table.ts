/**
 * A Markdown table that also reads well on a terminal: columns padded, numbers to the right.
 * @param rows cells of each row, as many as headers
 */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headers.map((header, i) => Math.max(3, header.length, ...rows.map((row) => row[i].length)));
  const numeric = headers.map((_, i) => rows.length > 0 && rows.every((row) => /^(?:[-+]?[\d.,]+( ?[%x])?|-)?$/.test(row[i])));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (numeric[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (numeric[i] ? `${"-".repeat(width + 1)}:` : "-".repeat(width + 2))).join("|")}|`;
  return [line(headers), rule, ...rows.map(line)].join("\n");
}

/** Three digits of a number between 0.1 and 1000; whole above, thousandths below. */
export function digits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

/** A share as whole per cent. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
