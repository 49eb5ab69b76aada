/** What lies in people's folders in the place of a model's files. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { pickle, zip, type Pickled } from "../../support/torch.js";
import { failure, inFolder, SMALL, smallModel } from "./helpers.js";

const pointer = (size: number) => `version https://git-lfs.github.com/spec/v1\noid sha256:${"4d7a2146".repeat(8)}\nsize ${size}\n`;
const PAGES = [
  '<!DOCTYPE html>\n<html class="">\n<head><title>model.safetensors</title></head>', "\n\n  <html lang=en><body>Sign in</body></html>", "\ufeff<!doctype HTML><p>",
  "<!-- saved from url --><html></html>", "<head><meta charset=utf-8></head>",
];
const INDEX = JSON.stringify({ weight_map: { "layernorm.weight": "part.safetensors" } });

test("a Git LFS pointer in the place of any file is recognised, with what to do", async () => {
  const { "config.json": config } = smallModel();
  const cases: [files: Record<string, string | Uint8Array>, ref: string, code: "weights/format" | "config/missing", size: number][] = [
    [{ ...smallModel(), "model.safetensors": pointer(2523000000) }, "", "weights/format", 2523000000],
    [{ "config.json": config, "model.safetensors.index.json": INDEX, "part.safetensors": pointer(77) }, "", "weights/format", 77],
    [{ "config.json": config, "model.safetensors.index.json": pointer(78) }, "", "weights/format", 78],
    [{ ...smallModel(), "config.json": pointer(79) }, "", "config/missing", 79],
    [{ ...smallModel(), "preprocessor_config.json": pointer(80) }, "", "config/missing", 80],
    [{ "jepa.pth.tar": pointer(81) }, "/jepa.pth.tar", "weights/format", 81],
  ];
  for (const [files, ref, code, size] of cases) {
    await inFolder(files, async (folder) => {
      const { message } = await failure(code, () => openCheckpoint(`${folder}${ref}`));
      assert.match(message, new RegExp(`Git LFS pointer.*${size} bytes.*git lfs pull`));
    });
  }
});

test("a web page in the place of any file is recognised, with what to do", async () => {
  const { "config.json": config } = smallModel();
  for (const page of PAGES) {
    const cases: [files: Record<string, string | Uint8Array>, ref: string, code: "weights/format" | "config/missing"][] = [
      [{ ...smallModel(), "model.safetensors": page }, "", "weights/format"],
      [{ "config.json": config, "model.safetensors.index.json": page }, "", "weights/format"],
      [{ ...smallModel(), "config.json": page }, "", "config/missing"],
      [{ ...smallModel(), "preprocessor_config.json": page }, "", "config/missing"],
      [{ "jepa.ckpt": page }, "/jepa.ckpt", "weights/format"],
    ];
    for (const [files, ref, code] of cases) {
      await inFolder(files, async (folder) => assert.match((await failure(code, () => openCheckpoint(`${folder}${ref}`))).message, /web page \(HTML\).*\/resolve\//));
    }
  }
  const denied = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>';
  await inFolder({ ...smallModel(), "model.safetensors": denied }, async (folder) => assert.match((await failure("weights/format", () => openCheckpoint(folder))).message, /XML document/));
});

test("the words of a server in the place of weights are shown", async () => {
  for (const words of ["Entry not found", '{"error":"Repository not found"}', "Access to model someone/else is restricted. You must be authenticated to access it.\n"]) {
    await inFolder({ ...smallModel(), "model.safetensors": words, "jepa.ckpt": words }, async (folder) => {
      for (const ref of ["", "/jepa.ckpt"]) {
        const { message } = await failure("weights/format", () => openCheckpoint(`${folder}${ref}`));
        assert.ok(message.includes(`a text that begins with ${JSON.stringify(words.trim()).slice(0, 40)}`), message);
      }
    });
  }
});

test("a server that answers with a page of its own in the place of a file is caught at that file", async (t) => {
  const files: Record<string, string | Uint8Array> = smallModel();
  let page = PAGES[0];
  const server = createServer(({ url, headers }, response) => {
    const name = url!.split("/").at(-1)!, body = Buffer.from(Object.hasOwn(files, name) ? files[name] : page), [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
    if (first === undefined || url!.startsWith("/whole")) return void response.writeHead(200, { "content-type": "text/html" }).end(body);
    const end = Math.min(Number(last), body.length - 1);
    response.writeHead(206, { "content-type": "text/html", "content-range": `bytes ${first}-${end}/${body.length}` }).end(body.subarray(Number(first), end + 1));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  files["preprocessor_config.json"] = "{}";
  for (page of [PAGES[0], PAGES[1] + " ".repeat(100_000)]) {
    for (const missing of ["config.json", "preprocessor_config.json", "model.safetensors"]) {
      const kept = files[missing];
      delete files[missing];
      for (const path of ["ranges", "whole"]) {
        const { message } = await failure(missing.endsWith(".json") ? "config/missing" : "weights/format", () => openCheckpoint(`${address}/${path}`));
        assert.match(message, new RegExp(`${missing} .*web page \\(HTML\\)`), `${path} ${missing}`);
      }
      files[missing] = kept;
    }
  }
});

test("weights of other formats are named", async () => {
  const begin = (...bytes: (number | string)[]) => Buffer.concat([Buffer.concat(bytes.map((part) => Buffer.from(typeof part === "string" ? part : [part]))), Buffer.alloc(600, 0x77)]);
  const formats: [head: Uint8Array, words: RegExp][] = [
    [zip({ "a/data.pkl": pickle(null) }), /a zip, as torch\.save writes/],
    [begin("GGUF"), /GGUF/], [begin(0x89, "HDF\r\n"), /HDF5/], [begin(0x1f, 0x8b), /gzip/], [begin(0x80, 2, 0x8a), /pickle of Python/],
    [begin(0xfd, "7zXZ"), /xz/], [begin("BZh9"), /bzip2/], [begin("7z", 0xbc, 0xaf), /7z archive/], [begin(0x93, "NUMPY"), /NumPy/], [begin(0x1c, 0, 0, 0, "TFL3"), /TensorFlow Lite/],
    [begin(8, 7, 0x12, 7, "pytorch"), /ONNX/], [begin(8, 8, ":"), /ONNX/], [begin(0x81, 0xa6, "params"), /Flax/],
  ];
  for (const [head, words] of formats) {
    await inFolder({ ...smallModel(), "model.safetensors": head, "model.bin": head }, async (folder) => {
      assert.match((await failure("weights/format", () => openCheckpoint(folder))).message, words);
      const message = head[0] === 0x50 ? "" : (await failure("weights/format", () => openCheckpoint(`${folder}/model.bin`))).message;
      if (message !== "") assert.match(message, head[0] === 0x80 ? /before PyTorch 1\.6/ : words);
    });
  }
});

test("weights of other formats in a folder are named", async () => {
  const { "config.json": config } = smallModel();
  for (const name of ["pytorch_model.bin", "tf_model.h5", "model.onnx"]) {
    await inFolder({ "config.json": config, [name]: "" }, async (folder) => assert.match((await failure("weights/missing", () => openCheckpoint(folder))).message, new RegExp(`beside it\\. It has ${name}\\. Weights are read`)));
  }
  await inFolder({ "config.json": config }, async (folder) => assert.match((await failure("weights/missing", () => openCheckpoint(folder))).message, /beside it\. Weights are read/));
});

test("checkpoints of the research code are files under all of their names, and folders are folders", async () => {
  const without = zip({ "a/data.pkl": pickle(new Map<string, Pickled>([["model", new Map()]])) });
  for (const name of ["jepa.ckpt", "jepa.bin", "jepa.tar", "jepa.pth", "jepa.PT", "jepa.pth.tar", "jepa", "jepa-latest.model"]) {
    await inFolder({ [name]: without }, async (folder) => {
      for (const ref of [`${folder}/${name}`, `file://${folder}/${name}`]) {
        assert.match((await failure("weights/missing", () => openCheckpoint(ref))).message, /no state dict "encoder"; it has "model"/, ref);
      }
      if (/\./.test(name)) assert.deepEqual((await failure("weights/missing", () => openCheckpoint(`${folder}/absent-${name.replace("-latest.model", ".bin")}`))).details.what, "file");
    });
  }
  for (const name of ["v1.pt", "model.bin", "jepa.pth.tar"]) {
    await inFolder({}, async (folder) => {
      await mkdir(`${folder}/${name}`);
      for (const [file, content] of Object.entries(smallModel())) await writeFile(`${folder}/${name}/${file}`, content);
      await (await openCheckpoint(`${folder}/${name}`)).close();
    });
  }
});

test("addresses that are none are told", async () => {
  for (const ref of ["https://host/x%E0%A4.pth.tar", "https://host/100%.ckpt", "file:///x%E0%A4.pth.tar", "https://"]) await failure("input/value", () => openCheckpoint(ref));
});

test("other files that are named in place of a folder are called files", async () => {
  const tar = Buffer.alloc(1024);
  tar.write("ustar", 257);
  const cases: [name: string, content: string | Uint8Array, code: "config/missing" | "weights/format", words: RegExp][] = [
    ["model.safetensors", smallModel()["model.safetensors"], "config/missing", /is a file\. Pass the folder/],
    ["page", PAGES[0], "config/missing", /is a file: it is a web page/],
    ["model.gguf", "GGUF and more", "config/missing", /is a file \(a GGUF file\)/],
    ["jepa.tar", tar, "weights/format", /a tar archive; unpack/],
    ["jepa.pt", smallModel()["model.safetensors"], "weights/format", /it is a safetensors file; pass the folder/],
  ];
  for (const [name, content, code, words] of cases) {
    await inFolder({ [name]: content }, async (folder) => assert.match((await failure(code, () => openCheckpoint(`${folder}/${name}`))).message, words));
  }
});

test("Python's NaN and infinities are read where nothing needs them, and refused where something does", async () => {
  const json = (fields: string) => `${JSON.stringify(SMALL).slice(0, -1)},${fields}}`;
  const opens = json('"x": NaN, "list": [Infinity, -Infinity, {"y": -Infinity}], "says": "NaN, \\"Infinity\\" \\\\", "problem_type": null');
  await inFolder({ ...smallModel(), "config.json": opens, "preprocessor_config.json": '{"note": NaN, "do_resize": true}' }, async (folder) => {
    const checkpoint = await openCheckpoint(folder), { x, list, says } = checkpoint.config.toJSON();
    assert.deepEqual([x, list, says], [NaN, [Infinity, -Infinity, { y: -Infinity }], 'NaN, "Infinity" \\']);
    assert.ok(Number.isNaN(checkpoint.preprocessorConfig?.["note"]));
    await checkpoint.close();
  });
  for (const value of ["NaN", "Infinity", "-Infinity"]) {
    await inFolder({ ...smallModel(), "config.json": json(`"layer_norm_eps": ${value}`) }, async (folder) => {
      assert.match((await failure("config/field", () => openCheckpoint(folder))).message, new RegExp(`not ${value}`));
    });
  }
  for (const wrong of ["+Infinity", "nan", "NaNs", "Infinity2", "- Infinity"]) {
    await inFolder({ ...smallModel(), "config.json": json(`"x": ${wrong}`) }, (folder) => failure("config/missing", () => openCheckpoint(folder)));
  }
});

test("configurations that would take gigabytes to parse are refused before they are parsed", async () => {
  for (const bomb of [`{"x":${"[".repeat(1.6e7)}${"]".repeat(1.6e7)}}`, `{"x":[${"{},".repeat(1e7)}1]}`]) {
    await inFolder({ ...smallModel(), "config.json": bomb }, async (folder) => {
      assert.match((await failure("config/field", () => openCheckpoint(folder))).message, /more than \d+ (arrays and objects|values)/);
    });
  }
});
