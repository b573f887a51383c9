"""`python -m suuupra identity …`: what operators do with people, clients and keys."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.identity.contract import Locale, Name, secret_path
from services.identity.domain import clients as rules
from services.identity.domain.accounts import API_SCOPES, OPENID_SCOPES, Role, email_key, may_have, roles_of
from services.identity.domain.clients import CODE, CREDENTIALS, REFRESH, Client
from services.identity.domain.keys import Ring
from services.identity.domain.passwords import fault
from services.identity.settings import Settings
from services.identity.store import oauth
from services.identity.usecases import keyring, people, registering, signing_up
from services.identity.usecases.hashing import Hasher
from services.identity.usecases.signing_up import AddressTaken
from services.identity.usecases.world import Rules, World
from suuupra import fields, logs, settings
from suuupra.app import opened
from suuupra.clock import SystemClock
from suuupra.db import Database, Transaction
from suuupra.errors import Problem
from suuupra.secrets_store import SecretsStore

app = typer.Typer(no_args_is_help=True)
client_app = typer.Typer(no_args_is_help=True)
organisation_app = typer.Typer(no_args_is_help=True)
app.add_typer(client_app, name="client", help="Applications that ask for tokens.")
app.add_typer(organisation_app, name="organisation", help="Organisations and their members.")

_out = Console(highlight=False, soft_wrap=True)
_err = Console(highlight=False, soft_wrap=True, stderr=True)
_clock: Final = SystemClock()
PASSWORD_VARIABLE: Final = "SUUUPRA_NEW_PASSWORD"  # noqa: S105 - the name of a variable

T = TypeVar("T")
Email = Annotated[str, typer.Argument(help="The person's e-mail address.")]


def _fail(message: str) -> NoReturn:
    _err.print(Text.assemble(("error: ", "bold red"), message))
    raise typer.Exit(1)


def _settings() -> Settings:
    loaded = settings.load(Settings, service="identity")
    logs.configure(loaded)
    return loaded


def _run(work: Callable[[Settings, Database], Awaitable[T]]) -> T:
    """Do something with the database, and tell a problem in a sentence."""

    async def run() -> T:
        loaded = _settings()
        database = Database.of(loaded)
        async with opened([database]):
            await database.check()
            return await work(loaded, database)

    try:
        return asyncio.run(run())
    except Problem as problem:
        _fail(problem.detail)
    except ValueError as error:
        _fail(str(error))


def _in_transaction(work: Callable[[Transaction], Awaitable[T]]) -> T:
    async def run(_loaded: Settings, database: Database) -> T:
        async with database.transaction() as tx:
            return await work(tx)

    return _run(run)


def _checked(kind: Any, name: str, value: str) -> str:
    try:
        return str(TypeAdapter(kind).validate_python(value))
    except ValidationError as error:
        _fail(f"{name}: {error.errors()[0]['msg']}")


# People


@app.command("create-user")
def create_user(
    email: Email,
    name: Annotated[str, typer.Option(help="What the person is called.")],
    password: Annotated[
        str,
        typer.Option(
            envvar=PASSWORD_VARIABLE,
            prompt=True,
            hide_input=True,
            help=f"Asked for when absent, so that it stays out of the shell's history; or by {PASSWORD_VARIABLE}.",
        ),
    ],
    role: Annotated[
        list[Role] | None, typer.Option(help="A role; may be given again. Everybody learns.")
    ] = None,
    locale: Annotated[str, typer.Option(help="The person's language, such as en or hi-IN.")] = "en",
    keep: Annotated[
        bool, typer.Option("--keep", help="Where the address has an account, leave it as it is and succeed.")
    ] = False,
) -> None:
    """Make an account whose address needs no confirmation, and print its id. Publishes user.created."""
    address = _checked(fields.EmailAddress, "EMAIL", email)
    called, language = _checked(Name, "--name", name), _checked(Locale, "--locale", locale)
    wrong = fault(password, email=address, name=called)
    if wrong is not None:
        _fail(f"--password: {wrong}")

    async def create(loaded: Settings, database: Database) -> str:
        hasher = Hasher(loaded)
        async with opened([hasher]):
            password_hash = await hasher.hash(password)
        try:
            async with database.transaction() as tx:
                made = await signing_up.create_verified(
                    tx,
                    email=address,
                    name=called,
                    locale=language,
                    roles=roles_of(role or ()),
                    password_hash=password_hash,
                    now=_clock.now(),
                )
                return str(made.id)
        except AddressTaken:
            if not keep:
                raise
            async with database.reading() as tx:
                return str((await people.by_email(tx, address)).id)

    _out.print(_run(create))


@app.command("set-roles")
def set_roles(
    email: Email,
    roles: Annotated[
        list[Role], typer.Argument(help="Every role the person is to have; learner comes by itself.")
    ],
) -> None:
    """Replace somebody's roles. Tokens follow within their life, at the next refresh."""
    account = _in_transaction(lambda tx: people.set_roles(tx, _clock, email, roles))
    _out.print(f"{account.email}: {', '.join(account.roles)}")


