"""Secrets that outlive a pod, kept in OpenBao: signing keys, the secrets of clients, keys for webhooks.

`spec.secrets` of a resource gives its pods access. The resource NAME owns everything below `NAME/` and may read what
others grant it; a path always begins with its owner:

    store = SecretsStore.of(settings)                       # a Resource: list it in create_app(resources=[…])
    await store.write("identity/clients/web", {"secret": made}, cas=0)     # only if it is not there yet
    found = await store.read("identity/clients/web")        # {"secret": "…"} or None

Every value is text. A pod logs in with the token that Kubernetes projects into it, and logs in again before OpenBao
forgets it; the calls (hvac's, which block) run in threads of their own, never on the event loop.

Read what you need once and keep it: OpenBao may be away for an hour, and a pod that has started must not notice.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self, TypeVar

import hvac
import requests
from hvac import exceptions as bao
from pydantic import SecretStr

from suuupra import logs
from suuupra.errors import Conflict, Unavailable

AUTH_MOUNT: Final = "kubernetes"
CONNECT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 3.0
RENEWED_AT: Final = 2 / 3
"""The share of a token's life after which it is replaced."""
THREADS: Final = 2
MUST_EXIST_NOT: Final = 0
"""The `cas` of a write that makes a secret and never replaces one."""

