/** Photos in an order, and on a map, in which those that are alike lie side by side. */
import { axesOf, dot } from "./components.js";

/** Most photos whose distances are all kept: the chain is untangled, and the map drawn by neighbourhoods. */
const MOST_PAIRS = 1500;
const PERPLEXITY = 12, STEPS = 300, EARLY = 80;

/** What tells the photos apart: features without their mean, of length 1. @param features rows of one width */
export function directions(features) {
  const width = features[0]?.length ?? 0, mean = new Float64Array(width);
  for (const row of features) for (let c = 0; c < width; c++) mean[c] += row[c] / features.length;
  return features.map((row) => {
    const centred = Float64Array.from(mean, (average, c) => row[c] - average), length = Math.sqrt(dot(centred, centred)) || 1;
    return centred.map((value) => value / length);
  });
}

/** Indexes in an order in which each is like the next. @param rows as `directions` gives them */
export function chainOf(rows) {
  const left = new Set(rows.keys()), order = [];
  let current = 0;
  while (left.size > 0) {
    left.delete(current);
    order.push(current);
    let best = -2, next = 0;
    for (const other of left) {
      const likeness = dot(rows[current], rows[other]);
      if (likeness > best) [best, next] = [likeness, other];
    }
    current = next;
  }
  return rows.length > MOST_PAIRS ? order : untangled(order, rows);
}

/** Turns stretches of the chain around as long as that makes it shorter. */
function untangled(order, rows) {
  const likeness = rows.map((a) => Float32Array.from(rows, (b) => dot(a, b))), at = (i, j) => likeness[order[i]]?.[order[j]] ?? 0;
  for (let again = true, round = 0; again && round < 20; round++) {
    again = false;
    // From -1: the beginning of the chain may turn too, as its end may.
    for (let i = -1; i < order.length - 1; i++) {
      for (let j = i + 2; j < order.length; j++) {
        if (at(i, j) + at(i + 1, j + 1) <= at(i, i + 1) + at(j, j + 1) + 1e-6) continue;
        for (let a = i + 1, b = j; a < b; a++, b--) [order[a], order[b]] = [order[b], order[a]];
        again = true;
      }
    }
  }
  return order;
}

/** A place for each photo, x and y from 0 to 1: t-SNE (van der Maaten and Hinton, 2008), begun from two principal components. */
export function mapOf(rows) {
  const places = twoComponents(rows);
  if (rows.length > 3 && rows.length <= MOST_PAIRS) spread(places, neighbourhoods(rows));
  for (const axis of [0, 1]) {
    const values = places.map((place) => place[axis]), least = Math.min(...values), range = Math.max(...values) - least;
    for (const place of places) place[axis] = range === 0 ? 0.5 : (place[axis] - least) / range;
  }
  return places;
}

function twoComponents(rows) {
  const axes = axesOf(rows, 2);
  return rows.map((row) => axes.map((axis) => 1e-2 * dot(row, axis)));
}

/**
 * Places on a grid of cells, each the free one that is nearest, so that nothing covers anything. What lies in the middle comes first.
 *
 * @param places x and y from 0 to 1, at most as many as cells
 * @returns [column, row] of each
 */
export function spacedOut(places, columns, rows) {
  const free = Array.from({ length: columns * rows }, (_, i) => [i % columns, Math.floor(i / columns)]), cells = [];
  const fromMiddle = (i) => Math.hypot(places[i][0] - 0.5, places[i][1] - 0.5);
  for (const i of [...places.keys()].sort((a, b) => fromMiddle(a) - fromMiddle(b) || a - b)) {
    const x = places[i][0] * (columns - 1), y = places[i][1] * (rows - 1);
    let best = 0, least = Infinity;
    free.forEach(([column, row], at) => {
      const far = (column - x) ** 2 + (row - y) ** 2;
      if (far < least) [best, least] = [at, far];
    });
    [cells[i]] = free.splice(best, 1);
  }
  return cells;
}

/** For each pair how likely they are neighbours: every photo has about as many. */
function neighbourhoods(rows) {
  const count = rows.length, wanted = Math.log(Math.min(PERPLEXITY, (count - 1) / 3)), shares = rows.map(() => new Float64Array(count));
  for (const [i, row] of rows.entries()) {
    const distances = rows.map((other) => 2 - 2 * dot(row, other));
    for (let low = 0, high = Infinity, sharpness = 1, step = 0; step < 40; step++) {
      let sum = 0, moment = 0;
      for (let j = 0; j < count; j++) {
        const weight = (shares[i][j] = i === j ? 0 : Math.exp(-sharpness * distances[j]));
        sum += weight;
        moment += weight * distances[j];
      }
      const entropy = Math.log(sum) + (sharpness * moment) / sum;
      for (let j = 0; j < count; j++) shares[i][j] /= sum;
      if (Math.abs(entropy - wanted) < 1e-4) break;
      if (entropy > wanted) low = sharpness;
      else high = sharpness;
      sharpness = high === Infinity ? sharpness * 2 : (low + high) / 2;
    }
  }
  return shares.map((own, i) => own.map((share, j) => Math.max(1e-12, (share + shares[j][i]) / (2 * count))));
}

/** Gradient descent with momentum. */
function spread(places, shares) {
  const count = places.length, rate = Math.max(20, count / 6), near = new Float64Array(count * count);
  const x = Float64Array.from(places, ([at]) => at), y = Float64Array.from(places, ([, at]) => at), speedX = new Float64Array(count), speedY = new Float64Array(count);
  for (let step = 0; step < STEPS; step++) {
    const pull = step < EARLY ? 6 : 1, momentum = step < EARLY ? 0.5 : 0.8;
    let total = 0;
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < i; j++) {
        const closeness = 1 / (1 + (x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2);
        near[i * count + j] = near[j * count + i] = closeness;
        total += 2 * closeness;
      }
    }
    for (let i = 0; i < count; i++) {
      const own = shares[i];
      let pushX = 0, pushY = 0;
      for (let j = 0; j < count; j++) {
        const closeness = near[i * count + j], force = 4 * (pull * own[j] - closeness / total) * closeness;
        pushX += force * (x[i] - x[j]);
        pushY += force * (y[i] - y[j]);
      }
      speedX[i] = momentum * speedX[i] - rate * pushX;
      speedY[i] = momentum * speedY[i] - rate * pushY;
    }
    for (let i = 0; i < count; i++) {
      x[i] += speedX[i];
      y[i] += speedY[i];
    }
  }
  places.forEach((place, i) => ([place[0], place[1]] = [x[i], y[i]]));
}
