"""The platform's own clients: `web`, whose secret lies in the secret store, and `cli`, which has none."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from services.identity.contract import CLIENT_ID, CLIENT_SECRET, secret_path
from services.identity.domain.accounts import API_SCOPES, OPENID_SCOPES
from services.identity.domain.clients import CODE, REFRESH, Client, secret_hash
from services.identity.store import oauth
from services.identity.usecases.keyring import Vault
from suuupra import logs
from suuupra.clock import Clock
from suuupra.db import Database
from suuupra.errors import NotFound, Unavailable
from suuupra.secrets_store import SecretChanged

WEB: Final = "web"
CLI: Final = "cli"
_ALL_SCOPES: Final = (*OPENID_SCOPES, *sorted(API_SCOPES))

_log = logs.get_logger(__name__)


class SecretMissing(Exception):
    """What lies in the store under a client's name is not its secret."""


class ClientSettings(Protocol):
    """What is read of the settings."""

    @property
    def name(self) -> str: ...
    @property
    def public_url(self) -> str: ...


def own_clients(public_url: str, web_secret: str) -> tuple[Client, ...]:
    """The clients that every platform has."""
    web = Client(
        id=WEB,
        name="Suuupra",
        kind="confidential",
        grant_types=(CODE, REFRESH),
        redirect_uris=(f"{public_url}/session/callback",),
        post_logout_redirect_uris=(f"{public_url}/",),
        scopes=_ALL_SCOPES,
        secret_hash=secret_hash(web_secret),
        introspects=True,
    )
    cli = Client(
        id=CLI,
        name="Suuupra command line",
        kind="public",
        grant_types=(CODE, REFRESH),
        redirect_uris=("http://127.0.0.1/callback", "http://[::1]/callback"),
        scopes=_ALL_SCOPES,
    )
    return web, cli


async def secret_of(vault: Vault, resource: str, client_id: str) -> str:
    """The client's secret from the store; made there when there is none. Raises SecretsUnavailable, SecretMissing."""
    path = secret_path(client_id, resource)
    while True:
        found = await vault.read_versioned(path)
        if found is not None:
            return _read(found.data)
        made = secrets.token_urlsafe(32)
        try:
            await vault.write(path, {CLIENT_ID: client_id, CLIENT_SECRET: made}, cas=0)
        except SecretChanged:
            continue
        return made


def _read(data: Mapping[str, str]) -> str:
    if not data.get(CLIENT_SECRET):
        raise SecretMissing(f"the stored secret has no {CLIENT_SECRET}")
    return data[CLIENT_SECRET]


async def register(database: Database, clients: tuple[Client, ...], now: datetime) -> None:
    """Keep clients, in place of what was kept under their ids."""
    async with database.transaction() as tx:
        for client in clients:
            await tx.run_sync(oauth.register, client, now)


async def register_with_secret(
    database: Database, vault: Vault, resource: str, client: Client, now: datetime
) -> None:
    """Keep a confidential client, with the secret that lies in the store or a new one. Raises SecretsUnavailable."""
    secret = await secret_of(vault, resource, client.id)
    await register(database, (replace(client, secret_hash=secret_hash(secret)),), now)


async def confidential(database: Database, client_id: str) -> Client:
    """A client that has a secret. Raises NotFound."""
    async with database.reading() as tx:
        client = await tx.run_sync(oauth.client, client_id)
    if client is None or client.kind == "public":
        raise NotFound(f"There is no client {client_id} with a secret.")
    return client


async def renew_secret(
    database: Database, vault: Vault, resource: str, client_id: str, now: datetime
) -> None:
    """Replace a confidential client's secret. Raises NotFound, SecretsUnavailable."""
    client = await confidential(database, client_id)
    made = secrets.token_urlsafe(32)
    await vault.write(secret_path(client_id, resource), {CLIENT_ID: client_id, CLIENT_SECRET: made})
    await register(database, (replace(client, secret_hash=secret_hash(made)),), now)


class OwnClients:
    """A resource: the process is ready once the platform's own clients are registered."""

    name = "own-clients"

    def __init__(self, database: Database, vault: Vault, settings: ClientSettings, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._settings = settings
        self._clock = clock
        self._done = False

    async def open(self) -> None:
        """Register them now, if database and store answer; `check` tries again."""
        try:
            await self.check()
        except Unavailable as error:
            _log.warning("the platform's clients are not registered yet", error=str(error))

    async def close(self) -> None:
        """Nothing is held."""

    async def check(self) -> None:
        """Raise Unavailable until they are registered."""
        if self._done:
            return
        secret = await secret_of(self._vault, self._settings.name, WEB)
        clients = own_clients(self._settings.public_url, secret)
        await register(self._database, clients, self._clock.now())
        self._done = True
