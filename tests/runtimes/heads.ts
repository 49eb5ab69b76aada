/** The bits of the heads that are fitted on the goldens; as a program it prints their digest. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { argv } from "node:process";
import { LogisticRegression, probabilities } from "../../ts-api/src/classifiers/logistic.js";
import { neighbourVotes } from "../../ts-api/src/classifiers/neighbours.js";

const FOLDER = "tests/goldens/head";

interface Header {
  [name: string]: { data_offsets: [number, number]; [key: string]: unknown };
}

/** SHA-256 over weights, biases, probabilities and votes of all cases. */
export async function headDigest(): Promise<string> {
  const digest = createHash("sha256");
  for (const file of readdirSync(FOLDER).sort()) {
    const bytes = readFileSync(`${FOLDER}/${file}`), length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Header, metadata = header["__metadata__"] as unknown as Record<string, string>;
    const raw = (name: string) => new Uint8Array(bytes.subarray(8 + length + header[name].data_offsets[0], 8 + length + header[name].data_offsets[1])).buffer;
    const features = new Float32Array(raw("features")), labels = new Int32Array(raw("labels")), queries = new Float32Array(raw("queries")), width = features.length / labels.length;
    const examples = { features, width, labels, classes: Number(metadata["classes"]) }, { head } = await new LogisticRegression(examples).fit(Number(metadata["C"]));
    const votes = neighbourVotes(examples, { k: 20, temperature: 0.07 });
    for (const numbers of [head.weight, head.bias]) digest.update(new Uint8Array(numbers.buffer));
    for (let from = 0; from < queries.length; from += width) {
      const query = queries.subarray(from, from + width);
      for (const numbers of [probabilities(head, query), votes(query)]) digest.update(new Uint8Array(numbers.buffer));
    }
  }
  return digest.digest("hex");
}

if (argv[2] === "--print") console.log(await headDigest());
