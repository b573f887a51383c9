"""``python -m suuupra_operator``: run the operator, or write what is generated from its models."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path
from typing import Annotated

import typer

from suuupra_operator import crd, lint, logs
from suuupra_operator.app import run as run_operator
from suuupra_operator.settings import Settings
from suuupra_operator.uninstall import uninstall as uninstall_operator

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

HERE = Path(__file__).resolve()


@app.callback()
def main() -> None:
    """The operator of the Suuupra platform."""


@app.command()
def crds(
    root: Annotated[Path, typer.Option(help="the repository")] = HERE.parents[2],
) -> None:
    """Write the CustomResourceDefinitions: to crds/ for kubectl, and into the chart."""
    for path, text in crd.files(root).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        typer.echo(str(path.relative_to(root)))


@app.command()
def run() -> None:
    """Run the operator until it is told to stop."""
    raise typer.Exit(run_operator())


@app.command()
def uninstall() -> None:
    """Stop the operator and take its finalizer from every resource (the chart's pre-delete Job)."""
    settings = Settings()
    logs.configure(settings.log_level)
    typer.echo(f"{asyncio.run(uninstall_operator(settings))} resources let go")


@app.command("lint")
def lint_migration(
    file: Annotated[Path, typer.Argument(help="SQL that is about to be run", exists=True)],
) -> None:
    """Refuse SQL that cannot run beside pods of the version before."""
    found = lint.judge(file)
    for finding in found:
        typer.echo(finding)
    raise typer.Exit(lint.REFUSED if found else 0)


@app.command()
def probe(url: Annotated[str, typer.Argument(help="must answer 200")]) -> None:
    """Ask an HTTP endpoint once (the chart's `helm test`)."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the URL comes from the chart
        typer.echo(answer.read().decode())


if __name__ == "__main__":
    app()
