"""A stand-in for a service, for the operator's own tests: the same command line, ports and environment, no platform code.

``serve`` answers on the HTTP and ops ports; every request opens a new connection to its database, so that a password
that stopped working shows at once. ``migrate`` and ``migrate --sql`` do what MIGRATION in the image's name tells, and
``sql STATEMENT`` what its argument says.
"""

import contextlib
import json
import os
import signal
import sys
import threading

stopping = threading.Event()
# Before what takes time to import: process 1 that has no handler yet ignores SIGTERM, and would be waited for.
signal.signal(signal.SIGTERM, lambda *_: stopping.set())

import urllib.request  # noqa: E402
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: E402

import psycopg  # noqa: E402

URL = os.environ.get("SUUUPRA_DATABASE_URL")
MIGRATION = os.environ.get("WORKLOAD_MIGRATION", "create table if not exists notes (id int primary key);")


def query(sql: str) -> None:
    if URL:
        with psycopg.connect(URL, connect_timeout=3, autocommit=True) as connection:
            connection.execute(sql)


kept: dict[str, dict[str, object]] = {}
"""What a merchant's service or a switch was told, by path: for rails."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/internal/v1/participants":
            found = [{"code": p.rpartition("/")[2], **v} for p, v in kept.items() if p.startswith(self.path)]
            return self.answer(200, json.dumps({"items": found}))
        if self.path.startswith("/internal/"):
            return self.answer(200 if self.path in kept else 404, json.dumps(kept.get(self.path)))
        if self.path == "/environment":
            return self.answer(
                200, json.dumps({k: v for k, v in os.environ.items() if k.startswith(("BANK", "RAIL"))})
            )
        return self.serve()

    def do_PUT(self) -> None:
        kept[self.path] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(200, json.dumps(kept[self.path]))

    def do_DELETE(self) -> None:
        self.answer(200 if kept.pop(self.path, None) else 404, "{}")

    def serve(self) -> None:
        try:
            if self.path in ("/", "/readyz"):
                query("select 1")
            self.answer(200, os.environ.get("SUUUPRA_VERSION", ""))
        except psycopg.Error as error:
            self.answer(503, str(error))

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def take_part() -> None:
    """As a bank: be known to the switch, again and again, since a switch that restarts has forgotten."""
    code = json.loads(os.environ["BANK_PROFILE"])["code"]
    url = f"{os.environ['SUUUPRA_URL_WORKLOAD']}/internal/v1/participants/{code}"
    body = json.dumps({"kind": "bank", "state": "up", "success_share": 1.0}).encode()
    while not stopping.wait(1):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(url, body, method="PUT"), timeout=3).close()


def listen(port: int) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> int:
    command = sys.argv[1]
    if command == "migrate":
        if "--sql" in sys.argv:
            print(MIGRATION)
        else:
            query(MIGRATION)
        return 0
    if command == "sql":
        query(sys.argv[2])
        return 0
    if command not in ("serve", "work"):
        print("ran", *sys.argv[1:])
        return int(command == "fail")
    servers = [listen(int(os.environ["SUUUPRA_OPS_PORT"])), listen(int(os.environ["SUUUPRA_HTTP_PORT"]))]
    if "BANK_PROFILE" in os.environ:
        threading.Thread(target=take_part, daemon=True).start()
    stopping.wait()
    threading.Event().wait(2)  # requests that were on their way are still answered
    for server in servers:
        server.shutdown()
    return 0


sys.exit(main())
