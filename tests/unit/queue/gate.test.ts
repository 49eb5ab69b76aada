/** Which jobs of a worker may run side by side. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "../../../ts-api/src/queue/gate.js";

test("a job that may end the process is never beside another", () => {
  const told: string[] = [], gate = new Gate(() => void told.push("close"), () => void told.push("open"));
  assert.deepEqual([gate.enter(false), gate.enter(false)], [true, true]);
  assert.equal(gate.enter(true), false);
  gate.leave();
  assert.deepEqual([gate.enter(true), told.join()], [false, "close"]);
  gate.leave();
  assert.equal(told.join(), "close,open");
  assert.deepEqual([gate.enter(true), gate.enter(false), gate.enter(true)], [true, false, false]);
  gate.leave();
  assert.equal(told.join(), "close,open,close,open");
  assert.equal(gate.enter(false), true);
  gate.leave();
  assert.equal(told.length, 4);
});
