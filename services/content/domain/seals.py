"""Addresses of locked files that a browser can load: `/v1/media/ID/NAME?seal=UNTIL.MAC`.

A picture in a page is loaded without a token, for tokens never reach the browser. So whoever is given the page is
given addresses that are good for some hours, for these files of this course and nothing else. Whoever passes one on
passes on one file, for as long; whoever loses the entitlement keeps what was opened, for as long.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from datetime import datetime
from typing import Final
from uuid import UUID

STEP_SECONDS: Final = 3600
"""Addresses change this often, so that a browser can keep a file it has loaded."""
LIFE_SECONDS: Final = 6 * 3600
"""How long an address is good for at least: a film that is paused over lunch goes on."""

# In the JSON of a page: attributes of its HTML, whose quotes are escaped, and the link of its own file.
_ADDRESS: Final = re.compile(
    r'((?:(?:src|href|poster)=\\"|"url":")/v1/media/([0-9a-f]{8}-[0-9a-f-]{27})/[^"\\?#]*)(?=\\?")'
)


def until(now: datetime) -> int:
    """The end of an address that is made now, in seconds of the Unix epoch."""
    return (int(now.timestamp()) // STEP_SECONDS + 1) * STEP_SECONDS + LIFE_SECONDS


def seal(key: bytes, course_id: UUID, media_id: UUID, end: int) -> str:
    """What opens one file of one course until `end`."""
    mac = hmac.digest(key, b"%b%b%d" % (course_id.bytes, media_id.bytes, end), hashlib.sha256)[:18]
    return f"{end}.{urlsafe_b64encode(mac).decode()}"


def opens(given: str, key: bytes, course_id: UUID, media_id: UUID, now: datetime) -> bool:
    """Whether `given` opens the file now."""
    end = given.partition(".")[0]
    if not (end.isascii() and end.isdecimal() and len(end) <= 12):
        return False
    sealed = seal(key, course_id, media_id, int(end))
    return hmac.compare_digest(sealed.encode(), given.encode()) and int(end) > now.timestamp()


def with_seals(page: str, key: bytes, course_id: UUID, end: int) -> str:
    """A page's JSON whose addresses of files can be loaded without a token.

    Files of another course get a seal that does not open them.
    """
    return _ADDRESS.sub(
        lambda found: f"{found[1]}?seal={seal(key, course_id, UUID(found[2]), end)}",
        page,
    )
