"""The last dump of a database, streamed from pg_dump into the object store: whole, or not there at all."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import IO

from suuupra_operator.buckets import Buckets
from suuupra_operator.databases import Databases, Server
from suuupra_operator.errors import Pending, Temporary

log = logging.getLogger(__name__)

BUCKET = "suuupra-snapshots"
"""For the last dump of databases whose reclaim policy is Snapshot."""


class DumpFailed(Temporary):
    """pg_dump did not come to its end."""

    reason = "SnapshotFailed"


@dataclass
class Dump:
    """The output of a running pg_dump, as a stream that ends well only when the dump did.

    Whoever uploads it gets DumpFailed in place of the end of a dump that broke off, and so stores nothing: not even
    when this process was told to stop and has killed the dump.
    """

    process: subprocess.Popen[bytes]
    complaints: IO[bytes]

    @classmethod
    def of(cls, server: Server, database: str) -> Dump:
        """Start pg_dump on one database; the password is not among its arguments, which others may see."""
        environment = {**os.environ, "PGPASSWORD": server.password}
        command = ["pg_dump", "--format=custom", "--no-password", f"--dbname={server.address(database)}"]
        complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process does
        try:
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=complaints)
        except OSError as error:
            complaints.close()
            raise DumpFailed(f"pg_dump does not start: {error}") from error
        return cls(process, complaints)

    def read(self, size: int = -1) -> bytes:
        """The next bytes; the empty end only after pg_dump said that all went well."""
        if self.process.stdout is None:
            raise RuntimeError("a pipe was asked for")
        found = self.process.stdout.read(size)
        if not found and self.process.wait() != 0:
            raise DumpFailed(f"pg_dump failed: {self._words()}")
        return found

    def end(self) -> None:
        """Stop it if it still runs, and give back what it held."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.complaints.close()

    def _words(self) -> str:
        self.complaints.seek(0)
        lines = self.complaints.read().decode(errors="replace").strip().splitlines()
        return (lines[-1] if lines else f"it ended with {self.process.returncode}")[-300:]


@dataclass
class Snapshots:
    """Dumps that run. A large one takes longer than any reconcile may, so it goes on between them."""

    databases: Databases
    store: Buckets
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def take(self, key: str, database: str) -> None:
        """Return when the dump is stored whole under ``key``; raises Pending while it runs, or why it failed."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._store(key, database))
        await asyncio.wait([task], timeout=1.0)
        if not task.done():
            raise Pending(f"waits until the dump of database {database} is stored as s3://{BUCKET}/{key}")
        del self._running[key]
        await task

    async def close(self) -> None:
        """Break off what still runs; nothing of it is stored."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._running.clear()

    async def _store(self, key: str, database: str) -> None:
        if BUCKET not in self.store.known().buckets:
            await self.store.create_bucket(BUCKET)
        dump = await asyncio.to_thread(Dump.of, self.databases.server, database)
        try:
            await self.store.upload(BUCKET, key, dump)
        finally:
            dump.end()
        log.info("snapshot of %s stored as s3://%s/%s", database, BUCKET, key)
