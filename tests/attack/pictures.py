"""Picture files that are not what they seem: bombs, polyglots, and mutations of sound ones."""

import io
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping

import pillow_heif
from PIL import Image

from tests.deployments.pictures import encoded, landscape, portrait

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "HEIC")
SIDE_OF_A_BOMB = 16_000  # 256 million pixels, five times the limit; WebP has no more than 16,383


def picture(format: str, image: Image.Image | None = None, **options: object) -> bytes:
    """Return a file of any of `FORMATS`."""
    image = image or landscape()
    if format != "HEIC":
        return encoded(image, format, **options)
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=60)
    return file.getvalue()


def claiming(format: str, side: int = SIDE_OF_A_BOMB) -> bytes:
    """Return a small file whose header says that it is `side` pixels wide and high."""
    options = {"lossless": True} if format == "WEBP" else {}
    file = bytearray(picture(format, Image.new("RGB", (64, 64), "grey"), **options))
    if format == "JPEG":
        place = file.index(b"\xff\xc0") + 5
        file[place : place + 4] = struct.pack(">HH", side, side)
    elif format == "PNG":
        file[16:24] = struct.pack(">II", side, side)
        file[29:33] = struct.pack(">I", zlib.crc32(file[12:29]))
    elif format == "WEBP":  # VP8L: 14 bits of width - 1, 14 of height - 1
        place = file.index(b"VP8L") + 9
        rest = int.from_bytes(file[place : place + 4], "little") >> 28
        file[place : place + 4] = (rest << 28 | (side - 1) << 14 | (side - 1)).to_bytes(4, "little")
    elif format == "GIF":
        file[6:10] = struct.pack("<HH", side, side)
        place = file.index(b"\x2c", 13 + 3 * 2 ** ((file[10] & 7) + 1))
        file[place + 5 : place + 9] = struct.pack("<HH", side, side)
    elif format == "BMP":
        file[18:26] = struct.pack("<ii", side, side)
    else:
        for found in re.finditer(b"ispe", bytes(file)):
            file[found.end() : found.end() + 12] = bytes(4) + struct.pack(">II", side, side)
    return bytes(file)


def scans(count: int) -> bytes:
    """Return a progressive JPEG of `count` passes over 36 million pixels, each of a few bytes."""
    file = encoded(Image.new("L", (6000, 6000), 128), progressive=True)
    last = file[file.rindex(b"\xff\xda") : -2]
    return file[:-2] + last * count + b"\xff\xd9"


def hidden_frame() -> bytes:
    """Return a GIF whose header is small and whose frame is not."""
    file = bytearray(claiming("GIF"))
    file[6:10] = struct.pack("<HH", 8, 8)
    return bytes(file)


def text_bomb() -> bytes:
    """Return a PNG with a comment that unpacks to 64 MB."""
    file = picture("PNG")
    content = b"Comment\0\0" + zlib.compress(bytes(64 * 2**20), 9)
    chunk = struct.pack(">I", len(content)) + b"zTXt" + content + struct.pack(">I", zlib.crc32(b"zTXt" + content))
    return file[:33] + chunk + file[33:]


def more_data_than_pixels() -> bytes:
    """Return a PNG of 8 x 8 pixels whose data unpack to 100 MB."""
    file = picture("PNG", Image.new("L", (8, 8)))
    content = zlib.compress(bytes(100 * 2**20), 9)
    start, end = file.index(b"IDAT") - 4, file.index(b"IEND") - 4
    chunk = struct.pack(">I", len(content)) + b"IDAT" + content + struct.pack(">I", zlib.crc32(b"IDAT" + content))
    return file[:start] + chunk + file[end:]


def large_and_half_transparent() -> bytes:
    """Return a PNG of nearly as many pixels as are taken, each of which is laid on white."""
    return picture("PNG", Image.new("RGBA", (7000, 7000), (200, 150, 100, 128)))


BOMBS: Mapping[str, Callable[[], bytes]] = {
    **{f"{format} of {SIDE_OF_A_BOMB} pixels": lambda format=format: claiming(format) for format in FORMATS},
    "a GIF with a hidden frame": hidden_frame,
    "a JPEG of 5000 scans": lambda: scans(5000),
    "a PNG with a packed comment": text_bomb,
    "a PNG with more data than pixels": more_data_than_pixels,
    "a PNG of 49 million half-transparent pixels": large_and_half_transparent,
}


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../evil.py", "import os")
    return file.getvalue()


