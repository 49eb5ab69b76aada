"""Writes extra/ (small image files), extra.json (what Pillow decodes of them) and resize.json (what Pillow resizes).

Run with Pillow 12 from this folder: python make_extra.py
"""
import hashlib, io, json, os, random, struct, zlib
from PIL import Image, ImageOps

random.seed(1)
decoded = {}


def put(name, data):
    with open(os.path.join("extra", name), "wb") as file:
        file.write(data)
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    decoded[name] = {"width": image.width, "height": image.height, "rgb_sha256": hashlib.sha256(image.tobytes()).hexdigest()}


# PNG: Pillow writes neither interlaced files nor all depths, so they are put together here.
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack(samples, depth):
    if depth >= 8:
        return b"".join(s.to_bytes(depth // 8, "big") for s in samples)
    out = bytearray((len(samples) * depth + 7) // 8)
    for i, s in enumerate(samples):
        out[i * depth // 8] |= s << (8 - depth - i * depth % 8)
    return bytes(out)


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(rows, bpp):
    out, above = b"", bytes(len(rows[0]))
    for number, row in enumerate(rows):
        kind = number % 5
        line = bytearray()
        for i, x in enumerate(row):
            a, b, c = (row[i - bpp] if i >= bpp else 0), above[i], (above[i - bpp] if i >= bpp else 0)
            line.append((x - [0, a, b, (a + b) // 2, paeth(a, b, c)][kind]) & 255)
        out, above = out + bytes([kind]) + line, row
    return out


def png(depth, colour, interlaced=0, width=19, height=13, palette=None, before=b"", after=b""):
    top = len(palette) // 3 - 1 if palette else (1 << depth) - 1
    pixels = [[[random.randint(0, top) for _ in range(CHANNELS[colour])] for _ in range(width)] for _ in range(height)]
    raw = b""
    for x, y, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        rows = [pack([s for p in row[x::dx] for s in p], depth) for row in pixels[y::dy]]
        if rows and rows[0]:
            raw += filtered(rows, max(1, depth * CHANNELS[colour] // 8))
    packed = zlib.compress(raw)
    half = len(packed) // 2
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    body = (chunk(b"PLTE", palette) if palette else b"") + before + chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:])
    return b"\x89PNG\r\n\x1a\n" + header + body + after + chunk(b"IEND", b"")


def tiff(orientation, order="<", kind=3, entries=1):
    value = struct.pack(order + "HH", orientation, 0) if kind == 3 else struct.pack(order + "I", orientation)
    other = struct.pack(order + "HHIHH", 0x10F, 3, 1, 7, 0) * (entries - 1)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, entries)
    return head + other + struct.pack(order + "HHI", 0x112, kind, 1) + value + bytes(4)


def xmp(orientation):
    return b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>' % orientation


def make_png():
    for depth, colour in [(d, 0) for d in (1, 2, 4, 8, 16)] + [(8, 2), (16, 2)] + [(d, 3) for d in (1, 2, 4, 8)] + [(d, c) for c in (4, 6) for d in (8, 16)]:
        for interlaced in (0, 1):
            palette = random.randbytes(3 << depth) if colour == 3 else None
            put(f"colour{colour}-{depth}bit{'-interlaced' if interlaced else ''}.png", png(depth, colour, interlaced, palette=palette))
    put("interlaced-3x2.png", png(4, 0, 1, 3, 2))
    short = zlib.compress(bytes([0, 5, 3, 200, 255]))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 1, 8, 3, 0, 0, 0))
    put("palette-short.png", b"\x89PNG\r\n\x1a\n" + header + chunk(b"PLTE", random.randbytes(12)) + chunk(b"IDAT", short) + chunk(b"IEND", b""))
    put("transparent-colour.png", png(8, 2, before=chunk(b"tRNS", bytes(6))))
    put("trailing.png", png(8, 2) + b"trailing bytes")
    put("exif.png", png(8, 2, before=chunk(b"eXIf", tiff(6))))
    put("exif-after.png", png(8, 2, after=chunk(b"eXIf", tiff(8, ">"))))
    put("xmp.png", png(8, 2, before=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(5))))
    put("xmp-compressed.png", png(8, 2, after=chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp(7)))))
    hexadecimal = b"\nexif\n%8d\n" % 40 + (b"Exif\0\0" + tiff(3)).hex().encode() + b"\n"
    put("exif-hexadecimal.png", png(8, 2, before=chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(hexadecimal))))


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def segment(marker, data):
    return bytes([255, marker]) + struct.pack(">H", len(data) + 2) + data


