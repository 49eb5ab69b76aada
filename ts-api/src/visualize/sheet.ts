/** Several pictures on one sheet, with labels and a legend. */
import { IJepaError } from "../core/errors.js";
import { checkList, checkType, isRecord, readOptions, wrongType, type OptionNames } from "../core/options.js";
import { show } from "../core/show.js";
import { checkRawImage, toRgb, type RawImage, type RgbImage } from "../image/raw-image.js";
import { coloured } from "./draw.js";
import { linesOf, shortened, textHeight, textWidth, write, type Paper } from "./letters.js";

/** A picture of `drawSheet`. */
export interface SheetCell {
  /** As `drawMap` gives it; of any size. Alpha is dropped. */
  readonly picture: RawImage;
  /** Below the picture. */
  readonly label?: string | undefined;
}

/** Options of `drawSheet`. */
export interface SheetOptions {
  /** Pictures in a row. Default: all in one. */
  columns?: number;
  /** Text below all pictures. */
  text?: string | undefined;
  /** Labels of violet and yellow, on both sides of a colour bar below all pictures. */
  scale?: readonly [least: string, greatest: string] | undefined;
}

const NAMES: OptionNames<SheetOptions> = { columns: "number", text: "string", scale: true };
const PAPER = 255;
const INK = 30;
/** Pixels between pictures and around them. */
const GAP = 10;
const BAR_HEIGHT = 12;
/** Most pixels of a sheet. */
const MOST_PIXELS = 2 ** 28;

/**
 * Pictures in rows, each with its label, and a legend below. Letters are drawn by pixels: the sheet is the same everywhere.
 *
 * @param cells as `drawMap` gives the pictures, of any sizes
 * @throws IJepaError `input/value` without pictures, for invalid options, and for more than 2^28 pixels
 */
export function drawSheet(cells: readonly SheetCell[], options: SheetOptions = {}): RgbImage {
  const { columns = Math.max(1, cells?.length ?? 1), text, scale } = readOptions(options, NAMES, "drawSheet");
  checkCells(cells);
  if (!Number.isInteger(columns) || columns < 1) throw new IJepaError("input/value", `columns must be a whole number from 1 up, not ${show(columns)}.`, { name: "columns", value: columns });
  if (scale !== undefined) checkScale(scale);
  const rows = Array.from({ length: Math.ceil(cells.length / columns) }, (_, row) => cells.slice(row * columns, (row + 1) * columns));
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column]?.picture.width ?? 0)));
  const labelled = rows.map((row) => row.some(({ label }) => label !== undefined));
  const letter = labelSize(cells, Math.min(...widths)), labelHeight = textHeight(letter) + letter;
  const heights = rows.map((row, i) => Math.max(...row.map(({ picture }) => picture.height)) + (labelled[i] ? letter * 2 + labelHeight : 0));
  const width = sum(widths) + GAP * (widths.length + 1), top = sum(heights) + GAP * (rows.length + 1);
  const legend = legendOf(width - 2 * GAP, text, scale), height = top + legend.height;
  if (width * height > MOST_PIXELS) throw new IJepaError("input/value", `The sheet would have ${width} x ${height} pixels, more than ${MOST_PIXELS}.`, { name: "cells", value: cells.length });
  const sheet = { data: new Uint8Array(width * height * 3).fill(PAPER), width, height, channels: 3 } as const;
  rows.forEach((row, r) => {
    const y = GAP + sum(heights.slice(0, r)) + GAP * r;
    row.forEach(({ picture, label = "" }, column) => {
      const x = GAP + sum(widths.slice(0, column)) + GAP * column;
      paste(sheet, x, y, toRgb(picture));
      write(sheet, x, y + picture.height + 2 * letter, shortened(label, widths[column], letter), letter, INK);
    });
  });
  legend.draw(sheet, GAP, top);
  return sheet;
}

/** A bar between two words, and lines of text. */
function legendOf(width: number, text: string | undefined, scale: SheetOptions["scale"]): { height: number; draw(sheet: Paper, left: number, top: number): void } {
  const letter = width >= 1600 ? 3 : width >= 200 ? 2 : 1, line = textHeight(letter) + 2 * letter;
  const lines = text === undefined ? [] : linesOf(text, width, letter), barHeight = scale === undefined ? 0 : line + letter;
  return {
    height: barHeight + lines.length * line + (barHeight + lines.length > 0 ? GAP - 2 * letter : 0),
    draw(sheet, left, top) {
      if (scale !== undefined) {
        const [least, greatest] = scale.map((word) => shortened(word, width / 3, letter)), space = 2 * letter + 2;
        const from = left + textWidth(least, letter) + space, length = left + width - textWidth(greatest, letter) - space - from;
        write(sheet, left, top, least, letter, INK);
        write(sheet, from + length + space, top, greatest, letter, INK);
        const ramp = Uint8Array.from({ length: length * BAR_HEIGHT }, (_, i) => Math.floor(((i % length) * 255) / Math.max(1, length - 1)));
        paste(sheet, from, top + Math.max(0, Math.floor((7 * letter - BAR_HEIGHT) / 2)), coloured({ data: ramp, width: length, height: BAR_HEIGHT, channels: 1 }));
      }
      lines.forEach((text, i) => write(sheet, left, top + barHeight + i * line, text, letter, INK));
    },
  };
}

/** The largest letters in which every label fits; the smallest letters if none does. */
function labelSize(cells: readonly SheetCell[], narrowest: number): number {
  const largest = narrowest >= 800 ? 3 : narrowest >= 120 ? 2 : 1;
  const fits = (size: number) => cells.every(({ label = "" }) => textWidth(label, size) <= narrowest);
  return [3, 2].find((size) => size <= largest && fits(size)) ?? 1;
}

function paste(sheet: Paper, left: number, top: number, { data, width, height }: RgbImage): void {
  for (let y = 0; y < height; y++) sheet.data.set(data.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * sheet.width + left) * 3);
}

function checkCells(cells: readonly SheetCell[]): void {
  checkList("cells", cells, "a list of { picture, label }");
  if (cells.length === 0) throw new IJepaError("input/value", "A sheet needs a picture.", { name: "cells", value: cells });
  cells.forEach((cell, i) => {
    if (!isRecord(cell)) throw wrongType(`cells[${i}]`, "{ picture, label }", cell);
    checkRawImage(cell.picture, `cells[${i}].picture`);
    checkType(`cells[${i}].label`, cell.label, "string");
  });
}

function checkScale(scale: unknown): void {
  if (Array.isArray(scale) && scale.length === 2 && scale.every((word) => typeof word === "string")) return;
  throw wrongType("scale", "two strings", scale);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
