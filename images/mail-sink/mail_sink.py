"""A mail server that keeps what it takes and shows it: real SMTP on one port, JSON over HTTP on another.

For developers' machines and tests. Python and aiosmtpd only. See README.md for the addresses and variables.
"""

import asyncio
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

_NAME = re.compile(r"[0-9]{12}\.mail")


def log(level: str, message: str, **values: object) -> None:
    """One JSON line on standard output; never an address or a word of a message."""
    line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "level": level, "message": message}
    print(json.dumps(line | values), flush=True)  # noqa: T201 - the log of a container is its standard output


@dataclass(frozen=True)
class Kept:
    """A message that was taken. `at` is the first time, `copies` how often it came; `size` in bytes."""

    id: int
    at: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    size: int
    copies: int = 1

    def is_for(self, address: str) -> bool:
        """Whether it was sent to that address."""
        return address.casefold() in (it.casefold() for it in self.recipients)


@dataclass
class Store:
    """Messages in a folder, a file each: a line of JSON, then the bytes as they came. Safe between threads."""

    folder: Path
    most: int = 500
    space: int = 48 * 1024 * 1024
    _kept: dict[int, Kept] = field(default_factory=dict)
    _last: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self) -> None:
        """Find what an earlier process left; a file that was cut off is removed."""
        with self._lock:
            for path in sorted(self.folder.iterdir()):
                if not _NAME.fullmatch(path.name):
                    path.unlink()
                    continue
                head, _, _ = path.read_bytes().partition(b"\n")
                found = json.loads(head)
                kept = Kept(**{**found, "recipients": tuple(found["recipients"])})
                self._kept[kept.id] = kept
                self._last = max(self._last, kept.id)

    def take(self, sender: str, recipients: Sequence[str], raw: bytes) -> Kept:
        """Keep a message, or count a copy of one that came before. When this returns, it is on disk."""
        message = parsed(raw)
        message_id = str(message.get("Message-ID", "")).strip()
        with self._lock:
            same = self._same(message_id, tuple(recipients))
            if same is not None:
                return self._write(replace(same, copies=same.copies + 1), self._raw(same.id))
            self._last += 1
            kept = Kept(
                id=self._last,
                at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                sender=sender,
                recipients=tuple(recipients),
                subject=str(message.get("Subject", "")),
                message_id=message_id,
                size=len(raw),
            )
            self._write(kept, raw)
            self._make_room()
            return kept

    def newest(self, recipient: str | None = None) -> list[Kept]:
        """All messages, or those to a recipient, the newest first."""
        with self._lock:
            found = sorted(self._kept.values(), key=lambda it: -it.id)
        return [it for it in found if recipient is None or it.is_for(recipient)]

    def read(self, id_: int) -> tuple[Kept, bytes] | None:
        """A message and its bytes."""
        with self._lock:
            kept = self._kept.get(id_)
            return None if kept is None else (kept, self._raw(id_))

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        with self._lock:
            for id_ in list(self._kept):
                self._forget(id_)

    def _same(self, message_id: str, recipients: tuple[str, ...]) -> Kept | None:
        if not message_id:
            return None
        return next(
            (it for it in self._kept.values() if (it.message_id, it.recipients) == (message_id, recipients)),
            None,
        )

    def _write(self, kept: Kept, raw: bytes) -> Kept:
        path = self._path(kept.id)
        partial_ = path.with_suffix(".partial")
        with partial_.open("wb") as file:
            file.write(json.dumps(asdict(kept)).encode() + b"\n" + raw)
            file.flush()
            os.fsync(file.fileno())
        partial_.rename(path)
        self._kept[kept.id] = kept
        return kept

    def _make_room(self) -> None:
        used = sum(it.size for it in self._kept.values())
        for oldest in sorted(self._kept)[:-1]:
            if len(self._kept) <= self.most and used <= self.space:
                return
            used -= self._kept[oldest].size
            self._forget(oldest)

    def _forget(self, id_: int) -> None:
        del self._kept[id_]
        self._path(id_).unlink(missing_ok=True)

    def _raw(self, id_: int) -> bytes:
        return self._path(id_).read_bytes().partition(b"\n")[2]

    def _path(self, id_: int) -> Path:
        return self.folder / f"{id_:012d}.mail"


