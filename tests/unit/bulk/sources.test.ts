/** `findImages` and lists of images: folders, patterns, links, lines. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { countImages, findImages, type FindOptions } from "../../../ts-api/src/bulk/files.js";
import { parsePatterns } from "../../../ts-api/src/bulk/glob.js";
import { chunksOfFile, imagesOfLines, linesOf } from "../../../ts-api/src/bulk/lines.js";
import { fetchedSource, type BulkSource } from "../../../ts-api/src/bulk/source.js";
import { fails } from "../image/helpers.js";

const PHOTO = "tests/goldens/images/files/rocket.jpg";
const never = new AbortController().signal;
let root: string;

before(() => {
  root = mkdtempSync(join(tmpdir(), "ijepa-sources-"));
  for (const folder of ["a", "a/deep/deeper", "b", ".hidden"]) mkdirSync(join(root, folder), { recursive: true });
  for (const name of ["z.jpg", "a/1.JPG", "a/2.png", "a/no-extension", "a/deep/3.webp", "a/deep/deeper/4.jpg", "b/5.heic", ".hidden/6.jpg", "a/._1.JPG"]) copyFileSync(PHOTO, join(root, name));
  for (const name of ["readme.txt", "a/notes", "a/labels.csv"]) writeFileSync(join(root, name), "no image, only some text");
  symlinkSync("..", join(root, "a/deep/up"));
  symlinkSync("../a/deep", join(root, "b/deep"));
  symlinkSync("nowhere", join(root, "b/broken.jpg"));
  symlinkSync("itself.jpg", join(root, "b/itself.jpg"));
});
after(() => rmSync(root, { recursive: true }));

async function all(sources: AsyncIterable<BulkSource>): Promise<BulkSource[]> {
  const list: BulkSource[] = [];
  for await (const source of sources) list.push(source);
  return list;
}

async function namesOf(names: string[], options?: FindOptions): Promise<string[]> {
  return (await all(findImages(names, options))).map(({ name }) => name.replace(`${root}/`, ""));
}

test("a folder: its images by name or by first bytes, in order, without what begins with a dot", async () => {
  assert.deepEqual(await namesOf([`${root}/a`]), ["a/1.JPG", "a/2.png", "a/no-extension"]);
  assert.deepEqual(await namesOf([`${root}/a/`, `${root}/z.jpg`]), ["a/1.JPG", "a/2.png", "a/no-extension", "z.jpg"]);
  assert.deepEqual(await namesOf([`${root}/a/notes`]), ["a/notes"], "a file that is named is taken as it is");
});

test("recursive: every folder once, although links go in circles", async () => {
  assert.deepEqual(await namesOf([root], { recursive: true }), [
    "z.jpg", "a/1.JPG", "a/2.png", "a/no-extension", "a/deep/3.webp", "a/deep/deeper/4.jpg", "b/5.heic", "b/broken.jpg", "b/itself.jpg",
  ]);
  assert.equal(await countImages([root, `${root}/b`], { recursive: true }), 9 + 8);
});

test("patterns", async () => {
  const match = (pattern: string) => namesOf([`${root}/${pattern}`]);
  assert.deepEqual(await match("a/*.{JPG,png}"), ["a/1.JPG", "a/2.png"]);
  assert.deepEqual(await match("a/[0-9].*"), ["a/1.JPG", "a/2.png"]);
  assert.deepEqual(await match("?/?.[!j]*"), ["a/1.JPG", "a/2.png", "b/5.heic"]);
  assert.deepEqual(await match("**/*.jpg"), ["z.jpg", "a/deep/deeper/4.jpg", "b/broken.jpg", "b/itself.jpg"]);
  assert.deepEqual(await match("a/**"), ["a/1.JPG", "a/2.png", "a/no-extension", "a/deep/3.webp", "a/deep/deeper/4.jpg"]);
  assert.deepEqual(await match(".hidden/*.jpg"), [".hidden/6.jpg"]);
  assert.deepEqual(await match("a/.*"), ["a/._1.JPG"]);
  mkdirSync(join(root, "2023 [scans]"));
  for (const name of ["[1].jpg", "x.jpg"]) copyFileSync(PHOTO, join(root, "2023 [scans]", name));
  assert.deepEqual(await match("2023 [scans]/*.jpg"), ["2023 [scans]/[1].jpg", "2023 [scans]/x.jpg"]);
  rmSync(join(root, "2023 [scans]"), { recursive: true });
  const [nothing] = await all(findImages([`${root}/*.tiff`]));
  await fails(() => nothing.read(never), "io/read", /no file matches/);
  await fails(async () => (await all(findImages([`${root}/[z-a]*`])))[0].read(never), "io/read", /no file matches/);
  assert.deepEqual(parsePatterns("/x*/y").map(({ folder }) => folder), ["/"]);
});

