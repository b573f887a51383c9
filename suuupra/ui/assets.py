"""Static files under names that carry their content's hash, so that a browser may keep them for a year.

A URL is ``/_ui/<stem>.<hash><suffix>``. During a rolling update an old page may meet a new pod: a known name
with another hash is answered with the current content and ``no-cache`` instead of a 404, so no page loses its look.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

PREFIX = "/_ui"
SHARED = Path(__file__).parent / "static"
HASH_LENGTH = 12  # hex digits; 48 bits tell versions of one file apart
IMMUTABLE = "public, max-age=31536000, immutable"  # one year, RFC 8246
REVALIDATE = "no-cache"
# Debian's mime database may be absent in a slim image, so what we ship is named here.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_HASHED = re.compile(rf"(?P<stem>.+)\.(?P<hash>[0-9a-f]{{{HASH_LENGTH}}})(?P<suffix>\.[a-z0-9]+)")


@dataclass(frozen=True)
class Asset:
    """One static file as it is served, below the path `at`."""

    at: str
    name: str
    digest: str
    body: bytes
    media_type: str

    @property
    def url(self) -> str:
        """The path that changes whenever the content does."""
        path = Path(self.name)
        return f"{self.at}/{path.with_suffix('')}.{self.digest}{path.suffix}"


class Assets:
    """The static files of one application: the shared ones and the service's own."""

    def __init__(self, folders: Iterable[Path], at: str = PREFIX) -> None:
        self.at = at
        self._assets: Mapping[str, Asset] = {
            asset.name: asset for folder in folders for asset in _assets_in(folder, at)
        }

    def url(self, name: str) -> str:
        """Where a page finds the file; KeyError names a file that does not exist."""
        return self._assets[name].url

    def text(self, name: str) -> str:
        """A text file's content, for pages that must stand alone."""
        return self._assets[name].body.decode()

    async def serve(self, request: Request) -> Response:
        """GET or HEAD of a hashed name; 404 for a file we do not have."""
        found = _HASHED.fullmatch(request.path_params["path"])
        asset = self._assets.get(found["stem"] + found["suffix"]) if found else None
        if found is None or asset is None:
            raise HTTPException(404)
        caching = IMMUTABLE if found["hash"] == asset.digest else REVALIDATE
        return Response(asset.body, media_type=asset.media_type, headers={"Cache-Control": caching})


@cache
def assets_of(*own: Path, at: str = PREFIX) -> Assets:
    """The shared files and those in a service's own folders; read once per process.

    `at` is where the service serves them. Behind one gateway each service with pages has a place of its own:
    `/_ui` is the web app's, `/_ui/NAME` is the service NAME's.
    """
    return Assets((SHARED, *own), at)


def _assets_in(folder: Path, at: str) -> Iterable[Asset]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield _asset(at, path.relative_to(folder).as_posix(), path)


def _asset(at: str, name: str, path: Path) -> Asset:
    body = path.read_bytes()
    guessed = MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(at, name, hashlib.sha256(body).hexdigest()[:HASH_LENGTH], body, guessed)
