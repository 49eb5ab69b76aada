/** How much work an image file announces, read from its head: enough to keep long work from standing before short. */

/** Beyond this it may not take every thread: more than a second for the decoders. */
const HEAVY = 100_000_000;

/** Whether a file announces so many pixels, or so many passes over them, that it takes long. Nothing is checked here. */
export function isHeavy(bytes: Uint8Array): boolean {
  return workOf(bytes) > HEAVY;
}

/** Pixels, times the passes over them. */
function workOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 30) return 0;
  if (view.getUint32(0) === 0x89504e47) return view.getUint32(16) * view.getUint32(20);
  if (view.getUint32(8) === 0x57454250) return webpPixels(view);
  return view.getUint16(0) === 0xffd8 ? jpegWork(bytes) : 0;
}

/** Of a lossy file, a lossless one, and one with a header of its own. */
function webpPixels(view: DataView): number {
  const kind = view.getUint32(12), bits = view.getUint32(21, true);
  if (kind === 0x56503820) return (view.getUint16(26, true) & 0x3fff) * (view.getUint16(28, true) & 0x3fff);
  if (kind === 0x5650384c) return ((bits & 0x3fff) + 1) * (((bits >> 14) & 0x3fff) + 1);
  return ((view.getUint32(24, true) & 0xffffff) + 1) * ((view.getUint32(26, true) >>> 8) + 1);
}

/** Every scan of a progressive file is a pass. Inside a scan an 0xff byte stands only before 0 or a restart marker. */
function jpegWork(bytes: Uint8Array): number {
  let pixels = 0, scans = 0;
  for (let at = bytes.indexOf(0xff); at >= 0 && at + 8 < bytes.length; at = bytes.indexOf(0xff, at + 1)) {
    const marker = bytes[at + 1];
    if (marker === 0xda) scans++;
    else if (marker >= 0xc0 && marker <= 0xca && marker !== 0xc4 && marker !== 0xc8) {
      pixels = Math.max(pixels, ((bytes[at + 5] << 8) | bytes[at + 6]) * ((bytes[at + 7] << 8) | bytes[at + 8]));
    }
  }
  return pixels * scans;
}