test("names of every kind, two that differ only in case among them", async () => {
  const folder = join(root, "names"), names = ["A.jpg", "a.jpg", "b\nc.jpg", "d'\"e.jpg", "f*?[g].jpg", "h{i,j}.jpg", "\u00e9.jpg", "\u{1f600}.jpg"];
  mkdirSync(folder);
  for (const name of names) copyFileSync(PHOTO, join(folder, name));
  assert.deepEqual((await namesOf([folder])).map((name) => name.slice("names/".length)).sort(), [...names].sort());
  assert.deepEqual(await namesOf([`${folder}/f*?[g].jpg`, `${folder}/h{i,j}.jpg`]), ["names/f*?[g].jpg", "names/h{i,j}.jpg"], "a file of that name is no pattern");
});

test("a folder that changes while it is walked: what is gone says so when it is read, and the walk goes on", async () => {
  const folder = join(root, "changing"), found: string[] = [];
  for (const name of ["below", "moved"]) mkdirSync(join(folder, name), { recursive: true });
  for (const name of ["1.jpg", "2.jpg", "3.jpg", "below/4.jpg", "moved/5.jpg"]) copyFileSync(PHOTO, join(folder, name));
  for await (const source of findImages([folder], { recursive: true })) {
    found.push(source.name.slice(folder.length + 1));
    if (found.length === 1) {
      rmSync(join(folder, "2.jpg"));
      renameSync(join(folder, "moved"), join(folder, "elsewhere"));
      copyFileSync(PHOTO, join(folder, "below/6.jpg"));
    }
    if (/2\.jpg$|moved$/.test(source.name)) await fails(() => source.read(never), "io/read");
    else assert.ok((await source.read(never)).length > 0);
  }
  assert.deepEqual(found, ["1.jpg", "2.jpg", "3.jpg", "moved", "below/4.jpg", "below/6.jpg"]);
});

test("what is not there, links that lead nowhere and names that are no UTF-8 say so when they are read", async () => {
  const folder = join(root, "odd");
  mkdirSync(folder);
  copyFileSync(PHOTO, Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff), Buffer.from(".jpg")]));
  const [odd] = await all(findImages([folder]));
  await fails(() => odd.read(never), "io/read", /UTF-8/);
  for (const name of [`${root}/b/broken.jpg`, `${root}/b/itself.jpg`, `${root}/absent.jpg`]) {
    const [source] = await all(findImages([name]));
    await fails(() => source.read(never), "io/read");
  }
});

test("sources know size and time, and read their bytes; URLs are read as they are", async () => {
  const bytes = readFileSync(PHOTO), data = `data:image/jpeg;base64,${bytes.toString("base64")}`;
  const sources = await all(findImages([PHOTO, pathToFileURL(PHOTO).href, data]));
  assert.equal((await sources[0].look!())?.bytes, bytes.length);
  for (const source of sources) assert.ok(bytes.equals(await source.read(never)), source.name);
  assert.ok(sources[2].name.length < 50);
});