@app.command()
def disable(
    email: Email, undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False
) -> None:
    """Shut somebody out: sessions and refresh tokens end now, access tokens within their life."""
    _in_transaction(lambda tx: people.shut_out(tx, _clock, email, let_in=undo))
    _out.print(f"{email_key(email)}: {'enabled' if undo else 'disabled'}")


@app.command()
def token(
    email: Email,
    scope: Annotated[
        str | None, typer.Option(help="The scopes; all that the roles allow when absent.")
    ] = None,
) -> None:
    """Print an access token of somebody, as if they had signed in: for scripts of whoever may run this here anyway."""

    async def mint(loaded: Settings, database: Database) -> str:
        store = SecretsStore.of(loaded)
        async with opened([store]):
            ring, _ = await keyring.load(store, keyring.path_of_keys(loaded.name), _clock.now())
        async with database.transaction() as tx:
            account = await people.by_email(tx, email)
            wanted = " ".join(sorted(may_have(account.roles))) if scope is None else scope
            return await tx.run_sync(
                lambda orm: (world := World(orm, ring, _clock.now(), Rules.of(loaded))).access_token(
                    registering.CLI, world.scope_of(account, wanted), account, None
                )
            )

    _out.print(_run(mint), markup=False)


# Keys


@app.command("rotate-keys")
def rotate_keys(
    revoke: Annotated[
        bool,
        typer.Option(
            "--revoke", help="Forget every other key now: what they signed is refused within minutes."
        ),
    ] = False,
) -> None:
    """Make a new signing key. It is published now and signs in 15 minutes, when everybody has seen it."""

    async def rotate(loaded: Settings, _database: Database) -> Ring:
        store = SecretsStore.of(loaded)
        async with opened([store]):
            path = keyring.path_of_keys(loaded.name)
            return await keyring.rotate(store, path, _clock.now(), at_once=revoke)

    newest = _run(rotate).keys[-1]
    _out.print(f"{newest.kid} signs from {newest.signs_from.isoformat(timespec='seconds')}")


# Clients


@client_app.command("add")
def add_client(
    client_id: Annotated[str, typer.Argument(help="Its id, for example reports.")],
    name: Annotated[str | None, typer.Option(help="What people are shown; the id when absent.")] = None,
    public: Annotated[
        bool, typer.Option("--public", help="It cannot keep a secret: a program on its user's machine.")
    ] = False,
    redirect_uri: Annotated[
        list[str] | None,
        typer.Option(help="Where people are sent back to; with it the client may sign people in."),
    ] = None,
    post_logout_redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where people may be sent after they signed out.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="A scope it may ask for; may be given again.")
    ] = None,
    introspect: Annotated[
        bool, typer.Option("--introspect", help="It may look at tokens that were issued to others.")
    ] = False,
) -> None:
    """Register a client, or replace one. A confidential one gets a secret, kept in the secret store."""
    scopes = tuple(scope or ((*OPENID_SCOPES,) if redirect_uri else ()))
    made = Client(
        id=client_id,
        name=_checked(Name, "--name", name or client_id),
        kind="public" if public else "confidential",
        grant_types=(CODE, REFRESH) if redirect_uri else (CREDENTIALS,),
        redirect_uris=tuple(redirect_uri or ()),
        post_logout_redirect_uris=tuple(post_logout_redirect_uri or ()),
        scopes=scopes,
        introspects=introspect,
    )
    wrong = _client_fault(made)
    if wrong is not None:
        _fail(wrong)
    _out.print(_run(lambda loaded, database: _register(loaded, database, made)))


