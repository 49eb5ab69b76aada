/*
 * WebP to RGB with libwebp's demuxer and decoder: the first frame on a black canvas, as Pillow has it of libwebp's animation decoder.
 * Of a file that is not whole, or breaks the container's rules, nothing is read.
 */
#include <stdint.h>
#include <stdlib.h>

#include <webp/decode.h>
#include <webp/demux.h>

#define EXPORT(name) __attribute__((export_name(#name))) name

static WebPDemuxer *file;
static WebPChunkIterator chunk;
static uint8_t *canvas;

void *EXPORT(allocate)(size_t bytes) {
  return malloc(bytes);
}

void EXPORT(release)(void *memory) {
  free(memory);
}

/** Reads the container; `bytes` must stay until `finish`. Gives 0 for a file that is refused. */
int EXPORT(begin)(const uint8_t *bytes, size_t length) {
  WebPData data = { bytes, length };
  canvas = NULL;
  file = WebPDemux(&data);
  return file != NULL;
}

uint32_t EXPORT(width)(void) {
  return WebPDemuxGetI(file, WEBP_FF_CANVAS_WIDTH);
}

uint32_t EXPORT(height)(void) {
  return WebPDemuxGetI(file, WEBP_FF_CANVAS_HEIGHT);
}

/** Finds the chunk of this name, 4 characters as a little-endian number. Gives its length; `chunk_bytes` says where it begins. */
size_t EXPORT(find_chunk)(uint32_t name) {
  char fourcc[5] = { (char)name, (char)(name >> 8), (char)(name >> 16), (char)(name >> 24), 0 };
  WebPDemuxReleaseChunkIterator(&chunk);
  return WebPDemuxGetChunk(file, fourcc, 1, &chunk) ? chunk.chunk.size : 0;
}

const uint8_t *EXPORT(chunk_bytes)(void) {
  return chunk.chunk.bytes;
}

/** Decodes the first frame. Gives libwebp's status, 0 for success. */
int EXPORT(read)(void) {
  WebPIterator frame;
  WebPDecoderConfig config;
  size_t stride = (size_t)width() * 3;
  if (!WebPInitDecoderConfig(&config) || !WebPDemuxGetFrame(file, 1, &frame)) return VP8_STATUS_BITSTREAM_ERROR;
  canvas = calloc(height(), stride);
  int status = VP8_STATUS_OUT_OF_MEMORY;
  if (canvas != NULL) {
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = canvas + (size_t)frame.y_offset * stride + (size_t)frame.x_offset * 3;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = (size_t)frame.height * stride - (size_t)frame.x_offset * 3;
    status = (int)WebPDecode(frame.fragment.bytes, frame.fragment.size, &config);
  }
  WebPDemuxReleaseIterator(&frame);
  return status;
}

const uint8_t *EXPORT(pixels)(void) {
  return canvas;
}

void EXPORT(finish)(void) {
  WebPDemuxReleaseChunkIterator(&chunk);
  WebPDemuxDelete(file);
  free(canvas);
}
