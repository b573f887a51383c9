"""Reading a folder that nobody vouches for."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.content.domain.documents.bounds import MAX_BYTES, Unreadable, check_depth, decode
from services.content.domain.media import PICTURES, Identity, Unwanted, identify

MAX_PICTURE_BYTES = 20 * 1024 * 1024
"""Bytes of one picture."""
MAX_FOLDER_DEPTH = 64
"""Folders inside one another."""
MAX_ENTRIES = 20_000
"""Files and folders looked at while searching for pages. Python's documentation has about 1,000."""
_PAGES = (".html", ".htm", ".xhtml")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file that may be uploaded. Its bytes are read when they are: a folder may have gigabytes of them."""

    path: str
    sha256: str
    size: int
    identity: Identity


class Folder:
    """A folder of documentation. Nothing outside of it is ever opened, whatever links and symlinks say."""

    def __init__(self, root: Path) -> None:
        try:
            self._root = root.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise Unreadable(f"{root} does not exist", "name a folder of HTML pages") from error
        if not self._root.is_dir():
            raise Unreadable(f"{root} is not a folder", "name the folder, and its first page with --entry")

    def page(self, path: str) -> str:
        """The text of a page, checked. Raises Unreadable."""
        text = decode(self._bytes(path, MAX_BYTES))
        check_depth(text)
        return text

    def picture(self, path: str) -> Picture:
        """A picture, checked. Raises Unreadable."""
        data = self.picture_bytes(path)
        try:
            identity = identify(data)
        except Unwanted as error:
            raise Unreadable(error.rule, error.fix) from error
        if identity.content_type not in PICTURES:
            raise Unreadable(f"is {identity.content_type}, not a picture", "link to it instead of showing it")
        return Picture(path, hashlib.sha256(data).hexdigest(), len(data), identity)

    def picture_size(self, path: str) -> int:
        """How many bytes `picture` would read: none of a file that it refuses unread."""
        try:
            status = self._inside(path).stat(follow_symlinks=False)
        except (Unreadable, OSError):
            return 0
        return status.st_size if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_PICTURE_BYTES else 0

    def picture_bytes(self, path: str) -> bytes:
        """What is in a picture's file. Raises Unreadable."""
        return self._bytes(path, MAX_PICTURE_BYTES)

    def pages(self, below: str) -> list[str]:
        """Every HTML file below a path of the folder, `2.html` before `10.html`; hidden and generated ones left out.

        Raises Unreadable for a tree that is deeper or larger than documentation is.
        """
        found: list[str] = []
        waiting = [(self._inside(below), 0)]
        entries = 0
        while waiting:  # with a list, not by recursion: how deep the folders go is the sender's choice
            folder, depth = waiting.pop()
            for entry in _shown_entries(folder):
                entries += 1
                _check_tree(entries, depth)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((Path(entry.path), depth + 1))
                elif entry.name.lower().endswith(_PAGES):
                    found.append(Path(entry.path).relative_to(self._root).as_posix())
        return sorted(found, key=_natural)

    def _bytes(self, path: str, limit: int) -> bytes:
        """A regular file inside the folder, of at most `limit` bytes."""
        file = self._inside(path)
        try:
            with open(file, "rb", opener=_without_following) as opened:
                status = os.fstat(opened.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise IsADirectoryError(path)
                if status.st_size > limit:
                    raise Unreadable(f"has {status.st_size} bytes, more than {limit}", "split it into parts")
                return opened.read(limit)
        except FileNotFoundError as error:
            raise Unreadable("does not exist", "add the file, or remove what names it") from error
        except IsADirectoryError as error:
            raise Unreadable("is not a regular file", "put a file there") from error
        except OSError as error:
            raise Unreadable(f"cannot be opened ({error.strerror})", "make it readable") from error

    def _inside(self, path: str) -> Path:
        if "\x00" in path or path.startswith("/") or ".." in path.split("/"):
            raise Unreadable("leads out of the folder", "keep every page inside the folder")
        try:
            real = (self._root / path).resolve()
        except (OSError, RuntimeError) as error:
            raise _circle() from error
        if real.is_symlink():  # Python 3.13 leaves a circle unresolved instead of raising
            raise _circle()
        if not real.is_relative_to(self._root):
            raise Unreadable("is a link out of the folder", "copy the file into the folder")
        return real


def _shown_entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder, without what is hidden or generated. A folder that cannot be read is empty."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith((".", "_")))
    except PermissionError:
        return


def _check_tree(entries: int, depth: int) -> None:
    if depth > MAX_FOLDER_DEPTH:
        raise Unreadable(f"has folders more than {MAX_FOLDER_DEPTH} deep", "import a folder of documentation")
    if entries > MAX_ENTRIES:
        raise Unreadable(f"has more than {MAX_ENTRIES} files", "import its parts one by one")


def _circle() -> Unreadable:
    return Unreadable("cannot be resolved: its links go in a circle", "remove the link")


def _without_following(path: str, flags: int) -> int:
    """Open a path that was resolved; a link put there since is refused, and a pipe does not block."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _natural(path: str) -> list[tuple[int, int, str]]:
    """`2.html` before `10.html`."""
    keys: list[tuple[int, int, str]] = []
    digits = ""
    for character in f"{path}/":
        if character.isdecimal() and character.isascii():
            digits += character
            continue
        if digits:
            keys.append((0, int(digits), ""))
            digits = ""
        keys.append((1, 0, character))
    return keys
