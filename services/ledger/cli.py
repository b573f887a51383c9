"""`python -m suuupra ledger …`: what operators and auditors do with the books."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from services.ledger.clients.keys import CheckpointKeys
from services.ledger.domain.refusals import Refusal
from services.ledger.settings import Settings
from services.ledger.usecases import verifying
from services.ledger.usecases.checkpoints import Signer
from services.ledger.usecases.verifying import Outside, Report
from suuupra import logs, settings
from suuupra.app import opened
from suuupra.clock import SystemClock
from suuupra.db import Database
from suuupra.errors import Problem
from suuupra.objects import ObjectStore
from suuupra.secrets_store import SecretsStore

app = typer.Typer(no_args_is_help=True)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(highlight=False, soft_wrap=True, stderr=True)

_SHOWN: Final = 100
"""Findings that are printed."""


@app.command()
def verify(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            help="A checkpoint that was kept elsewhere; may be repeated.", exists=True, dir_okay=False
        ),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Look at the database only: a cut tail is not found then.")
    ] = False,
) -> None:
    """Recompute every hash and balance from the rows; name each row that is not as it was. Exit 1 when there is one."""
    try:
        report = asyncio.run(_verify(checkpoint or [], offline=offline))
    except Problem as problem:
        _fail(problem.detail)
    for finding in report.findings[:_SHOWN]:
        _err.print(Text.assemble(("bad: ", "bold red"), str(finding)))
    if len(report.findings) > _SHOWN:
        _err.print(f"… and {len(report.findings) - _SHOWN} more")
    if offline:
        _err.print(
            "checkpoints were not looked at: journals cut off at the end would not be missed", style="yellow"
        )
    if not report.derived:
        _err.print("balances were not compared: the journals are not what they were", style="yellow")
    _out.print(
        f"{report.journals} journals, {report.entries} entries, {report.checkpoints} checkpoints agree:"
        f" {'sound' if not report.findings else f'{len(report.findings)} findings'}"
    )
    if report.findings:
        raise typer.Exit(1)


async def _verify(copies: Sequence[Path], *, offline: bool) -> Report:
    loaded = _settings()
    database = Database.of(loaded)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(opened([database]))
        await database.check()
        if offline:
            return await verifying.verify(database, Outside(None, None))
        objects, secrets = ObjectStore.of(loaded, "checkpoints"), SecretsStore.of(loaded)
        await stack.enter_async_context(opened([objects, secrets]))
        outside = Outside(
            objects,
            CheckpointKeys(secrets, loaded.name),
            loaded.public_url,
            [path.read_text("ascii", errors="replace") for path in copies],
        )
        return await verifying.verify(database, outside)


@app.command()
def checkpoint() -> None:
    """Sign the present head, put it into the object store and print it: keep it where nobody here can reach it."""
    try:
        signed = asyncio.run(_checkpoint())
    except Problem as problem:
        _fail(problem.detail)
    if signed is None:
        _fail("there is no journal to sign yet")
    _out.print(signed, markup=False)


async def _checkpoint() -> str | None:
    loaded = _settings()
    database, objects = Database.of(loaded), ObjectStore.of(loaded, "checkpoints")
    secrets = SecretsStore.of(loaded)
    async with opened([database, objects, secrets]):
        keys = CheckpointKeys(secrets, loaded.name)
        made = await Signer(database, objects, keys, SystemClock(), loaded.public_url).sign()
    return None if made is None else made.signed


@app.command("rotate-key")
def rotate_key() -> None:
    """Make a new key for checkpoints. Pods sign with it after their next start; what was signed stays good."""
    try:
        key_id = asyncio.run(_rotate())
    except Problem as problem:
        _fail(problem.detail)
    _out.print(f"checkpoints are signed with {key_id} from the next start of the pods on", markup=False)


async def _rotate() -> str:
    loaded = _settings()
    secrets = SecretsStore.of(loaded)
    async with opened([secrets]):
        return await CheckpointKeys(secrets, loaded.name).rotate()


@app.command()
def rebuild() -> None:
    """Make accounts, daily balances and holds anew of the journals. Posting waits meanwhile."""
    try:
        count = asyncio.run(_rebuild())
    except Refusal as refusal:
        _fail(f"the journals are not sound: {refusal}. Run verify")
    except Problem as problem:
        _fail(problem.detail)
    _out.print(f"made anew of {count} journals")


async def _rebuild() -> int:
    database = Database.of(_settings())
    async with opened([database]):
        return await verifying.rebuild(database)


def _settings() -> Settings:
    loaded = settings.load(Settings)
    logs.configure(loaded)
    return loaded


def _fail(message: str) -> NoReturn:
    _err.print(Text.assemble(("error: ", "bold red"), message))
    raise typer.Exit(2)