_PATH: Final = re.compile(r"[a-z0-9][a-z0-9-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
_SOON: Final = {"Retry-After": "1"}

_log = logs.get_logger(__name__)
T = TypeVar("T")


class SecretsUnavailable(Unavailable):
    """OpenBao does not answer, or is sealed."""

    slug: ClassVar[str] = "secrets-unavailable"
    title: ClassVar[str] = "A secret cannot be read right now"


class SecretsRefused(SecretsUnavailable):
    """OpenBao does not let us: the role or its policy is not there (yet), or does not cover the path."""


class SecretChanged(Conflict):
    """Somebody wrote the secret since the version that `cas` names; nothing was written. Read it again."""

    slug: ClassVar[str] = "secret-changed"
    title: ClassVar[str] = "The secret was changed meanwhile"


@dataclass(frozen=True, slots=True)
class Secret:
    """What is stored at a path, and the version to give as `cas` when it is replaced. Never shows its values."""

    data: Mapping[str, str]
    version: int

    def __repr__(self) -> str:
        return f"Secret({', '.join(self.data)}; version {self.version})"


class Backend(Protocol):
    """Where secrets are kept; every call blocks. OpenBao's is `OpenBao`, tests may use suuupra.testing's."""

    def read(self, path: str) -> Secret | None:
        """The newest version, or None."""

    def write(self, path: str, data: Mapping[str, str], cas: int | None) -> int:
        """Store a new version and return its number; SecretChanged when `cas` is not the newest."""

    def check(self) -> None:
        """Raise SecretsUnavailable unless secrets could be read now."""

    def close(self) -> None:
        """Let go of connections."""


class SecretsOfService(Protocol):
    """What is read of a service's settings."""

    @property
    def openbao_url(self) -> str: ...
    @property
    def openbao_mount(self) -> str: ...
    @property
    def openbao_role(self) -> str: ...
    @property
    def openbao_token_path(self) -> str: ...
    @property
    def openbao_token(self) -> SecretStr | None: ...


class SecretsStore:
    """The secrets of one process."""

    name: Final = "openbao"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="openbao")
        self._reached = False

    @classmethod
    def of(cls, settings: SecretsOfService) -> Self:
        """The store that the operator told this pod about."""
        return cls(
            OpenBao(
                settings.openbao_url,
                mount=settings.openbao_mount,
                role=settings.openbao_role,
                token_path=Path(settings.openbao_token_path),
                token=settings.openbao_token,
            )
        )

    async def open(self) -> None:
        """Nothing: the first call logs in."""

    async def close(self) -> None:
        """Give the token back."""
        await self._call(self._backend.close)
        self._threads.shutdown(wait=False)

    async def check(self) -> None:
        """Raise SecretsUnavailable until OpenBao has answered once.

        After that it may go away without an effect on readiness: what a pod has read, it keeps.
        """
        if not self._reached:
            await self._call(self._backend.check)
            self._reached = True

    async def read(self, path: str) -> dict[str, str] | None:
        """What is stored at `path`, or None. Raises SecretsUnavailable, SecretsRefused."""
        found = await self.read_versioned(path)
        return dict(found.data) if found else None

    async def read_versioned(self, path: str) -> Secret | None:
        """As `read`, with the version to give as `cas` of the write that replaces it."""
        found = await self._call(lambda: self._backend.read(_checked(path)))
        self._reached = True
        return found

    async def write(self, path: str, data: Mapping[str, str], *, cas: int | None = None) -> int:
        """Store `data` at `path` as a new version, and return its number.

        With `cas` only if that is the newest version so far (0: only if nothing is there), else SecretChanged.
        """
        version = await self._call(lambda: self._backend.write(_checked(path), dict(data), cas))
        self._reached = True
        return version

    async def _call(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _checked(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError(
            f"{path!r} is no path of a secret: write owner/name, for example identity/clients/web"
        )
    return path


class OpenBao:
    """OpenBao over hvac, logged in as the pod. Safe to use from several threads."""

    def __init__(
        self, url: str, *, mount: str, role: str, token_path: Path, token: SecretStr | None = None
    ) -> None:
        self._mount = mount
        self._role = role
        self._token_path = token_path
        self._given = token
        self._login = threading.Lock()
        self._due = 0.0
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy lies between a pod and a server of its cluster
        self._client = hvac.Client(
            url=url,
            token=token.get_secret_value() if token else None,
            timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
            session=self._session,
        )

    def read(self, path: str) -> Secret | None:
        """The newest version, or None when there is none or it was deleted."""
        answer = self._asked(
            path,
            lambda kv: kv.read_secret_version(path, mount_point=self._mount, raise_on_deleted_version=True),
        )
        if answer is None:
            return None
        return Secret(answer["data"]["data"], answer["data"]["metadata"]["version"])

    def write(self, path: str, data: Mapping[str, str], cas: int | None) -> int:
        """Store a new version and return its number."""
        answer = self._asked(
            path, lambda kv: kv.create_or_update_secret(path, dict(data), cas=cas, mount_point=self._mount)
        )
        if answer is None:
            raise SecretsUnavailable("The secret store has no place for secrets (yet).", headers=_SOON)
        return int(answer["data"]["version"])

    def check(self) -> None:
        """Raise unless we are, or can be, logged in."""
        with _translated("", self._role):
            self._logged_in()
            self._client.auth.token.lookup_self()

    def close(self) -> None:
        """Revoke the token that was got by login, as far as OpenBao answers."""
        if self._given is None and self._client.token:
            with suppress(bao.VaultError, requests.RequestException):
                self._client.auth.token.revoke_self()
        self._session.close()

    def _asked(self, path: str, ask: Callable[[Any], Any]) -> Any | None:
        """The answer, or None when there is nothing. A token that was revoked is replaced, once."""
        with _translated(path, self._role):
            used = self._logged_in()
            try:
                return ask(self._client.secrets.kv.v2)
            except bao.InvalidPath:
                return None
            except (bao.Forbidden, bao.Unauthorized):
                if self._given is not None:
                    raise
                self._logged_in(instead_of=used)
                return self._again(ask)

    def _again(self, ask: Callable[[Any], Any]) -> Any | None:
        try:
            return ask(self._client.secrets.kv.v2)
        except bao.InvalidPath:
            return None

    def _logged_in(self, instead_of: str | None = None) -> str:
        """Our token; a new one when it nears its end or is the one that was just refused."""
        with self._login:
            if self._given is not None:
                return self._given.get_secret_value()
            refused = instead_of is not None and instead_of == self._client.token
            if refused or not self._client.token or time.monotonic() >= self._due:
                self._log_in()
            return str(self._client.token)

    def _log_in(self) -> None:
        try:
            jwt = self._token_path.read_text()
        except OSError as error:
            raise SecretsRefused(
                "The secret store cannot be asked: this pod has no token for it.", headers=_SOON
            ) from error
        asked = time.monotonic()
        answer = self._client.auth.kubernetes.login(self._role, jwt, use_token=False, mount_point=AUTH_MOUNT)
        self._client.token = answer["auth"]["client_token"]
        self._due = asked + answer["auth"]["lease_duration"] * RENEWED_AT


class _translated:  # noqa: N801 - reads as a function, as everywhere in the kit
    """hvac's and requests' errors in our words. Theirs quote addresses, so they go to the log only."""

    def __init__(self, path: str, role: str) -> None:
        self._path = path
        self._role = role

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        match error:
            case None:
                return
            case bao.Forbidden() | bao.Unauthorized():
                self._tell("openbao refused", error)
                raise SecretsRefused("The secret store does not allow this.", headers=_SOON) from error
            case bao.InvalidRequest() if "check-and-set" in str(error):
                raise SecretChanged("The secret was written by somebody else meanwhile.") from error
            case bao.InvalidRequest():
                # A login is refused with 400 while the operator has not made the role yet.
                self._tell("openbao refused", error)
                raise SecretsRefused("The secret store does not accept this.", headers=_SOON) from error
            case bao.VaultError() | requests.RequestException():
                self._tell("openbao failed", error)
                raise SecretsUnavailable("The secret store did not do this.", headers=_SOON) from error

    def _tell(self, event: str, error: BaseException) -> None:
        _log.warning(event, path=self._path, role=self._role, error=str(error).partition("\n")[0])