def make_jpeg(cat):
    plain = saved(cat, "JPEG", quality=60)
    with_segments = lambda *segments: plain[:2] + b"".join(segments) + plain[2:]
    exif = lambda data: segment(0xE1, b"Exif\0\0" + data)
    xmp_segment = lambda orientation: segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(orientation))
    put("exif-little.jpg", with_segments(exif(tiff(6, "<", entries=3))))
    put("exif-big-long.jpg", with_segments(exif(tiff(8, ">", kind=4))))
    put("exif-invalid.jpg", with_segments(exif(tiff(9))))
    put("exif-empty.jpg", with_segments(exif(b"")))
    put("exif-cut.jpg", with_segments(exif(tiff(6)[:14])))
    put("exif-split.jpg", with_segments(exif(tiff(5)[:12]), exif(tiff(5)[12:])))
    put("exif-before-xmp.jpg", with_segments(exif(tiff(1)), xmp_segment(6)))
    put("xmp.jpg", with_segments(xmp_segment(6)))
    put("fill-bytes.jpg", plain[:2] + b"\xff\xff\xff" + plain[2:])
    put("two-images.jpg", plain + saved(cat.rotate(90), "JPEG"))
    put("adobe-rgb.jpg", saved(cat, "JPEG", keep_rgb=True, quality=60))
    put("optimized.jpg", saved(cat, "JPEG", optimize=True, restart_marker_blocks=1, quality=30))
    put("noise-q1.jpg", saved(Image.frombytes("RGB", (33, 17), random.randbytes(33 * 17 * 3)), "JPEG", quality=1))


def make_webp(cat):
    faded = cat.convert("RGBA")
    faded.putalpha(Image.linear_gradient("L").resize(cat.size))
    corner = Image.new("RGBA", (40, 30))
    corner.paste(faded.crop((0, 0, 11, 9)), (13, 7))
    put("exif.webp", saved(cat, "WEBP", exif=b"Exif\0\0" + tiff(6)))
    put("xmp.webp", saved(cat, "WEBP", xmp=xmp(3)))
    put("trailing.webp", saved(cat, "WEBP") + b"trailing bytes")
    put("animated.webp", saved(cat, "WEBP", save_all=True, append_images=[cat.rotate(9)]))
    put("animated-alpha.webp", saved(faded, "WEBP", save_all=True, append_images=[faded.rotate(9)]))
    put("animated-corner.webp", saved(corner, "WEBP", save_all=True, append_images=[corner.rotate(180)], lossless=True))


def noise(width, height, channels):
    """The bytes that the test makes, too: a linear congruential generator."""
    state, out = width * 1000 + height, bytearray()
    for _ in range(width * height * channels):
        state = (state * 69069 + 1) & 0xFFFFFFFF
        out.append(state >> 24)
    return bytes(out)


def make_resize():
    cases = []
    for mode, channels in (("RGB", 3), ("L", 1)):
        for size in [(1, 1), (2, 3), (7, 5), (64, 64), (101, 151), (223, 225), (300, 4)]:
            image = Image.frombytes(mode, size, noise(*size, channels))
            for to in [(1, 1), (3, 7), (64, 64), (96, 40), (101, 30), (224, 224)]:
                for resample in range(6):
                    digest = hashlib.sha256(image.resize(to, resample).tobytes()).hexdigest()[:16]
                    cases.append([channels, *size, *to, resample, digest])
    return cases


os.makedirs("extra", exist_ok=True)
cat = Image.open("files/chelsea.png").convert("RGB").resize((37, 23))
make_png()
make_jpeg(cat)
make_webp(cat)
with open("extra.json", "w") as file:
    json.dump(decoded, file, indent=1)
with open("resize.json", "w") as file:
    file.write("[\n" + ",\n".join(map(json.dumps, make_resize())) + "\n]\n")
