/** Entry of a decode thread in browsers: the first message has its settings, the others are images. */
import { serveDecoding, type DecodeRequest, type DecoderData } from "../decoding/messages.js";

let decode: ((request: DecodeRequest) => Promise<void>) | undefined;

addEventListener("message", ({ data }: MessageEvent<DecoderData | DecodeRequest>) => {
  if (decode !== undefined) void decode(data as DecodeRequest);
  else decode = serveDecoding(data as DecoderData, (reply, transfer) => postMessage(reply, { transfer }));
});