def _client_fault(client: Client) -> str | None:
    if client.id in (registering.WEB, registering.CLI):
        return f"{client.id} is the platform's own"
    if client.kind == "public" and not client.redirect_uris:
        return "a public client signs people in: give --redirect-uri"
    unknown = set(client.scopes) - API_SCOPES - set(OPENID_SCOPES)
    if unknown:
        return f"no scope of the platform: {', '.join(sorted(unknown))}"
    uris = (*client.redirect_uris, *client.post_logout_redirect_uris)
    faults = [rules.id_fault(client.id), *(rules.redirect_fault(uri) for uri in uris)]
    return next((it for it in faults if it), None)


async def _register(loaded: Settings, database: Database, client: Client) -> str:
    if client.kind == "public":
        await registering.register(database, (client,), _clock.now())
        return f"{client.id}: registered, public"
    store = SecretsStore.of(loaded)
    async with opened([store]):
        await registering.register_with_secret(database, store, loaded.name, client, _clock.now())
    return (
        f"{client.id}: registered; its secret is in the secret store at {secret_path(client.id, loaded.name)}"
    )


@client_app.command("secret")
def client_secret(
    client_id: Annotated[str, typer.Argument(help="The client.")],
    file: Annotated[
        Path | None,
        typer.Option(help="Write it here, readable by you only, instead of printing it.", dir_okay=False),
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make a new one first; the old one ends at once.")
    ] = False,
) -> None:
    """Print a confidential client's secret."""

    async def find(loaded: Settings, database: Database) -> str:
        store = SecretsStore.of(loaded)
        async with opened([store]):
            if renew:
                await registering.renew_secret(database, store, loaded.name, client_id, _clock.now())
            await registering.confidential(database, client_id)
            return await registering.secret_of(store, loaded.name, client_id)

    found = _run(find)
    if file is None:
        _out.print(found, markup=False)
    else:
        file.touch(mode=0o600)
        file.write_text(found)


@client_app.command("list")
def list_clients() -> None:
    """Every client."""

    async def find(tx: Transaction) -> list[Client]:
        return list(await tx.run_sync(oauth.clients))

    table = Table("id", "kind", "grants", "scopes", "redirects to")
    for it in _in_transaction(find):
        table.add_row(
            it.id, it.kind, " ".join(it.grant_types), " ".join(it.scopes), "\n".join(it.redirect_uris)
        )
    _out.print(table)


# Organisations


@organisation_app.command("add")
def add_organisation(
    slug: Annotated[str, typer.Argument(help="Its short name, for example acme.")],
    name: Annotated[str, typer.Option(help="Its name.")],
) -> None:
    """Make an organisation, and print its id; that of the one with this slug if there is one."""
    if rules.id_fault(slug):
        _fail(f"SLUG: {rules.id_fault(slug)}")
    called = _checked(Name, "--name", name)
    _out.print(str(_in_transaction(lambda tx: people.add_organisation(tx, _clock, slug, called))))


@organisation_app.command("join")
def join(
    slug: Annotated[str, typer.Argument(help="The organisation.")],
    email: Email,
    manager: Annotated[bool, typer.Option("--manager", help="As one who manages it.")] = False,
) -> None:
    """Make somebody a member, or give a member another role."""
    role = "manager" if manager else "member"
    _in_transaction(lambda tx: people.join(tx, _clock, email, slug, role))
    _out.print(f"{email_key(email)} is a {role} of {slug}")
