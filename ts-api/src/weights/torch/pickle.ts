/**
 * Reads a pickle without running code: numbers, strings, tuples, lists and dicts are built here. Imports and calls of the pickle go to a
 * `Host`, which knows a few names and refuses the rest. The opcodes are those that torch.save writes (protocols 2 to 5, Python's
 * pickletools.py); any other is refused.
 */

/** Handles everything in a pickle beyond plain data. Each function throws for what it does not know. */
export interface Host {
  /** An object of a module, asked for by name. */
  global(module: string, name: string): unknown;
  call(callee: unknown, args: unknown): unknown;
  persistent(id: unknown): unknown;
  /** State that is set on an object after it was made. */
  build(object: unknown, state: unknown): void;
  /** The error for a damaged or unknown pickle. */
  refuse(problem: string, offset: number): Error;
}

/**
 * Dicts become Maps, tuples and lists arrays, None null, integers beyond 2^53 bigints.
 * @throws what the host makes or throws
 */
export function readPickle(bytes: Uint8Array, host: Host): unknown {
  return new Machine(bytes, host).run();
}

const MARK = Symbol("mark");

/**
 * Most opcodes, and items that they pass. Each makes an object of up to some hundred bytes. The checkpoint of ViT-g/16, with predictor
 * and optimizer, has some 150,000.
 */
const MAX_STEPS = 2 ** 20;

class Machine {
  private readonly view: DataView;
  private readonly stack: unknown[] = [];
  private readonly memo = new Map<number, unknown>();
  private at = 0;
  private steps = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly host: Host,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  run(): unknown {
    for (;;) {
      this.spend(1);
      const op = String.fromCharCode(this.u8());
      if (op === ".") return this.pop();
      this.step(op);
    }
  }

  private step(op: string): void {
    const { stack, host } = this;
    switch (op) {
      // Frames: the protocol, and lengths that only help streams.
      case "\x80": return void this.u8();
      case "\x95": return void this.u64();
      // Plain values.
      case "N": return this.push(null);
      case "\x88": return this.push(true);
      case "\x89": return this.push(false);
      case "K": return this.push(this.u8());
      case "M": return this.push(this.view.getUint16(this.take(2), true));
      case "J": return this.push(this.view.getInt32(this.take(4), true));
      case "\x8a": return this.push(this.long(this.u8()));
      case "G": return this.push(this.view.getFloat64(this.take(8)));
      case "X": return this.push(this.text(this.u32()));
      case "\x8c": return this.push(this.text(this.u8()));
      case "\x8d": return this.push(this.text(this.u64()));
      // Tuples, lists and dicts.
      case ")": case "]": return this.push([]);
      case "}": return this.push(new Map());
      case "(": return this.push(MARK);
      case "t": return this.push(this.popToMark());
      case "\x85": return this.push(this.popMany(1));
      case "\x86": return this.push(this.popMany(2));
      case "\x87": return this.push(this.popMany(3));
      case "a": return this.append(this.popMany(1));
      case "e": return this.append(this.popToMark());
      case "s": return this.setItems(this.popMany(2));
      case "u": return this.setItems(this.popToMark());
      // The memo.
      case "q": return this.remember(this.u8());
      case "r": return this.remember(this.u32());
      case "\x94": return this.remember(this.memo.size);
      case "h": return this.recall(this.u8());
      case "j": return this.recall(this.u32());
      case "0": return void this.pop();
      // What only the host knows.
      case "c": return this.push(host.global(this.line(), this.line()));
      case "\x93": {
        const [module, name] = this.popMany(2);
        if (typeof module !== "string" || typeof name !== "string") throw this.fail("it asks for a global without a name");
        return this.push(host.global(module, name));
      }
      case "R": {
        const [callee, args] = this.popMany(2);
        // A call may read every item of its arguments, and the same list can be passed many times.
        if (Array.isArray(args)) for (const item of args) this.spend(Array.isArray(item) ? item.length : 1);
        return this.push(host.call(callee, args));
      }
      case "Q": return this.push(host.persistent(this.pop()));
      case "b": {
        const [object, state] = this.popMany(2);
        host.build(object, state);
        return void stack.push(object);
      }
      default: throw this.fail(`it has the opcode 0x${op.charCodeAt(0).toString(16)}, which torch.save does not write`);
    }
  }

  private spend(steps: number): void {
    this.steps += steps;
    if (this.steps > MAX_STEPS) throw this.fail(`it takes more than ${MAX_STEPS} steps to read, far more than any checkpoint of I-JEPA`);
  }

  private fail(problem: string): Error {
    return this.host.refuse(problem, this.at);
  }

  /** The place of the next `length` bytes. */
  private take(length: number): number {
    if (!(length <= this.bytes.length - this.at)) throw this.fail(`it ends within an item of ${length} bytes`);
    this.at += length;
    return this.at - length;
  }

  private u8(): number {
    return this.view.getUint8(this.take(1));
  }

  private u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  private u64(): number {
    return Number(this.view.getBigUint64(this.take(8), true));
  }

  private text(length: number): string {
    const from = this.take(length);
    return new TextDecoder().decode(this.bytes.subarray(from, from + length));
  }

  private line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) throw this.fail("it ends within a name");
    return this.text(end + 1 - this.at).slice(0, -1);
  }

  /** Two's complement of `length` bytes. */
  private long(length: number): number | bigint {
    const from = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[from + i]);
    value = BigInt.asIntN(8 * length, value);
    return BigInt.asIntN(53, value) === value ? Number(value) : value;
  }

  private push(value: unknown): void {
    this.stack.push(value);
  }

  private pop(): unknown {
    const value = this.stack.pop();
    if (value === undefined || value === MARK) throw this.fail("it takes more values than it has");
    return value;
  }

  private popMany(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  private popToMark(): unknown[] {
    const mark = this.stack.lastIndexOf(MARK);
    if (mark < 0) throw this.fail("it takes values up to a mark that was never set");
    const values = this.stack.splice(mark);
    return values.slice(1);
  }

  private append(values: unknown[]): void {
    const list = this.stack.at(-1);
    if (!Array.isArray(list)) throw this.fail("it appends to something that is not a list");
    for (const value of values) list.push(value);
  }

  private setItems(pairs: unknown[]): void {
    const dict = this.stack.at(-1);
    if (!(dict instanceof Map) || pairs.length % 2 !== 0) throw this.fail("it sets items of something that is not a dict");
    for (let i = 0; i < pairs.length; i += 2) dict.set(pairs[i], pairs[i + 1]);
  }

  private remember(place: number): void {
    const value = this.stack.at(-1);
    if (value === undefined) throw this.fail("it stores a value that is not there");
    this.memo.set(place, value);
  }

  private recall(place: number): void {
    const value = this.memo.get(place);
    if (value === undefined) throw this.fail(`it recalls value ${place}, which was never stored`);
    this.push(value);
  }
}