SCRIPT = b"<script>alert(document.domain)</script>"
# What a polyglot starts with decides: a picture is looked at, anything else refused.
PICTURES_AND_MORE: Mapping[str, Callable[[], bytes]] = {
    "JPEG and ZIP": lambda: picture("JPEG", portrait()) + zipped(),
    "JPEG and PDF": lambda: picture("JPEG", portrait()) + b"%PDF-1.7\n1 0 obj<</JS(app.alert(1))>>endobj",
    "JPEG with PHP in a comment": lambda: encoded(portrait(), comment=b"<?php system($_GET[0]); ?>"),
    "PNG and HTML": lambda: picture("PNG", portrait()) + b"<html>" + SCRIPT,
    "GIF and JavaScript": lambda: picture("GIF", portrait()) + b"*/=1;alert(1)//",
    "BMP and shell": lambda: picture("BMP", portrait()) + b"\n#!/bin/sh\nid\n",
    "WebP and ELF": lambda: picture("WEBP", portrait()) + b"\x7fELF" + bytes(64),
}
NO_PICTURES: Mapping[str, Callable[[], bytes]] = {
    "PDF and JPEG": lambda: b"%PDF-1.7\n" + picture("JPEG", portrait()),
    "ZIP and JPEG": lambda: zipped() + picture("JPEG", portrait()),
    "HTML and PNG": lambda: b"<html>" + SCRIPT + picture("PNG", portrait()),
    "SVG that loads": lambda: (
        b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'
    ),
    "SVG with script": lambda: b'<svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT + b"</svg>",
    "EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (r) file\n",
    "MVG": lambda: b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/x'\npop graphic-context\n",
    "a pickle": lambda: b"\x80\x04cos\nsystem\n(S'id'\ntR.",
    "GIF that is JavaScript": lambda: b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)",
    "FITS": lambda: b"SIMPLE  =                    T".ljust(2880),
    "ICO": lambda: b"\0\0\1\0\1\0" + bytes(32),
    "WMF": lambda: b"\xd7\xcd\xc6\x9a" + bytes(64),
}


def mutations(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Give `count` damaged pictures, and how each came about; the same ones for the same seed."""
    chance = random.Random(seed)
    sound = [(format, picture(format, image)) for format in FORMATS for image in (portrait(), landscape(48, 40))]
    sound += [("progressive JPEG", encoded(portrait(), progressive=True))]
    sound += [("palette PNG", encoded(portrait().convert("P"), "PNG"))]
    sound += [("16-bit PNG", encoded(portrait().convert("I;16"), "PNG"))]
    sound += [("lossless WEBP", encoded(portrait(), "WEBP", lossless=True))]
    sound += [("animated WEBP", encoded(portrait(), "WEBP", save_all=True, append_images=[portrait()]))]
    sound += [("CMYK JPEG", encoded(portrait().convert("CMYK")))]
    for number in range(count):
        format, file = sound[number % len(sound)]
        name, change = chance.choice(CHANGES)
        damaged = bytearray(file)
        for _ in range(chance.choice((1, 1, 2, 4))):
            change(damaged, chance, sound[chance.randrange(len(sound))][1])
        yield f"{number}: {format}, {name}", bytes(damaged) or b"\0"


def _truncate(file: bytearray, chance: random.Random, other: bytes) -> None:
    del file[chance.randrange(len(file) + 1) :]


def _flip(file: bytearray, chance: random.Random, other: bytes) -> None:
    for _ in range(chance.choice((1, 8, 64))):
        if file:
            file[chance.randrange(len(file))] ^= 1 << chance.randrange(8)


def _header(file: bytearray, chance: random.Random, other: bytes) -> None:
    """Write a number that parsers trip over somewhere near the start."""
    value = chance.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * chance.choice((1, 2, 4, 8))
    place = chance.randrange(max(1, min(len(file), 200)))
    file[place : place + len(value)] = value


def _splice(file: bytearray, chance: random.Random, other: bytes) -> None:
    start = chance.randrange(len(other))
    place = chance.randrange(len(file) + 1)
    file[place : place + chance.choice((0, 64))] = other[start : start + chance.choice((4, 64, 1024))]


def _repeat(file: bytearray, chance: random.Random, other: bytes) -> None:
    start = chance.randrange(len(file) + 1)
    part = bytes(file[start : start + chance.choice((2, 16, 256))])
    file[start:start] = part * chance.choice((2, 50))


def _remove(file: bytearray, chance: random.Random, other: bytes) -> None:
    start = chance.randrange(len(file) + 1)
    del file[start : start + chance.choice((1, 4, 100))]


CHANGES: tuple[tuple[str, Callable[[bytearray, random.Random, bytes], None]], ...] = (
    ("cut off", _truncate),
    ("bits flipped", _flip),
    ("header rewritten", _header),
    ("spliced", _splice),
    ("repeated", _repeat),
    ("bytes removed", _remove),
)