test("a URL that is read by the caller's rules is given up when its time is over, or nobody waits for it", async () => {
  const ended: string[] = [], stalling = (url: URL, { signal }: { signal: AbortSignal }) => new Promise<Uint8Array>(() => signal.addEventListener("abort", () => ended.push(url.pathname)));
  await fails(() => fetchedSource("https://host/slow.jpg", stalling).read(never, { timeout: 20 }), "io/read", /https:\/\/host\/slow\.jpg: it did not arrive within 0\.02 s/);
  assert.deepEqual(ended, ["/slow.jpg"]);
  await fails(() => fetchedSource("https://host/slow.jpg", stalling).read(AbortSignal.abort()), "aborted");
  await fails(() => fetchedSource("https://", stalling).read(never), "io/read", /not a URL/);
  assert.deepEqual(await fetchedSource("https://host/a.jpg", async (_, { maxBytes }) => Uint8Array.of(maxBytes > 2 ** 20 ? 1 : 0)).read(never), Uint8Array.of(1));
});

test("lines: paths, URLs and base64, one image each", async () => {
  const bytes = readFileSync(PHOTO), text = `${PHOTO}\r\n\n${bytes.toString("base64")}\nabsent.jpg\n  \ndata:image/jpeg;base64,${bytes.toString("base64")}`;
  async function* chunks() {
    const encoded = new TextEncoder().encode(text);
    for (let at = 0; at < encoded.length; at += 1000) yield encoded.subarray(at, at + 1000);
  }
  const sources = await all(imagesOfLines(linesOf(chunks())));
  assert.deepEqual(sources.map(({ name }) => name.slice(0, 20)), [PHOTO.slice(0, 20), "line 3", "absent.jpg", "line 6"]);
  for (const i of [0, 1, 3]) assert.ok(bytes.equals(await sources[i].read(never)));
});

test("names that end in NUL may have line breaks; carriage returns stay theirs", async () => {
  const lines = async (...pieces: string[]) => {
    async function* chunks() {
      for (const piece of pieces) yield new TextEncoder().encode(piece);
    }
    return (await all(imagesOfLines(linesOf(chunks())))).map(({ name }) => name);
  };
  assert.deepEqual(await lines("a", "\r\n", "b.jpg\0c.jpg\r", "\n"), ["a", "b.jpg\0c.jpg"]);
  assert.deepEqual(await lines("a\nb.jpg\0c.jpg\r", "\0d.jpg"), ["a\nb.jpg", "c.jpg\r", "d.jpg"]);
  assert.deepEqual(await lines("\uFEFFa.jpg\r\nb.jpg"), ["a.jpg", "b.jpg"]);
});

test("files of the working folder whose names look like URLs", async () => {
  const folder = join(root, "urls"), before = process.cwd();
  mkdirSync(folder);
  for (const name of ["data:a.jpg", "http:b.jpg", "c:d.jpg"]) copyFileSync(PHOTO, join(folder, name));
  try {
    process.chdir(folder);
    const sources = await all(findImages(["."]));
    assert.deepEqual(sources.map(({ name }) => name), ["c:d.jpg", "./data:a.jpg", "./http:b.jpg"]);
    for (const source of sources) assert.ok((await source.read(never)).length > 0);
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  }
});

test("100,000 lines", async () => {
  const list = join(root, "list.txt");
  writeFileSync(list, Array.from({ length: 100_000 }, (_, i) => `folder/photo ${i} \u00e4.jpg\n`).join(""));
  let count = 0, last = "";
  for await (const { name } of imagesOfLines(linesOf(chunksOfFile(list)))) [count, last] = [count + 1, name];
  assert.deepEqual([count, last], [100_000, "folder/photo 99999 \u00e4.jpg"]);
  await fails(async () => all(imagesOfLines(linesOf(chunksOfFile(join(root, "absent"))))), "io/read");
});
