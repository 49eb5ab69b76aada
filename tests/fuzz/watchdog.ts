/** A thread that ends the process when the seed stands still for too long: a loop without an end cannot be stopped from within. */
import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";

const { name, current, seconds } = workerData as { name: string; current: Int32Array; seconds: number };

for (;;) {
  const seed = Atomics.load(current, 0);
  if (Atomics.wait(current, 0, seed, seconds * 1000) !== "timed-out") continue;
  writeSync(2, `${name}: the input of seed ${seed} takes more than ${seconds} s\n`);
  process.kill(process.pid, "SIGKILL");
}
