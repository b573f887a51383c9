"""What a media file is, judged by its bytes: never by its name, never by what the sender says."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

SNIFFED_BYTES: Final = 64 * 1024
"""The head of a file that `identify` wants to see; JPEGs keep their size behind embedded previews."""
MAX_PIXELS: Final = 50_000_000
"""Width x height of a picture: decoded it takes four bytes each in every reader's browser (a decompression bomb)."""

PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"})
VIDEOS: Final = frozenset({"video/mp4", "video/webm"})
FILES: Final = frozenset({"application/pdf", "application/zip"})
TYPES: Final = PICTURES | VIDEOS | FILES


@dataclass(frozen=True, slots=True)
class Media:
    """A stored file as lessons refer to it. `size` in bytes, `width` and `height` in pixels."""

    id: UUID
    name: str
    content_type: str
    size: int
    width: int | None = None
    height: int | None = None

    @property
    def path(self) -> str:
        """Its public address."""
        return media_path(self.id, self.name)


def media_path(media_id: UUID, name: str) -> str:
    """The public address of a media file; the name is for people, the id decides."""
    return f"/v1/media/{media_id}/{name}"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file turned out to be. Sizes in pixels, of pictures only."""

    content_type: str
    width: int | None = None
    height: int | None = None


class Unwanted(ValueError):
    """A file that is not taken: `rule` says why, `fix` what to do."""

    def __init__(self, rule: str, fix: str) -> None:
        super().__init__(f"{rule}; {fix}")
        self.rule = rule
        self.fix = fix


_Reader = Callable[[bytes], Identity | None]


def identify(head: bytes) -> Identity:
    """The type of a file from its first SNIFFED_BYTES. Raises Unwanted, naming the types that are taken."""
    for read in _READERS:
        found = _read(read, head)
        if found is not None:
            return _bounded(found)
    raise Unwanted(
        "must be a PNG, JPEG, GIF, WebP or SVG picture, an MP4 or WebM video, a PDF or a ZIP archive",
        "convert it to one of these",
    )


def _read(read: _Reader, head: bytes) -> Identity | None:
    try:
        return read(head)
    except (struct.error, IndexError) as error:
        raise Unwanted("is cut off or damaged", "export it again") from error


def _bounded(found: Identity) -> Identity:
    if found.content_type in PICTURES and (found.width == 0 or found.height == 0):
        raise Unwanted("has no pixels", "export it again")
    if (found.width or 0) * (found.height or 0) > MAX_PIXELS:
        size = f"{found.width} x {found.height}"
        raise Unwanted(
            f"has {size} pixels, more than {MAX_PIXELS // 1_000_000} million", "scale the picture down"
        )
    return found


def _png(head: bytes) -> Identity | None:
    """PNG (ISO/IEC 15948, 5.2 and 11.2.2): the first chunk is IHDR, width and height lead it."""
    if not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    return Identity("image/png", *struct.unpack_from(">II", head, 16))


def _gif(head: bytes) -> Identity | None:
    if not head.startswith((b"GIF87a", b"GIF89a")):
        return None
    return Identity("image/gif", *struct.unpack_from("<HH", head, 6))


def _jpeg(head: bytes) -> Identity | None:
    """JPEG (ITU-T T.81, B.2.2): walk the segments to the frame header, whose fields are height and width."""
    if not head.startswith(b"\xff\xd8\xff"):
        return None
    position = 2
    while head[position] == 0xFF:
        marker = head[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, position + 5)
            return Identity("image/jpeg", width, height)
        position += 1 if marker == 0xFF else 2 + struct.unpack_from(">H", head, position + 2)[0]
    raise IndexError("no frame header")


def _webp(head: bytes) -> Identity | None:
    """WebP (RFC 9649, 2.5 to 2.7): lossy, lossless and extended files keep their size in three ways."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    match head[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return Identity("image/webp", width & 0x3FFF, height & 0x3FFF)
        case b"VP8L":
            bits = struct.unpack_from("<I", head, 21)[0]
            return Identity("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8X":
            return Identity("image/webp", _uint24(head, 24) + 1, _uint24(head, 27) + 1)
        case _:
            raise IndexError("unknown kind of WebP")


def _uint24(data: bytes, offset: int) -> int:
    low, high = struct.unpack_from("<HB", data, offset)
    return int(low | high << 16)


def _svg(head: bytes) -> Identity | None:
    """SVG is served so that nothing in it can run; entities are refused, they multiply in the reader's memory."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:4096].lower()
    if not start.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")) or b"<svg" not in start:
        return None
    if b"<!entity" in head.lower():
        raise Unwanted("declares XML entities", "export it as plain SVG")
    return Identity("image/svg+xml")


def _mp4(head: bytes) -> Identity | None:
    return Identity("video/mp4") if head[4:8] == b"ftyp" and len(head) >= 16 else None


def _webm(head: bytes) -> Identity | None:
    """Matroska's head; its document type must be WebM's."""
    return Identity("video/webm") if head.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in head[:64] else None


def _pdf(head: bytes) -> Identity | None:
    return Identity("application/pdf") if head.startswith(b"%PDF-") else None


def _zip(head: bytes) -> Identity | None:
    return Identity("application/zip") if head.startswith(b"PK\x03\x04") else None


_READERS: Final[tuple[_Reader, ...]] = (_png, _jpeg, _gif, _webp, _svg, _mp4, _webm, _pdf, _zip)


def safe_name(name: str, content_type: str) -> str:
    """A file name that is safe in an address and a header: ASCII, no path, with the type's extension kept readable."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in last)
    cleaned = "-".join(part for part in kept.strip(".-").split("-") if part)[-100:].strip(".-")
    return cleaned or "file" + _EXTENSIONS[content_type]


_EXTENSIONS: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
}
