/**
 * Rebuilds the image codecs of codecs/ from the sources that codecs/README.md names:
 *
 * node scripts/codecs.mjs --libjpeg-turbo FOLDER --libwebp FOLDER
 *
 * The folders are the unpacked source archives. Needs clang and wasm-ld 14 with wasi-libc. `npm run build` only copies what is there.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root, run } from "./run.mjs";

const { values } = parseArgs({ options: { "libjpeg-turbo": { type: "string" }, libwebp: { type: "string" } } });

const TARGET = ["--target=wasm32-wasi", "-flto"];
const COMPILE = ["-c", "-O3", "-msimd128", "-mbulk-memory", "-DNDEBUG", "-Wall", "-Werror=implicit-function-declaration"];
/**
 * No entry point: the host calls the exports. The largest memory that 32 bits address, but for the last page. Without -O, at which
 * clang would run whatever wasm-opt the machine has.
 */
const LINK = ["-nostartfiles", "-Wl,--lto-O3,--no-entry,--strip-all,-z,stack-size=262144,--initial-memory=1048576,--max-memory=4294901760"];

const EIGHT_BIT = ["jdapistd", "jdcoefct", "jdcolor", "jddctmgr", "jddiffct", "jdlossls", "jdmainct", "jdpostct", "jdsample", "jutils"];
const PLAIN = ["jaricom", "jcomapi", "jdapimin", "jdarith", "jdhuff", "jdinput", "jdlhuff", "jdmarker", "jdmaster", "jdphuff", "jmemmgr", "jmemnobs"];
/**
 * The bit buffer of 64-bit machines, which libjpeg-turbo also has for x86-64 with short pointers: how long it is decides which files
 * that end early are read.
 */
const LONG_BIT_BUFFER = ["-D__x86_64__", "-D__ILP32__", "-Wno-macro-redefined"];
/**
 * What the sources name and never call: other kinds and sizes of the inverse DCT, palettes, fast upsampling, and all for samples of 9 to
 * 16 bits, which are refused before.
 */
const NEVER_CALLED = [
  ...["ifast", "float", ...[1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16].map((side) => `${side}x${side}`)].map((kind) => `jpeg_idct_${kind}`),
  ...["1pass_quantizer", "2pass_quantizer", "merged_upsampler"].map((name) => `jinit_${name}`),
  ...["1pass_quantizer", "2pass_quantizer", "merged_upsampler", "inverse_dct", "d_coef_controller"].map((name) => `j12init_${name}`),
  ...["j12", "j16"].flatMap((depth) => ["color_deconverter", "upsampler", "d_post_controller", "lossless_decompressor", "d_diff_controller", "d_main_controller"].map((name) => `${depth}init_${name}`)),
];
const WEBP = {
  dec: ["alpha_dec", "buffer_dec", "frame_dec", "io_dec", "quant_dec", "tree_dec", "vp8_dec", "vp8l_dec", "webp_dec"],
  dsp: ["alpha_processing", "cpu", "dec", "dec_clip_tables", "filters", "lossless", "rescaler", "upsampling", "yuv"],
  utils: ["bit_reader_utils", "color_cache_utils", "filters_utils", "huffman_utils", "quant_levels_dec_utils", "random_utils", "rescaler_utils", "thread_utils", "utils", "palette"],
  demux: ["demux"],
};

/** The headers that libjpeg-turbo's own build writes. */
const JPEG_HEADERS = {
  "jconfig.h": `#define JPEG_LIB_VERSION 62
#define LIBJPEG_TURBO_VERSION 3.1.3
#define LIBJPEG_TURBO_VERSION_NUMBER 3001003
#define D_ARITH_CODING_SUPPORTED 1
#define MEM_SRCDST_SUPPORTED 1
#ifndef BITS_IN_JSAMPLE
#define BITS_IN_JSAMPLE 8
#endif
`,
  "jconfigint.h": `#define BUILD ""
#define HIDDEN
#define INLINE inline
#define THREAD_LOCAL
#define PACKAGE_NAME "libjpeg-turbo"
#define VERSION "3.1.3"
#define SIZEOF_SIZE_T 4
#define HAVE_BUILTIN_CTZL
#define FALLTHROUGH __attribute__((fallthrough));
#ifndef BITS_IN_JSAMPLE
#define BITS_IN_JSAMPLE 8
#endif
#undef C_ARITH_CODING_SUPPORTED
#undef WITH_SIMD
`,
  "jversion.h": `#define JVERSION "8d  15-Jan-2012"
#define JCOPYRIGHT1 ""
#define JCOPYRIGHT2 ""
#define JCOPYRIGHT_SHORT ""
`,
};

function build(name, sources, flags) {
  const output = join(root, "codecs", `${name}.wasm`);
  const objects = [join(root, "codecs", `${name}.c`), ...sources].map((source, i) => {
    const object = join(work, `${name}-${i}.o`);
    run("clang", [...TARGET, ...COMPILE, ...flags, source, "-o", object]);
    return object;
  });
  run("clang", [...TARGET, ...LINK, ...objects, "-o", output]);
  console.log(`${name}.wasm: ${statSync(output).size} bytes`);
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(output)));
  if (imports.some(({ module }) => module !== "host")) throw new Error(`${name}.wasm imports ${imports.map(({ name: wanted }) => wanted).join(", ")}`);
}

const work = mkdtempSync(join(tmpdir(), "codecs-"));
try {
  for (const [name, text] of Object.entries(JPEG_HEADERS)) writeFileSync(join(work, name), text);
  const traps = NEVER_CALLED.map((name) => `void ${name}(void *codec${name.startsWith("jpeg_idct") ? ", void *component, void *coefficients, void *rows, unsigned column" : ""}) { __builtin_trap(); }\n`);
  writeFileSync(join(work, "never-called.c"), traps.join(""));
  const jpeg = values["libjpeg-turbo"], webp = values.libwebp;
  if (jpeg) {
    const names = [...EIGHT_BIT.map((name) => `wrapper/${name}-8.c`), ...PLAIN.map((name) => `${name}.c`)];
    const sources = [join(work, "never-called.c"), join(root, "codecs", "jpeg-idct.c"), ...names.map((name) => join(jpeg, "src", name))];
    build("jpeg-decoder", sources, ["-I", work, "-I", join(jpeg, "src"), "-DNO_GETENV", ...LONG_BIT_BUFFER]);
  }
  if (webp) {
    const sources = Object.entries(WEBP).flatMap(([part, names]) => names.map((name) => join(webp, `src/${part}/${name}.c`)));
    build("webp-decoder", sources, ["-I", webp, "-I", join(webp, "src"), "-Wno-unused-function"]);
  }
} finally {
  rmSync(work, { recursive: true });
}
