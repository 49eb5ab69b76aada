/** The same features in every way that this browser has: are they the same in every bit, and if not, where do they part? */
import { tell } from "./proof.js";
import { hasThreads, hasWebgpu } from "./settings.js";

const $ = (id) => document.getElementById(id);
/** Milliseconds after which a way says how long it has been running. */
const SLOW = 1000;

/**
 * On one thread, on all, and on WebGPU; where there is none, in every kernel of the processor. Each way is shown while it runs.
 *
 * @param run gives the result of a way
 * @param tryKernels tells of every kernel, as rows of the library's `verify`
 */
export async function compareWays(run, tryKernels) {
  const badge = $("badge"), done = [], isGpuHere = await hasWebgpu();
  const ways = [["CPU, one thread", { device: "wasm", threads: 1 }]];
  if (hasThreads) ways.push(["CPU, all threads", { device: "wasm", threads: "auto" }]);
  if (isGpuHere) ways.push(["WebGPU", { device: "webgpu", threads: 1 }]);
  tell(badge, "working", "Comparing…");
  $("ways").replaceChildren();
  $("ways").hidden = false;
  let line, kernels = 0, difference;
  const note = (name, digest, text = "") => {
    const isSame = done.length === 0 || digest === done[0].digest;
    done.push({ name, digest });
    line.end(isSame ? `✓ ${text}` : `✗ ${digest}`, isSame ? "same" : "different");
  };
  try {
    for (const [name, way] of ways) {
      line = addLine(name);
      try {
        const { digest, milliseconds } = await run(way);
        note(name, digest, `${Math.round(milliseconds)} ms`);
      } catch (error) {
        if (!error.code?.startsWith("backend/")) throw error;
        line.end(`cannot be used: ${error.message}`, "absent");
      }
    }
    // Op by op, which takes longer: instead of WebGPU, and to find where they part.
    if (!isGpuHere || partsFrom(done) !== undefined) {
      line = addLine("Kernels");
      await tryKernels((row) => {
        const name = `kernels ${row.variant.replace("wasm ", "")}`;
        kernels++;
        difference ??= row.difference;
        line.rename(name);
        note(name, row.digest);
        line = addLine("More kernels");
      });
      line.remove();
    }
    const other = partsFrom(done), names = done.slice(0, done.length - kernels).map(({ name }) => name).join("; ");
    if (other === undefined && difference === undefined) tell(badge, "same", `The same in every bit: ${names}${kernels > 0 ? `; ${kernels} kernels of the CPU` : ""}.`);
    else tell(badge, "different", `DIFFERENT: ${other === undefined ? "" : `${other.name} gives ${other.digest}, ${done[0].name} ${done[0].digest}. `}${placeOf(difference)}Please report this, with the name of the device.`);
  } catch (error) {
    line?.end("", "absent");
    tell(badge, "absent", error.code === "aborted" ? "Stopped." : `Not compared: ${error.message}`);
  }
}

/** The first that is not like the first of all. */
function partsFrom(done) {
  return done.find(({ digest }) => digest !== done[0].digest);
}

/** @param difference as the library's `verify` has it; undefined where no op alone gives other bits */
function placeOf(difference) {
  if (difference === undefined) return "";
  const { part, op, buffer, coordinates, actual, expected, differing, total } = difference;
  return `They part in ${part}, at the op ${op}: ${buffer}[${coordinates.join(", ")}] is ${actual}, not ${expected}; ${differing} of ${total} numbers differ. `;
}

/** A way that is running. */
function addLine(name) {
  const item = document.createElement("li"), title = document.createElement("span"), said = document.createElement("span"), start = Date.now();
  title.textContent = name;
  said.textContent = "running";
  item.append(title, said);
  $("ways").append(item);
  const clock = setInterval(() => (said.textContent = `running for ${Math.round((Date.now() - start) / 1000)} s`), SLOW);
  return {
    rename: (to) => (title.textContent = to),
    end(text, state) {
      clearInterval(clock);
      said.textContent = text;
      said.dataset.state = state;
    },
    remove() {
      clearInterval(clock);
      item.remove();
    },
  };
}
