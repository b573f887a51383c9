"""A new service: the rooms of suuupra/template with its name in them, and its resource."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from suuupra import names

TEMPLATE: Final = Path(__file__).parent / "template"
_SUFFIX: Final = ".jinja"


class Refused(Exception):
    """The service cannot be made; nothing was written. The text says why and what to do."""


def new(name: str, root: Path, *, commands: Collection[str] = ()) -> list[Path]:
    """Write services/NAME and manifests/services/NAME.yaml under `root`; return the files made, relative to it.

    Raises names.InvalidName or Refused before anything is written. `commands` are words of the command line, under
    which the service's own commands would be mounted.
    """
    names.check(name)
    if name in commands:
        raise Refused(f"{name!r} is a command of python -m suuupra; choose another name")
    if not (root / "services" / "__init__.py").is_file():
        raise Refused(f"{root.resolve()} is not the project's folder; change into it, or name it with --root")
    files = _files(name)
    taken = [path for path in (_folder(name), _manifest(name)) if (root / path).exists()]
    if taken:
        raise Refused(
            f"{taken[0]} is there already and is not overwritten; choose another name, or delete it"
        )
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return list(files)


def _folder(name: str) -> Path:
    return Path("services") / names.folder_of(name)


def _manifest(name: str) -> Path:
    return Path("manifests") / "services" / f"{name}.yaml"


def _files(name: str) -> Mapping[Path, str]:
    """Every file of the new service, with its text."""
    # Nothing of this is HTML, and a title with an ampersand must stay one.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(TEMPLATE), undefined=StrictUndefined, keep_trailing_newline=True
    )
    values = {"name": name, "folder": names.folder_of(name), "title": name.replace("-", " ").capitalize()}
    return {
        _target(template, values): environment.get_template(template).render(values)
        for template in sorted(environment.list_templates())
        if template.endswith(_SUFFIX)
    }


def _target(template: str, values: Mapping[str, str]) -> Path:
    """Where a template's text goes: its own place, with NAME and FOLDER filled in."""
    filled = (
        template.removesuffix(_SUFFIX).replace("FOLDER", values["folder"]).replace("NAME", values["name"])
    )
    return Path(filled)
