/** The report of a fit as a page: what the classifier reached, what it confuses, and pictures of what it got wrong. */
import { checkHas, readOptions, type OptionNames } from "../core/options.js";
import { toBase64 } from "../core/base64.js";
import { encodePng } from "../image/png-writer.js";
import type { ClassifierFit, ClassifierReport } from "./classifier.js";
import type { PageOptions } from "./results-page.js";
import { Cards, commonFolder, countOf, escape, nameOf, page } from "./page-parts.js";

const NAMES: OptionNames<PageOptions> = { signal: "AbortSignal" };
/** Classes of a table; beyond them the confusion is a picture only. */
const MOST_CLASSES = 40;
/** Pairs of classes, and wrong photos, that are shown. */
const MOST_PAIRS = 15, MOST_MISTAKES = 48;
/** With fewer held-out images a share says little. */
const FEW = 50;
const BEST = { linear: "the linear classifier", means: "class means", neighbours: "nearest neighbours" };

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** The report of a fit: what it reached, and its confusion table as a picture. The photos that it got wrong are read from their places. */
export async function fitPage(name: string, fit: ClassifierFit, options: PageOptions = {}): Promise<string> {
  checkHas("The fit", fit, "what fitClassifier gives", "head", "labels", "report");
  const { report } = fit, { signal } = readOptions(options, NAMES, "fitPage"), { labels, images, C, seed, split, collection, unlabelled, unreadable, linear } = report;
  const heldOut = labels.reduce((sum, one) => sum + one.heldOut, 0), facts = [`${countOf(images, "image")} of ${labels.length} classes; ${heldOut} held out for the evaluation.`];
  if (unlabelled > 0) facts.push(`${countOf(unlabelled, "place")} of the collection ${unlabelled === 1 ? "has" : "have"} no label.`);
  if (unreadable > 0) facts.push(`${countOf(unreadable, "image")} could not be read when the collection was made.`);
  const origin = `<h2>Origin</h2><p>Strength C ${C}, seed ${seed}<br>held-out part ${split}<br>collection ${collection}</p>`;
  const counts = `<h2>Images of each class</h2>${table(["", "training", "held out"], labels.map(({ label, training, heldOut: out }) => [escape(label), String(training), String(out)]))}`;
  const summary = `<p>${facts.join(" ")}</p>`;
  if (linear === undefined) return page(`Classifier ${nameOf(name)}`, summary + counts + origin);
  const few = heldOut < FEW ? `<p class="note">Only ${countOf(heldOut, "image")} ${heldOut === 1 ? "was" : "were"} held out, so these shares are rough.</p>` : "";
  const body = [summary, few, measuresOf(report), pairsOf(report, linear.confusion), await confusionOf(report, linear.confusion), await mistakesOf(report, signal), counts, origin];
  return page(`Classifier ${nameOf(name)}`, body.join(""));
}

function measuresOf({ linear, means, neighbours, best }: ClassifierReport): string {
  const rows = [["linear classifier", linear!], ["class means", means!], [`${neighbours!.k} nearest neighbours`, neighbours!]] as const;
  const lines = rows.map(([label, { top1, top5 }]) => `<tr><th scope="row">${label}<td class="bar" style="--share:${(100 * top1).toFixed(1)}%">${percent(top1)}<td>${percent(top5)}`);
  const heading = '<tr><td><th scope="col">right answer first<th scope="col">among the first five';
  return `<h2>Accuracy on the held-out images</h2><div class="scroll"><table>${heading}${lines.join("")}</table></div><p>Best: ${BEST[best!]}; calibration error of the linear classifier ${percent(linear!.calibrationError)}.</p>`;
}

function pairsOf({ labels }: ClassifierReport, confusion: readonly (readonly number[])[]): string {
  const pairs = confusion.flatMap((row, own) => row.flatMap((count, answer) => (own === answer || count === 0 ? [] : [{ own, answer, count, of: labels[own].heldOut }])));
  if (pairs.length === 0) return "<h2>Most often confused</h2><p>No held-out image was given a wrong label.</p>";
  const most = pairs.sort((a, b) => b.count - a.count || b.count / b.of - a.count / a.of || a.own - b.own).slice(0, MOST_PAIRS);
  return `<h2>Most often confused</h2>${table(["true class", "answer", "images"], most.map(({ own, answer, count, of }) => [escape(labels[own].label), escape(labels[answer].label), `${count} of ${of}`]))}`;
}

async function confusionOf({ labels }: ClassifierReport, confusion: readonly (readonly number[])[]): Promise<string> {
  const heading = "<h2>Confusion <span>true class by row, answer by column; each row adds up to its held-out images</span></h2>", names = labels.map(({ label }) => escape(label));
  if (labels.length > MOST_CLASSES) {
    const picture = toBase64(await encodePng(heatOf(confusion)));
    return `${heading}<p>Blue: right, orange: wrong; the fuller, the larger the share of its row.</p><img class="map" alt="Confusion of ${labels.length} classes as a picture" src="data:image/png;base64,${picture}">`;
  }
  const rows = confusion.map((row, own) => {
    const sum = row.reduce((a, b) => a + b, 0);
    const cell = (count: number, answer: number) => `<td style="background:rgb(var(--${own === answer ? "right" : "wrong"}) / ${sum === 0 ? 0 : (0.5 * count) / sum})">${count || ""}`;
    return `<tr><th scope="row">${names[own]}${row.map(cell).join("")}`;
  });
  const top = `<tr class="up"><td>${names.map((label) => `<th scope="col"><span>${label}</span>`).join("")}`;
  return `${heading}<div class="scroll" tabindex="0" role="region" aria-label="Confusion table"><table class="heat">${top}${rows.join("")}</table></div>`;
}

/** A pixel for each pair of classes: white, to blue for right answers, to orange for wrong ones. */
function heatOf(confusion: readonly (readonly number[])[]): { data: Uint8Array; width: number; height: number; channels: number } {
  const size = confusion.length, data = new Uint8Array(3 * size * size);
  for (const [own, row] of confusion.entries()) {
    const sum = row.reduce((a, b) => a + b, 0);
    for (const [answer, count] of row.entries()) {
      // The square root shows also what is seldom.
      const share = sum === 0 ? 0 : Math.sqrt(count / sum), full = own === answer ? [20, 100, 210] : [230, 110, 0];
      data.set(full.map((level) => Math.round(255 + share * (level - 255))), 3 * (own * size + answer));
    }
  }
  return { data, width: size, height: size, channels: 3 };
}

async function mistakesOf({ mistakes }: ClassifierReport, signal: AbortSignal | undefined): Promise<string> {
  const shown = mistakes.slice(0, MOST_MISTAKES).filter(({ source }) => source !== undefined), folder = commonFolder(shown.map(({ source }) => source!));
  if (shown.length === 0) return "";
  const list = await new Cards(folder, signal).list(shown.map(({ source, label, answer, probability }) => ({ sources: [source!], title: answer, details: [`is ${label}`, `${percent(probability)} sure`] })));
  return `<h2>Wrong answers <span>the surest first</span></h2>${list}`;
}

/** @param rows HTML, the first of each a heading */
function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const top = headings.map((heading) => (heading === "" ? "<td>" : `<th scope="col">${heading}`)).join("");
  return `<div class="scroll"><table><tr>${top}${rows.map(([first, ...rest]) => `<tr><th scope="row">${first}${rest.map((text) => `<td>${text}`).join("")}`).join("")}</table></div>`;
}
