"""``python -m suuupra_operator``: run the operator, or write what is generated from its models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suuupra_operator import crd
from suuupra_operator.app import run as run_operator

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)

HERE = Path(__file__).resolve()


@app.callback()
def main() -> None:
    """The operator of the Suuupra platform."""


@app.command()
def crds(
    folder: Annotated[Path, typer.Option(help="where the YAML files go")] = HERE.parents[2] / "crds",
) -> None:
    """Write one CustomResourceDefinition per file."""
    folder.mkdir(exist_ok=True)
    for name, definition in crd.definitions().items():
        (folder / name).write_text(crd.render(definition), encoding="utf-8")
        typer.echo(f"{folder / name}")


@app.command()
def run() -> None:
    """Run the operator until it is told to stop."""
    raise typer.Exit(run_operator())


if __name__ == "__main__":
    app()
