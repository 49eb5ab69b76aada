/** The part of the protobuf wire format that an ONNX file needs (protobuf.dev, "Encoding"). */
export class Message {
  /** Encoded parts in order; large ones are the caller's own bytes. */
  readonly parts: Uint8Array[] = [];
  length = 0;

  /** A whole number, from 0 to 2^53. */
  int(field: number, value: number): this {
    return this.push(Uint8Array.from([...varint(field * 8), ...varint(value)]));
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.push(Uint8Array.from([...varint(field * 8 + 5), ...bytes]));
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    this.head(field, value.length);
    return this.push(value);
  }

  message(field: number, value: Message): this {
    this.head(field, value.length);
    value.parts.forEach((part) => this.push(part));
    return this;
  }

  private head(field: number, length: number): void {
    this.push(Uint8Array.from([...varint(field * 8 + 2), ...varint(length)]));
  }

  private push(bytes: Uint8Array): this {
    this.parts.push(bytes);
    this.length += bytes.length;
    return this;
  }
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
