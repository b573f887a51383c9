"""Small files of every kind, made here so that no binary lies in the repository."""

import struct
import zlib


def png(width: int = 2, height: int = 1) -> bytes:
    """A PNG of one colour that says it has that size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\x00" + b"\x80" * min(width, 64) for _ in range(min(height, 64))))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def gif(width: int = 3, height: int = 2) -> bytes:
    """The head of a GIF."""
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x00\x00\x00\x3b"


def jpeg(width: int = 3, height: int = 2) -> bytes:
    """A JPEG's segments up to its frame header."""
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"note"
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8" + comment + frame + b"\xff\xd9"


def webp(width: int = 3, height: int = 2) -> bytes:
    """The head of an extended WebP."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size


def svg(inside: str = "") -> bytes:
    """An SVG."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 2">{inside}</svg>'.encode()


def mp4() -> bytes:
    """The head of an MP4."""
    return struct.pack(">I", 24) + b"ftypisom" + bytes(12) + b"film" * 64


def pdf() -> bytes:
    """The head of a PDF."""
    return b"%PDF-1.7\n" + b"page " * 64
