"""The command line: python -m suuupra …

Exit codes: 0 done · 1 failed · 2 wrong usage or unknown name · 78 settings are wrong (EX_CONFIG of sysexits.h).
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn, cast

import typer
from rich.console import Console
from rich.text import Text

from suuupra import discovery, logs, names, scaffold, serving, settings
from suuupra.discovery import Service
from suuupra.settings import ServiceSettings

if TYPE_CHECKING:
    from suuupra.work import WorkSettings

EX_CONFIG: Final = 78

app = typer.Typer(
    name="suuupra",
    help="Run, describe and make the services of the platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)

Name = Annotated[str, typer.Argument(envvar="SUUUPRA_SERVICE", help="The service, for example content.")]


def main() -> None:
    """Run the command that was asked for, and tell errors that a person can mend in one sentence."""
    try:
        _mount_service_commands(sys.argv[1:])
        app()
    except settings.SettingsError as error:
        _fail(EX_CONFIG, str(error))
    except (discovery.UnknownService, names.InvalidName) as error:
        _fail(2, str(error))
    except (scaffold.Refused, serving.CannotListen) as error:
        _fail(1, str(error))


def _fail(code: int, message: str) -> NoReturn:
    err.print(Text.assemble(("error: ", "bold red"), message))
    raise SystemExit(code)


def _mount_service_commands(arguments: list[str]) -> None:
    """Mount the commands of the service that is named, or of all when help is asked for: imports cost start-up time."""
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for service in discovery.found():
        commands = service.commands() if wanted in (None, service.name) else None
        if commands is not None:
            app.add_typer(commands, name=service.name, help=f"Commands of {service.name}.")


def _loaded(name: str) -> tuple[Service, ServiceSettings]:
    """The service and its settings from the environment, logging as they say."""
    service = discovery.find(name)
    loaded = settings.load(service.settings(), service=service.name)
    logs.configure(loaded)
    return service, loaded


def _exit(in_order: bool) -> None:
    if not in_order:
        raise typer.Exit(1)


@app.command()
def serve(name: Name) -> None:
    """Answer HTTP until SIGTERM, then drain."""
    service, loaded = _loaded(name)
    _exit(serving.run(serving.serve(service.create_app(loaded))))


@app.command()
def work(name: Name) -> None:
    """Relay the service's events, consume others' and do what is due, until SIGTERM."""
    from suuupra.work import assemble  # noqa: PLC0415 - `serve` without events must not carry Kafka in memory

    service, loaded = _loaded(name)
    subscriptions, publishes = service.subscriptions(loaded), bool(service.events())
    schedules, workers = service.schedules(loaded), service.workers(loaded)
    if not subscriptions and not publishes and not schedules and not workers:
        _fail(2, f"{service.name} neither publishes nor consumes events: it has nothing to work on")
    parts = assemble(cast("WorkSettings", loaded), subscriptions, publishes, schedules, workers)
    _exit(serving.run(serving.work(loaded, parts.resources, parts.runnables, optional=parts.optional)))


@app.command()
def migrate(
    name: Name,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 when the schema is behind.")
    ] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Change nothing; print the SQL that would run.")] = False,
) -> None:
    """Bring the service's database to the schema its code needs."""
    from suuupra import migrations  # noqa: PLC0415 - only this command needs Alembic

    service = discovery.find(name)
    loaded = settings.load(settings.MigrationSettings, service=service.name)
    logs.configure(loaded, sys.stderr)
    try:
        if sql:
            out.print(migrations.pending_sql(loaded, service.name), markup=False)
        elif check:
            status = migrations.status(loaded, service.name)
            out.print(
                f"{service.name}: schema {status.current or 'empty'}, code needs {status.head or 'none'}"
            )
            _exit(status.at_head)
        else:
            done = migrations.migrate(loaded, service.name)
            out.print(
                f"{service.name}: {done.before or 'empty'} → {done.after or 'empty'}, {len(done.applied)} applied"
            )
    except migrations.NotConnected as error:
        _fail(1, error.detail)


@app.command()
def openapi(name: Name) -> None:
    """Print the service's OpenAPI document as JSON. Needs no environment and connects to nothing."""
    service = discovery.find(name)
    document = service.create_app(settings.example(service.settings(), service=service.name)).openapi()
    out.print(json.dumps(document, indent=2, ensure_ascii=False), markup=False)


@app.command()
def redrive(
    topic: Annotated[
        str, typer.Argument(help="The topic the events came from, for example lesson.completed.")
    ],
    service: Annotated[str, typer.Option("--service", help="The consumer that gave them up.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Put back at most this many.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Put events from TOPIC.dlt back on TOPIC. Twice is the same as once."""
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - only this command needs Kafka

    from suuupra import redrive as redriving  # noqa: PLC0415

    loaded = settings.load(settings.BusSettings, service=service)
    logs.configure(loaded, sys.stderr)
    running = redriving.redrive(loaded, topic, service=service, limit=limit, dry_run=dry_run)
    try:
        done = asyncio.run(running)
    except (redriving.NoDeadLetters, KafkaError) as error:
        _fail(1, str(error))
    found = f"{done.found} dead letters of {topic} looked at"
    out.print(
        f"{found}, {done.sent} {'would be ' if dry_run else ''}put back, {done.skipped} left (of other consumers, or kept without their value)"
    )


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What the service is called, for example live-classes.")],
    root: Annotated[Path, typer.Option(help="The project's folder.", file_okay=False)] = Path(),
) -> None:
    """Make services/NAME and manifests/services/NAME.yaml, ready to run and tested."""
    written = scaffold.new(
        names.check(name), root, commands={command.name or "" for command in app.registered_commands}
    )
    for path in written:
        out.print(f"[green]made[/green] {path}")
    out.print(f"next: pytest services/{names.folder_of(name)}, then make up")
