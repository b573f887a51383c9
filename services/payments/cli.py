"""Commands of payments: python -m suuupra payments …"""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from services.payments.settings import Settings
from services.payments.usecases import verifying
from suuupra import logs
from suuupra.db import Database
from suuupra.settings import load

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
out = Console(highlight=False, soft_wrap=True)


@app.callback()
def _payments() -> None:
    """What people do with payments besides the API."""


@app.command()
def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Make what differs again from the events.")
    ] = False,
) -> None:
    """Compare every payment, byte for byte, with what its events make; exit 1 when one differs."""
    settings = load(Settings)
    logs.configure(settings)
    differing = asyncio.run(_verify(settings, repair=repair))
    for payment in differing:
        out.print(f"{payment} differs from its events{'; made again' if repair else ''}")
    out.print(f"{len(differing)} payments differ")
    if differing and not repair:
        raise typer.Exit(1)


async def _verify(settings: Settings, *, repair: bool) -> list[str]:
    database = Database.of(settings)
    try:
        found = await verifying.differences(database)
        if repair and found:
            await verifying.rebuild(database)
    finally:
        await database.close()
    return [str(payment) for payment in found]
