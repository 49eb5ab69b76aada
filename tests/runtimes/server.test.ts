/** `ijepa serve` on the other runtimes that run the command: the same bits over HTTP, and a clean stop. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { absent, ENGINES, unless } from "../support/engines.js";

const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;

for (const [name, binary, ...args] of ENGINES) {
  test(`ijepa serve on ${name}`, { ...unless(absent(binary)), timeout: 120_000 }, async () => {
    const child = spawn(binary, [...args, "dist/cli.js", "serve", "--port", "0", "--dtype", "int4", "--device", "wasm", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    let printed = "";
    await new Promise<void>((resolve) => child.stdout.setEncoding("utf8").on("data", (text: string) => ((printed += text), resolve())));
    const { url } = JSON.parse(printed) as { url: string };
    const body = readFileSync("examples/photos/rocket.jpg");
    const responses = await Promise.all([1, 2, 3].map(() => fetch(`${url}/embed?pool=none`, { method: "POST", body, headers: { "content-type": "image/jpeg" } })));
    for (const response of responses) {
      const { numerics } = (await response.json()) as { numerics: { digest: string } };
      assert.equal(numerics.digest, stored["int4 rocket.jpg"]);
    }
    child.kill("SIGTERM");
    assert.equal(await ended, 0);
    assert.deepEqual(JSON.parse(printed.trimEnd().split("\n")[1]), { answered: 3 });
  });
}
