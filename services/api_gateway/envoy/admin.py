"""Envoy's admin interface, on a socket file that only this process can reach."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

_TAKEN: Final = re.compile(
    r"^(?P<owner>cluster_manager\.cds|listener_manager\.lds|http\.public\.rds\.routes|cluster\.[^.]+)"
    r"\.(?P<what>version_text|update_rejected): (?P<value>.*)$"
)
_FILTER: Final = (
    r"^(cluster_manager\.cds|listener_manager\.lds|http\.public\.rds\.routes|cluster\.[^.]+)"
    r"\.(version_text|update_rejected)$"
)
_IN_FLIGHT: Final = "http.public.downstream_rq_active"


class AdminUnavailable(Exception):
    """Envoy does not answer on its admin socket: not started yet, or gone."""


@dataclass(frozen=True)
class Taken:
    """What Envoy runs of one watched file, and how often it refused it."""

    version: str = ""
    rejected: int = 0


class Admin:
    """Questions and orders to Envoy. Every failure to answer is AdminUnavailable."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def state(self) -> str:
        """``LIVE`` once Envoy serves; ``DRAINING``, ``PRE_INITIALIZING`` or ``INITIALIZING`` otherwise."""
        return (await self._ask("GET", "/ready", also=503)).decode().strip()

    async def taken(self) -> dict[str, Taken]:
        """Per watched file (``lds``, ``cds``, ``rds``, ``eds-<service>``): what Envoy took."""
        text = (await self._ask("GET", "/stats", {"filter": _FILTER})).decode()
        facts: dict[str, dict[str, str]] = {}
        for line in text.splitlines():
            if found := _TAKEN.match(line):
                facts.setdefault(_file_of(found["owner"]), {})[found["what"]] = found["value"].strip('"')
        return {
            name: Taken(fact.get("version_text", ""), int(fact.get("update_rejected", 0)))
            for name, fact in facts.items()
        }

    async def in_flight(self) -> int:
        """Requests (streams and upgraded connections included) that have no end yet."""
        text = (await self._ask("GET", "/stats", {"filter": f"^{re.escape(_IN_FLIGHT)}$"})).decode()
        return int(text.rpartition(":")[2].strip() or 0)

    async def prometheus(self) -> bytes:
        return await self._ask("GET", "/stats/prometheus", {"usedonly": ""})

    async def discourage(self) -> None:
        """Ask clients to leave: connections close after their answer, HTTP/2 gets GOAWAY."""
        await self._ask("POST", "/healthcheck/fail")

    async def refuse_connections(self) -> None:
        """Close the listening sockets; open connections go on."""
        await self._ask("POST", "/drain_listeners")

    async def _ask(
        self, method: str, path: str, query: dict[str, str] | None = None, *, also: int = 200
    ) -> bytes:
        if self._session is None:
            connector = aiohttp.UnixConnector(path=str(self._socket))
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=5))
        try:
            async with self._session.request(method, f"http://envoy{path}", params=query) as response:
                if response.status not in {200, also}:
                    raise AdminUnavailable(f"{path} answered {response.status}")
                return await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AdminUnavailable(f"{path}: {error}") from error


def _file_of(owner: str) -> str:
    """The watched file a statistic speaks of."""
    fixed = {"cluster_manager.cds": "cds", "listener_manager.lds": "lds", "http.public.rds.routes": "rds"}
    return fixed.get(owner) or f"eds-{owner.removeprefix('cluster.')}"
