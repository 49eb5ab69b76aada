/** Entry of a decode thread in Node. */
import { parentPort, workerData } from "node:worker_threads";
import { serveDecoding, type DecodeRequest, type DecoderData } from "../decoding/messages.js";

const port = parentPort!;
const decode = serveDecoding(workerData as DecoderData, (reply, transfer) => port.postMessage(reply, transfer));
port.on("message", (request: DecodeRequest) => void decode(request));
