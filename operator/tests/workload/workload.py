"""A stand-in for a service, for the operator's own tests: the same command line, ports and environment, no platform code.

``serve`` answers on the HTTP and ops ports; every request opens a new connection to its database, so that a password
that stopped working shows at once. ``migrate`` and ``migrate --sql`` do what MIGRATION in the image's name tells.
"""

import os
import signal
import sys
import threading

stopping = threading.Event()
# Before what takes time to import: process 1 that has no handler yet ignores SIGTERM, and would be waited for.
signal.signal(signal.SIGTERM, lambda *_: stopping.set())

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: E402

import psycopg  # noqa: E402

URL = os.environ.get("SUUUPRA_DATABASE_URL")
MIGRATION = os.environ.get("WORKLOAD_MIGRATION", "create table if not exists notes (id int primary key);")


def query(sql: str) -> None:
    if URL:
        with psycopg.connect(URL, connect_timeout=3, autocommit=True) as connection:
            connection.execute(sql)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
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
    if command not in ("serve", "work"):
        print("ran", *sys.argv[1:])
        return int(command == "fail")
    servers = [listen(int(os.environ["SUUUPRA_OPS_PORT"])), listen(int(os.environ["SUUUPRA_HTTP_PORT"]))]
    stopping.wait()
    threading.Event().wait(2)  # requests that were on their way are still answered
    for server in servers:
        server.shutdown()
    return 0


sys.exit(main())
