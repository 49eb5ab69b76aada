/** Machines in network namespaces, on one bridge: each can be cut off. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";

const ip = (...args: string[]) => spawnSync("ip", args, { encoding: "utf8" });
const BRIDGE = "ijepa-test", NETWORK = "10.213.77";

/** Why there can be no namespaces here; false where there can. */
export const noNamespaces = canMake() ? false : "not run: this user may not make network namespaces";

function canMake(): boolean {
  const name = `${BRIDGE}-probe`, made = ip("netns", "add", name).status === 0;
  ip("netns", "del", name);
  return made;
}

/** A machine of its own, by name, with an address. */
export class Machine {
  private constructor(private readonly name: string, readonly address: string, private readonly cable: string) {}

  /** The bridge and its machines, the first at .1; `end` takes all of it away. */
  static network(names: readonly string[]): { machines: Machine[]; end(): void } {
    const machines = names.map((name, i) => new Machine(`${BRIDGE}-${name}`, `${NETWORK}.${i + 1}`, `ijepa-v${i}`));
    const end = (): void => {
      for (const { name } of machines) ip("netns", "del", name);
      ip("link", "del", BRIDGE);
    };
    end();
    must("link", "add", BRIDGE, "type", "bridge");
    must("link", "set", BRIDGE, "up");
    for (const { name, address, cable } of machines) {
      must("netns", "add", name);
      must("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name);
      must("link", "set", cable, "master", BRIDGE, "up");
      must("-n", name, "addr", "add", `${address}/24`, "dev", "eth0");
      must("-n", name, "link", "set", "eth0", "up");
      must("-n", name, "link", "set", "lo", "up");
    }
    return { machines, end };
  }

  run(program: string, args: readonly string[]): ChildProcess {
    return spawn("ip", ["netns", "exec", this.name, program, ...args], { env: { ...process.env, IJEPA_DEBUG: "" } });
  }

  /** Packets are lost, without a word, until it is plugged in again. */
  unplug(): void {
    must("link", "set", this.cable, "down");
  }

  plugIn(): void {
    must("link", "set", this.cable, "up");
  }
}

function must(...args: string[]): void {
  const { status, stderr } = ip(...args);
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}
