/** Draws text into pictures with a pixel font, so that it is the same everywhere: 5 pixels wide, 7 high and 2 below the line. */

const COLUMNS = 5;
const ROWS = 9;
/** From the left of a letter to the left of the next. */
const ADVANCE = COLUMNS + 1;
/** Letters from " " to "~": nine rows from the top, each a digit of base 32 whose highest bit is the leftmost pixel. */
const LETTERS = `
  000000000 444440400 aaa000000 aavavaa00 4fke5u400 op248j300 cik8lid00 448000000 248884200 842224800 04lel4000 044v44000
  00000c480 000v00000 00000cc00 11248gg00 ehjlphe00 4c4444e00 eh1248v00 v2421he00 26aiv2200 vgu11he00 68guhhe00 v12488800
  ehhehhe00 ehhf12c00 0cc0cc000 0cc0c4800 248g84200 00v0v0000 842124800 eh1240400 ehnlnge00 ehhvhhh00 uhhuhhu00 ehggghe00
  sihhhis00 vgguggv00 vgguggg00 ehgnhhf00 hhhvhhh00 e44444e00 72222ic00 hikokih00 ggggggv00 hrllhhh00 hhpljhh00 ehhhhhe00
  uhhuggg00 ehhhlid00 uhhukih00 fgge11u00 v44444400 hhhhhhe00 hhhhha400 hhhllla00 hha4ahh00 hhha44400 v1248gv00 e88888e00
  gg8421100 e22222e00 4ah000000 0000000v0 840000000 00e1fhf00 ggmphhu00 00egghe00 11djhhf00 00ehvge00 698s88800 00fhhhf1e
  ggmphhh00 40c444e00 2062222ic ggikoki00 c44444e00 00qllll00 00mphhh00 00ehhhe00 00uhhhugg 00fhhhf11 00mpggg00 00fge1u00
  88s889600 00hhhjd00 00hhha400 00hhlla00 00ha4ah00 00hhhhf1e 00v248v00 244844200 444444400 844244800 008l20000
`.trim().split(/\s+/).map((rows) => Array.from(rows, (digit) => parseInt(digit, 32)));
const FIRST = " ".charCodeAt(0);
const UNKNOWN = "?".charCodeAt(0) - FIRST;

/** The RGB pixels to write on. */
export interface Paper {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Pixels of a line of text at a size; the size is the side of a letter's dot in pixels. */
export function textWidth(text: string, size: number): number {
  return Math.max(0, Array.from(text).length * ADVANCE - 1) * size;
}

/** Pixels from the top of a letter to its lowest below the line. */
export function textHeight(size: number): number {
  return ROWS * size;
}

/** The text in lines that fit; longer words are broken. */
export function linesOf(text: string, width: number, size: number): string[] {
  const most = Math.max(1, Math.floor((width / size + 1) / ADVANCE)), lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    const joined = line === "" ? word : `${line} ${word}`;
    if (joined.length <= most) {
      line = joined;
      continue;
    }
    if (line !== "") lines.push(line);
    line = word;
    for (; line.length > most; line = line.slice(most)) lines.push(line.slice(0, most));
  }
  return line === "" ? lines : [...lines, line];
}

/** The text if it fits, else its beginning and dots. */
export function shortened(text: string, width: number, size: number): string {
  const most = Math.max(1, Math.floor((width / size + 1) / ADVANCE));
  return text.length <= most ? text : `${text.slice(0, Math.max(0, most - 3))}...`.slice(0, most);
}

/**
 * Writes a line, clipped at the edge of the picture. Letters beyond ASCII become question marks.
 *
 * @param size side of a letter's dot, in pixels
 * @param ink grey of the letters
 */
export function write({ data, width, height }: Paper, left: number, top: number, text: string, size: number, ink: number): void {
  Array.from(text).forEach((char, at) => {
    const rows = LETTERS[char.codePointAt(0)! - FIRST] ?? LETTERS[UNKNOWN];
    for (let y = 0; y < ROWS * size; y++) {
      for (let x = 0; x < COLUMNS * size; x++) {
        if (((rows[Math.floor(y / size)] >> (COLUMNS - 1 - Math.floor(x / size))) & 1) === 0) continue;
        const column = left + at * ADVANCE * size + x, row = top + y;
        if (column < width && row < height) data.fill(ink, (row * width + column) * 3, (row * width + column) * 3 + 3);
      }
    }
  });
}
