/** The bits of the heads that are fitted on the goldens, in any engine. */
import { LogisticRegression, probabilities } from "../../ts-api/src/classifiers/logistic.js";
import { neighbourVotes } from "../../ts-api/src/classifiers/neighbours.js";

export const HEAD_FOLDER = "tests/goldens/head";

interface Header {
  [name: string]: { data_offsets: [number, number]; [key: string]: unknown };
}

/**
 * SHA-256 over weights, biases, probabilities and votes of all cases.
 * @param files the goldens, by name
 */
export async function headDigest(files: readonly Uint8Array[]): Promise<string> {
  const parts: Uint8Array[] = [];
  for (const file of files) {
    const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Header, metadata = header["__metadata__"] as unknown as Record<string, string>;
    const raw = (name: string) => file.slice(8 + length + header[name].data_offsets[0], 8 + length + header[name].data_offsets[1]).buffer;
    const features = new Float32Array(raw("features")), labels = new Int32Array(raw("labels")), queries = new Float32Array(raw("queries")), width = features.length / labels.length;
    const examples = { features, width, labels, classes: Number(metadata["classes"]) }, { head } = await new LogisticRegression(examples).fit(Number(metadata["C"]));
    const votes = neighbourVotes(examples, { k: 20, temperature: 0.07 }), add = ({ buffer }: Float32Array | Float64Array) => parts.push(new Uint8Array(buffer));
    add(head.weight);
    add(head.bias);
    for (let from = 0; from < queries.length; from += width) {
      const query = queries.subarray(from, from + width);
      add(probabilities(head, query));
      add(votes(query));
    }
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts as BlobPart[]).arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
