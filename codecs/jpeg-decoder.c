/*
 * JPEG to RGB with libjpeg-turbo, in the steps and with the settings of Pillow's decoder, so that the same files are read, with the
 * same pixels: input that ends makes libjpeg stop and wait, and whatever is whole by then counts.
 *
 * An error never returns: `fail` is the host's, throws, and the host drops this instance.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>
#include <jversion.h>

#define EXPORT(name) __attribute__((export_name(#name))) name

/** `text` is a printf template, `values` are 8 ints or up to 80 characters. */
__attribute__((import_module("host"), import_name("fail"))) _Noreturn void fail(const char *text, const void *values);

/** Bytes of the rows that are read at a time, about. */
#define STRIP_BYTES 65536
#define PIECE_BYTES 65536

static struct jpeg_decompress_struct image;
static struct jpeg_error_mgr errors;
static struct jpeg_source_mgr source;
/** Bytes of the file that libjpeg does not see yet, and bytes to skip once it does. */
static size_t hidden, skipped;
static JSAMPLE *strip, *inks;
static JDIMENSION strip_rows;
/** The first warning of a file. */
static int warning_code;
static int warning_values[20];

_Static_assert(sizeof(warning_values) == sizeof(errors.msg_parm), "a message's values are 80 bytes");

/** The templates of all messages, which jerror.h lists for this. */
#define JMESSAGE(code, text) text,
static const char *const messages[] = {
#include <jerror.h>
};

static const char *text_of(int code) {
  return messages[code > 0 && code < (int)(sizeof messages / sizeof *messages) ? code : 0];
}

static void on_error(j_common_ptr codec) {
  (void)codec;
  fail(text_of(errors.msg_code), &errors.msg_parm);
}

static void on_message(j_common_ptr codec, int level) {
  (void)codec;
  if (level >= 0) return;
  if (errors.num_warnings++ == 0) {
    warning_code = errors.msg_code;
    __builtin_memcpy(warning_values, &errors.msg_parm, sizeof warning_values);
  }
}

static void nothing(j_common_ptr codec) {
  (void)codec;
}

static void no_text(j_common_ptr codec, char *buffer) {
  (void)codec;
  *buffer = 0;
}

static void no_source(j_decompress_ptr codec) {
  (void)codec;
}

/** Makes libjpeg stop, until `reveal`. */
static boolean wait_for_more(j_decompress_ptr codec) {
  (void)codec;
  return FALSE;
}

static void skip(j_decompress_ptr codec, long count) {
  (void)codec;
  if (count <= 0) return;
  size_t now = (size_t)count < source.bytes_in_buffer ? (size_t)count : source.bytes_in_buffer;
  source.next_input_byte += now;
  source.bytes_in_buffer -= now;
  skipped = (size_t)count - now;
}

/** The next piece of the file, of Pillow's size: how a damaged file is read can depend on it. Gives 0 at the file's end. */
static int reveal(void) {
  size_t bytes = hidden < PIECE_BYTES ? hidden : PIECE_BYTES;
  hidden -= bytes;
  source.bytes_in_buffer += bytes;
  if (skipped > 0) skip(&image, (long)skipped);
  return bytes > 0;
}

void *EXPORT(allocate)(size_t bytes) {
  return malloc(bytes);
}

void EXPORT(release)(void *memory) {
  free(memory);
}

/** Reads up to the first row. Gives 0 when the file ends before that. */
int EXPORT(begin)(const JOCTET *file, size_t bytes) {
  errors = (struct jpeg_error_mgr){
    .error_exit = on_error,
    .emit_message = on_message,
    .output_message = nothing,
    .format_message = no_text,
    .reset_error_mgr = nothing,
  };
  warning_code = 0;
  image.err = &errors;
  jpeg_create_decompress(&image);
  source = (struct jpeg_source_mgr){ file, 0, no_source, wait_for_more, skip, jpeg_resync_to_restart, no_source };
  hidden = bytes;
  skipped = 0;
  image.src = &source;

  for (int status = JPEG_SUSPENDED; status != JPEG_HEADER_OK; status = jpeg_read_header(&image, FALSE)) {
    if (status == JPEG_SUSPENDED && !reveal()) return 0;
  }
  image.out_color_space = image.num_components == 1 ? JCS_GRAYSCALE : image.num_components == 3 ? JCS_RGB : JCS_CMYK;
  while (!jpeg_start_decompress(&image)) {
    if (!reveal()) return 0;
  }

  size_t row = (size_t)image.output_width * 3;
  strip_rows = row < STRIP_BYTES ? STRIP_BYTES / row : 1;
  strip = malloc(strip_rows * row);
  inks = malloc((size_t)image.output_width * 4);
  if (strip == NULL || inks == NULL) ERREXIT1(&image, JERR_OUT_OF_MEMORY, 0);
  return 1;
}

int EXPORT(width)(void) {
  return (int)image.output_width;
}

int EXPORT(height)(void) {
  return (int)image.output_height;
}

JSAMPLE *EXPORT(pixels)(void) {
  return strip;
}

/** Rounded quotient of a product of two bytes by 255. */
static unsigned times(unsigned a, unsigned b) {
  unsigned product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/** Adobe stores inks inverted: 255 is none. As Pillow's convert("RGB"). */
static void rgb_of_inks(const JSAMPLE *in, JSAMPLE *out, JDIMENSION width) {
  for (JDIMENSION x = 0; x < width; x++, in += 4, out += 3) {
    unsigned light = in[3];
    for (int c = 0; c < 3; c++) out[c] = (JSAMPLE)(light - times(255u - in[c], light));
  }
}

static void rgb_of_grey(const JSAMPLE *in, JSAMPLE *out, JDIMENSION width) {
  for (JDIMENSION x = 0; x < width; x++, out += 3) out[0] = out[1] = out[2] = in[x];
}

/** Fills the strip with the next rows. Gives how many; 0 when the file ends before the next row. */
int EXPORT(read)(void) {
  int colours = image.output_components;
  JDIMENSION rows = 0;
  while (rows < strip_rows && image.output_scanline < image.output_height) {
    JSAMPLE *out = strip + (size_t)rows * image.output_width * 3;
    JSAMPLE *row = colours == 3 ? out : inks;
    while (jpeg_read_scanlines(&image, &row, 1) != 1) {
      if (!reveal()) return (int)rows;
    }
    if (colours == 4) rgb_of_inks(inks, out, image.output_width);
    if (colours == 1) rgb_of_grey(inks, out, image.output_width);
    rows++;
  }
  return (int)rows;
}

/** Reads what follows the last row in the same piece, and frees all. Gives 0 when the file ends there without an end marker. */
int EXPORT(finish)(void) {
  int ended = jpeg_finish_decompress(&image) || hidden > 0;
  jpeg_destroy_decompress(&image);
  free(strip);
  free(inks);
  return ended;
}

int EXPORT(warnings)(void) {
  return (int)errors.num_warnings;
}

/** The template of the first warning; its values are at `warning_parameters`. */
const char *EXPORT(warning)(void) {
  return text_of(warning_code);
}

const int *EXPORT(warning_parameters)(void) {
  return warning_values;
}
