"""The secret store, thinly: policies, pods' roles, and the end of secrets, over OpenBao's HTTP API. Decides nothing.

Over aiohttp and not hvac, which the services use: that one blocks, and the operator counts its memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from suuupra_operator import metrics
from suuupra_operator.desired.access import MOUNT, PREFIX, Role
from suuupra_operator.errors import Permanent, Unreachable
from suuupra_operator.writes import Gate, Write

SERVER = "SecretStore"
TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=3)
AT_ONCE = 8
RENEWED_AT = 2 / 3
"""The share of a login's life after which there is a new one."""
_POLICIES = "sys/policies/acl"
_ROLES = "auth/kubernetes/role"


@dataclass(frozen=True)
class Account:
    """Address and the operator's own user."""

    address: str
    username: str
    password: str


@dataclass(frozen=True)
class Contents:
    """What is the operator's in the store."""

    policies: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)


class Vault:
    """The platform's secret store."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._account: Account | None = None
        self._session: aiohttp.ClientSession | None = None
        self._token, self._due = "", 0.0
        self._lock = asyncio.Lock()
        self.contents: Contents | None = None
        """The last read; None while the store does not answer."""
        self.problem = "not asked yet"

    @property
    def wanted(self) -> bool:
        """Whether the platform names one."""
        return self._account is not None

    async def configure(self, account: Account | None, missing: str = "") -> None:
        """Use this store from now on; ``missing`` says why there is none."""
        if account != self._account:
            await self.close()
            self._account, self._token, self.contents = account, "", None
            self.problem = "not asked yet"
        if account is None:
            self.problem = missing

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def refresh(self) -> bool:
        """Read policies and roles; False, with `problem` saying why, when that cannot be done."""
        async with self._lock:
            if self._account is None:
                return False
            try:
                self.contents, self.problem = await self._read(), ""
            except (Unreachable, Permanent) as error:
                self.contents, self.problem = None, str(error)[:200]
        metrics.BACKEND_UP.labels("openbao").set(self.contents is not None)
        return self.contents is not None

    def known(self) -> Contents:
        """The last read, or Unreachable."""
        if self.contents is None:
            raise Unreachable(SERVER, self.problem)
        return self.contents

    async def put_policy(self, name: str, text: str) -> None:
        await self._write(Write.VAULT_POLICY_PUT, "PUT", f"{_POLICIES}/{name}", {"policy": text})

    async def put_role(self, name: str, role: Role) -> None:
        await self._write(Write.VAULT_ROLE_PUT, "POST", f"{_ROLES}/{name}", dict(role))

    async def delete_role(self, name: str) -> None:
        """Nobody logs in as it any more. Already gone is fine."""
        await self._write(Write.VAULT_ROLE_DELETED, "DELETE", f"{_ROLES}/{name}")

    async def delete_policy(self, name: str) -> None:
        """Those who are logged in may do nothing any more. Already gone is fine."""
        await self._write(Write.VAULT_POLICY_DELETED, "DELETE", f"{_POLICIES}/{name}")

    async def delete_below(self, name: str) -> None:
        """Destroy every version of every secret below a name."""
        async with self._lock:
            await self._logged_in()
            paths = [path async for path in self._below(f"{name}/")]
            for path in paths:
                await self._send(Write.VAULT_EMPTIED, "DELETE", f"{MOUNT}/metadata/{path}")

    async def _below(self, folder: str) -> AsyncIterator[str]:
        answer = await self._ask("LIST", f"{MOUNT}/metadata/{folder}")
        for key in answer["data"]["keys"] if answer else ():
            if key.endswith("/"):
                async for path in self._below(folder + key):
                    yield path
            else:
                yield folder + key

    async def _write(
        self, write: Write, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> None:
        """Write, and read again what is there."""
        async with self._lock:
            await self._send(write, method, path, body)
            self.contents = await self._read()

    async def _send(
        self, write: Write, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> None:
        async with self._gate.external(write):
            await self._logged_in()
            self._gate.check()
            await self._ask(method, path, body)

    async def _read(self) -> Contents:
        await self._logged_in()
        mount = await self._ask("GET", f"sys/internal/ui/mounts/{MOUNT}")
        if mount is None or (mount["data"].get("options") or {}).get("version") != "2":
            raise Permanent(f"it has no KV engine (version 2) at {MOUNT}/")
        policies = await self._named(_POLICIES)
        roles = await self._named(_ROLES)
        return Contents(
            {name: str(data["policy"]) for name, data in policies.items()},
            roles,
        )

    async def _named(self, folder: str) -> dict[str, Any]:
        """Everything of ours in a folder, by name; read side by side, and not all at once."""
        listed = await self._ask("LIST", folder)
        names = [name for name in (listed["data"]["keys"] if listed else ()) if name.startswith(PREFIX)]
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> Any:
            async with turn:
                return await self._ask("GET", f"{folder}/{name}")

        found = await asyncio.gather(*map(one, names))
        return {name: answer["data"] for name, answer in zip(names, found, strict=True) if answer}

    async def _logged_in(self) -> None:
        if self._account is None:
            raise Unreachable(SERVER, self.problem)
        if self._token and time.monotonic() < self._due:
            return
        self._token = ""
        began = time.monotonic()
        body = {"password": self._account.password}
        answer = await self._ask("POST", f"auth/userpass/login/{self._account.username}", body)
        if answer is None:
            raise Permanent("it knows no login by auth/userpass")
        self._token = answer["auth"]["client_token"]
        self._due = began + answer["auth"]["lease_duration"] * RENEWED_AT

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any | None:
        """The answer; None when nothing is there. A refusal is told apart from silence."""
        if self._account is None:
            raise Unreachable(SERVER, self.problem)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        headers = {"X-Vault-Request": "true"} | ({"X-Vault-Token": self._token} if self._token else {})
        url = f"{self._account.address}/v1/{path}"
        try:
            async with self._session.request(method, url, json=body, headers=headers) as response:
                return await self._answer(response)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self.contents, self.problem = None, str(error)[:200] or type(error).__name__
            raise Unreachable(SERVER, error) from error

    async def _answer(self, response: aiohttp.ClientResponse) -> Any | None:
        if response.status == 204:
            return {}
        try:
            answer = await response.json(content_type=None)
        except ValueError as error:  # of a proxy in between, as a rule
            raise Unreachable(
                SERVER, f"it answers {response.status} with something else than JSON"
            ) from error
        told = "; ".join((answer or {}).get("errors") or []) or f"it answers {response.status}"
        if response.status == 404 and "no handler for route" not in told:
            return None
        if response.status in (429, 472, 473, 500, 502, 503):
            raise Unreachable(SERVER, told)
        if response.status >= 400:
            if response.status == 403:
                self._token = ""  # revoked, perhaps: log in again next time
            raise Permanent(f"the secret store refused: {told}"[:300])
        return answer