def parsed(raw: bytes) -> EmailMessage:
    """The bytes as a message; whatever they are, it is one."""
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def shown(kept: Kept, raw: bytes) -> dict[str, Any]:
    """A message as JSON: its envelope, its headers, and its texts."""
    message = parsed(raw)
    return {
        **asdict(kept),
        "headers": [[name, str(value)] for name, value in message.items()],
        "text": text_of(message, "plain"),
        "html": text_of(message, "html"),
    }


def text_of(message: EmailMessage, kind: str) -> str | None:
    """The plain or html text; None when there is none, or none that can be read."""
    body = message.get_body((kind,))
    if body is None:
        return None
    try:
        return str(body.get_content())
    except (LookupError, KeyError):  # a charset, or a type, that nobody knows
        return None


class Taker:
    """aiosmtpd's hooks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a message, then say so."""
        kept = await asyncio.to_thread(
            self._store.take, envelope.mail_from or "", envelope.rcpt_tos, envelope.content
        )
        log("info", "taken", id=kept.id, size=kept.size, copies=kept.copies)
        return f"250 2.0.0 taken as {kept.id}"


class Api(BaseHTTPRequestHandler):
    """Reads the store; one thread a connection, all on one machine."""

    server_version = "mail-sink"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def __init__(self, store: Store, *arguments: Any) -> None:
        self._store = store
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """A list, a message, its bytes, or readiness."""
        url = urllib.parse.urlsplit(self.path)
        match url.path.strip("/").split("/"):
            case ["readyz"]:
                self._answer(HTTPStatus.OK, {"ready": True})
            case ["api", "messages"]:
                to = urllib.parse.parse_qs(url.query).get("to", [None])[0]
                self._answer(HTTPStatus.OK, {"messages": [asdict(it) for it in self._store.newest(to)]})
            case ["api", "messages", number]:
                self._message(number, raw=False)
            case ["api", "messages", number, "raw"]:
                self._message(number, raw=True)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, {"error": "there is nothing here"})

    def do_DELETE(self) -> None:
        """Forget everything."""
        if self.path != "/api/messages":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there is nothing here"})
            return
        self._store.clear()
        self._answer(HTTPStatus.OK, {"messages": []})

    def log_message(self, format: str, *_arguments: object) -> None:
        """Say nothing: a path may hold an address."""

    def _message(self, number: str, *, raw: bool) -> None:
        found = self._store.read(int(number)) if number.isascii() and number.isdecimal() else None
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there is no such message"})
        elif raw:
            self._send(HTTPStatus.OK, "application/octet-stream", found[1])
        else:
            self._answer(HTTPStatus.OK, shown(*found))

    def _answer(self, status: HTTPStatus, document: Mapping[str, Any]) -> None:
        # ASCII: a broken message may hold half a surrogate pair, which UTF-8 cannot.
        self._send(status, "application/json", json.dumps(document).encode("ascii"))

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True


async def serve(store: Store, *, host: str, smtp_port: int, http_port: int, largest: int) -> None:
    """Both ports, until SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    taker = Taker(store)
    smtp = await loop.create_server(
        lambda: SMTP(taker, hostname="mail-sink", enable_SMTPUTF8=True, data_size_limit=largest, loop=loop),
        host,
        smtp_port,
    )
    http = _Server((host, http_port), partial(Api, store))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    log("info", "listening", smtp=smtp_port, http=http_port)
    await stop.wait()
    smtp.close()
    await asyncio.to_thread(http.shutdown)
    http.server_close()


def main(environment: Mapping[str, str]) -> int:
    """Keep mail in /data until SIGTERM."""
    store = Store(
        Path(environment.get("MAIL_FOLDER", "/data")),
        int(environment.get("MAIL_MOST", "500")),
        int(environment.get("MAIL_SPACE", str(48 * 1024 * 1024))),
    )
    store.load()
    asyncio.run(
        serve(
            store,
            host=environment.get("MAIL_HOST", "0.0.0.0"),  # noqa: S104 - a container's own
            smtp_port=int(environment.get("MAIL_SMTP_PORT", "1025")),
            http_port=int(environment.get("MAIL_HTTP_PORT", "8025")),
            largest=int(environment.get("MAIL_LARGEST", str(10 * 1024 * 1024))),
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
