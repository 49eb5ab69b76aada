/** The order, the map and the colours that the page makes of features. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { gaussArray } from "../support/random.js";

type Rows = readonly ArrayLike<number>[];
const module = <T>(name: string) => import(pathToFileURL(`examples/browser/${name}.js`).href) as Promise<T>;
const { directions, chainOf, mapOf, spacedOut } = await module<{ directions(features: Rows): Float64Array[]; chainOf(rows: Rows): number[]; mapOf(rows: Rows): [number, number][]; spacedOut(places: Rows, columns: number, rows: number): [number, number][] }>("arrange");
const { axesOf, centred, createFilmColours, dot } = await module<{
  axesOf(rows: Rows, count: number): Float64Array[];
  centred(data: ArrayLike<number>, count: number): Float64Array[];
  createFilmColours(): (data: ArrayLike<number>, tokens: number) => Uint8ClampedArray;
  dot(a: ArrayLike<number>, b: ArrayLike<number>): number;
}>("components");

const WIDTH = 12;
/** Photos of three kinds, one after the other in turn: rows around three far centres. */
const kinds = Array.from({ length: 45 }, (_, i) => i % 3);
const features = kinds.map((kind, i) => gaussArray(`photo ${i}`, WIDTH, 0.3).map((value, c) => value + (c % 3 === kind ? 4 : 0)));
/** Rows along a bow, in the order given. */
const bow = (order: readonly number[]) => order.map((at) => [Math.cos(at / 12), Math.sin(at / 12), 0]);
const order = (count: number) => Array.from({ length: count }, (_, i) => i);

test("directions: length 1, without what all have in common; photos that are all the same have none", () => {
  const rows = directions(features);
  for (const row of rows) assert.ok(Math.abs(dot(row, row) - 1) < 1e-9);
  const shifted = directions(features.map((row) => row.map((value) => value + 100)));
  for (const [i, row] of rows.entries()) assert.ok(dot(row, shifted[i]) > 0.999);
  assert.deepEqual(directions([[1, 2], [1, 2]]).map((row) => [...row]), [[0, 0], [0, 0]]);
  assert.deepEqual(directions([]), []);
});

test("the chain: every photo once, each kind together", () => {
  const chain = chainOf(directions(features));
  assert.deepEqual([...chain].sort((a, b) => a - b), order(features.length));
  const changes = chain.filter((photo, i) => i > 0 && kinds[photo] !== kinds[chain[i - 1]]).length;
  assert.equal(changes, 2, chain.map((photo) => kinds[photo]).join(""));
});

test("the chain: along a bow from one end to the other, wherever it begins", () => {
  const places = order(20).map((i) => (i * 7 + 10) % 20), chain = chainOf(bow(places)).map((i) => places[i]);
  assert.ok([order(20), order(20).reverse()].some((wanted) => wanted.join() === chain.join()), chain.join());
  assert.deepEqual([chainOf([]), chainOf([[1, 0]]), chainOf([[0, 0], [0, 0]])], [[], [0], [0, 1]]);
});

test("the map: kinds lie apart, everything lies on the map, and twice the same", () => {
  const rows = directions(features), places = mapOf(rows);
  assert.deepEqual(mapOf(rows), places);
  assert.deepEqual([0, 1].flatMap((axis) => [Math.min(...places.map((place) => place[axis])), Math.max(...places.map((place) => place[axis]))]), [0, 1, 0, 1]);
  const distance = (a: number, b: number) => Math.hypot(places[a][0] - places[b][0], places[a][1] - places[b][1]);
  const pairs = order(45).flatMap((a) => order(a).map((b) => ({ isOneKind: kinds[a] === kinds[b], far: distance(a, b) })));
  const farthest = Math.max(...pairs.filter(({ isOneKind }) => isOneKind).map(({ far }) => far)), nearest = Math.min(...pairs.filter(({ isOneKind }) => !isOneKind).map(({ far }) => far));
  assert.ok(farthest < nearest, `${farthest} within a kind, ${nearest} between two`);
});

test("the map: of no photo, of few, of copies, of very many", () => {
  assert.deepEqual([mapOf([]), mapOf([[1, 0]]), mapOf([[0, 0], [0, 0]])], [[], [[0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]]);
  const many = directions(order(1501).map((i) => gaussArray(`many ${i}`, 4)));
  const places = mapOf(many);
  assert.equal(chainOf(many).length, 1501);
  assert.ok(places.flat().every((value) => value >= 0 && value <= 1));
});

test("the map: nothing covers anything, and what is far apart stays so", () => {
  const places = mapOf(directions(features)), cells = spacedOut(places, 10, 9);
  assert.equal(new Set(cells.map(String)).size, features.length);
  assert.ok(cells.every(([column, row]) => column >= 0 && column < 10 && row >= 0 && row < 9));
  const moved = cells.map(([column, row], i) => Math.hypot(column - places[i][0] * 9, row - places[i][1] * 8));
  assert.ok(Math.max(...moved) < 5, `${Math.max(...moved)} cells`);
  assert.deepEqual(spacedOut([[0, 0], [1, 1]], 2, 2), [[0, 0], [1, 1]]);
  assert.equal(new Set(spacedOut(new Array(6).fill([0.5, 0.5]), 3, 2).map(String)).size, 6);
  assert.deepEqual(spacedOut([], 1, 1), []);
});

test("axes: those in which the rows differ most, the strongest first", () => {
  const [first, second] = axesOf(centred(Float64Array.from(order(300), (i) => gaussArray(`row ${Math.floor(i / 3)}`, 3)[i % 3] * [1, 9, 4][i % 3]), 100), 2);
  assert.ok(Math.abs(first[1]) > 0.99 && Math.abs(second[2]) > 0.97, `${first.join()} ${second.join()}`);
  assert.ok(Math.abs(dot(first, second)) < 1e-9);
});

test("colours of a film change only as much as the film: no axis turns around between two frames", () => {
  const tokens = 16, coloursOf = createFilmColours(), still = gaussArray("film", tokens * WIDTH), moved = still.map((value, i) => value + 0.02 * Math.sin(i));
  const [a, b, c] = [coloursOf(still, tokens), coloursOf(still, tokens), coloursOf(moved, tokens)];
  const largest = (x: Uint8ClampedArray, y: Uint8ClampedArray) => Math.max(...x.map((value, i) => Math.abs(value - y[i])));
  assert.equal(a.length, tokens * 3);
  assert.ok(largest(a, b) < 60 && largest(b, c) < 60, `${largest(a, b)} and ${largest(b, c)}`);
  assert.ok(new Set(a).size > 20);
  assert.deepEqual([...createFilmColours()(new Float32Array(tokens * WIDTH).fill(1), tokens)], new Array(tokens * 3).fill(128));
  assert.equal(coloursOf(gaussArray("wider", tokens * 2 * WIDTH), tokens).length, tokens * 3);
});
