/** Progress on stderr: a bar on a terminal, single lines elsewhere. */
import type { BulkProgress, ProgressInfo } from "../index.js";
import type { TextOutput } from "../runtime/cli-host.js";
import { countOf, printable } from "./text.js";

const CELLS = 24;
const MEGABYTE = 1e6;
/** Without a terminal, work that takes no longer than this is not announced. */
const ANNOUNCE_MS = 1000;
/** Erases the line. */
const ERASE = "\r\x1b[K";

/** A bar on the last line of a terminal. Without a terminal it prints only announcements. */
export class ProgressBar {
  readonly #output: TextOutput;
  #announcing: ReturnType<typeof setTimeout> | undefined;
  #announced: string | undefined;
  #shown = false;

  constructor(output: TextOutput) {
    this.#output = output;
  }

  /** @param total undefined if unknown */
  show(done: number, total: number | undefined, label: string): void {
    const { columns } = this.#output;
    if (columns === undefined) return;
    const cells = total === undefined ? 0 : Math.floor((CELLS * Math.min(done, total)) / Math.max(1, total));
    const line = total === undefined ? `${done} ${printable(label)}` : `[${"#".repeat(cells)}${".".repeat(CELLS - cells)}] ${done}/${total} ${printable(label)}`;
    // A full line would scroll.
    this.#write(ERASE + line.slice(0, columns - 1));
    this.#shown = true;
  }

  /** Shows the progress of a job over many images. */
  showBulk({ done, total, rate, secondsLeft, failed }: BulkProgress, detail = ""): void {
    const left = secondsLeft === undefined ? "" : `, ${timeText(secondsLeft)} left`;
    this.show(done, total, `${rate.toFixed(1)} images/s${left}${failed > 0 ? `, ${countOf(failed, "failure")}` : ""}${detail}`);
  }

  /** Shows a count when the total is unknown. */
  count(done: number, label: string): void {
    const { columns } = this.#output;
    if (columns === undefined) return;
    this.#write(ERASE + `${done} done, ${printable(label)}`.slice(0, columns - 1));
    this.#shown = true;
  }

  /** Announces work that may take long: on a terminal at once, elsewhere on a line of its own once it has taken long. */
  announce(text: string): void {
    this.clear();
    const { columns } = this.#output;
    if (columns === undefined) {
      if (this.#announced === text) return;
      this.#announcing = setTimeout(() => {
        this.#announced = text;
        this.#write(`ijepa: ${printable(text)}\n`);
      }, ANNOUNCE_MS);
      return;
    }
    this.#write(ERASE + printable(text).slice(0, columns - 1));
    this.#shown = true;
  }

  /** Erases the bar; call it before anything else is printed. */
  clear(): void {
    clearTimeout(this.#announcing);
    if (this.#shown) this.#write(ERASE);
    this.#shown = false;
  }

  /** Not awaited: texts keep their order, and standard error does not reject. */
  #write(text: string): void {
    void this.#output.write(text);
  }
}

/** A `progress_callback` that shows the files of the Hub on their way. */
export function showDownloads(bar: ProgressBar): (info: ProgressInfo) => void {
  return ({ status, name, file, loaded, total }) => {
    if (file === undefined) return;
    if (status === "initiate") bar.announce(`asking the Hugging Face Hub for ${name}; there is no folder of this name here`);
    else if (status === "download") bar.clear();
    if (status === "progress") bar.show(Math.floor(loaded / MEGABYTE), Math.ceil(total / MEGABYTE), `MB of ${file}`);
    else if (status === "done") bar.clear();
  };
}

function timeText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
