"""What goes into the image of one service: its own folder, the kit, and the contracts it imports. No more.

Decided by reading the code, so that the build fails when a service reaches for anything else of another one,
and so that a change in a service changes that service's image only.
"""

import ast
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bringup.hashing import IGNORED_FOLDERS, tree

DEFAULT_TARGET = "platform"
OPERATOR = "operator"
OPS = "ops"
"""The room of a service that its pods do not read."""
HOST_ONLY = frozenset({"testing", "template"})
"""Parts of the kit that no image runs: fixtures, and what the scaffold copies."""
RUNTIME_TABLES = ("project", "build-system", "dependency-groups", "tool.uv", "tool.hatch")


@dataclass(frozen=True)
class Recipe:
    """An image of platform code: its name, the Dockerfile's target, and the service it runs, if any."""

    name: str
    target: str
    service: str = ""
    home: str = "services"
    """The folder that holds the service's."""


IDLE = Recipe("idle", DEFAULT_TARGET, "idle", "tests/load")
"""What a benchmark starts by the dozen. No part of the platform, so only who asks for it builds it."""


def services(root: Path) -> list[str]:
    """Folders of services/, each one deployable."""
    return sorted(path.parent.name for path in (root / "services").glob("*/__init__.py"))


def recipes(root: Path) -> list[Recipe]:
    """Every image of platform code: one per service, what its image.toml adds, and the operator."""
    found = [recipe for folder in services(root) for recipe in _service_recipes(root, folder)]
    return [*found, Recipe(OPERATOR, OPERATOR)] if (root / "operator/suuupra_operator").exists() else found


def files(root: Path, recipe: Recipe) -> dict[str, Path]:
    """The build context, as relative name → file, without Dockerfile and pyproject.toml.

    An image of neither a service nor the operator holds what the lock says and no code.
    """
    lock = {"uv.lock": root / "uv.lock"}
    if not recipe.service and recipe.name != OPERATOR:
        return lock
    kit = {
        name: path
        for name, path in tree(root / "suuupra", "suuupra/").items()
        if name.split("/")[1] not in HOST_ONLY
    }
    context = lock | kit
    if recipe.name == OPERATOR:
        return context | tree(root / "operator/suuupra_operator", "operator/suuupra_operator/") | alerts(root)
    folder = recipe.service.replace("-", "_")
    package = root / recipe.home / folder
    own = tree(package, f"services/{folder}/", ignore=IGNORED_FOLDERS | {OPS})
    context |= {"services/__init__.py": root / "services/__init__.py", **own}
    for other in sorted(contracts(root, package)):
        context |= {path.relative_to(root).as_posix(): path for path in published(root, other)}
    return context


def published(root: Path, folder: str) -> set[Path]:
    """A service's contract.py, and those modules of its own that the contract stands on."""
    package = root / "services" / folder
    found, wanted = {package / "__init__.py"}, [package / "contract.py"]
    while wanted:
        path = wanted.pop()
        if path in found:
            continue
        found.add(path)
        inside = imported_modules(path.read_text(), f"services.{folder}.")
        wanted += [file for module in inside for file in _files_of(root, module)]
    return found


def imported_modules(source: str, prefix: str) -> set[str]:
    """Modules below `prefix` that a Python source imports by their full names."""
    found: set[str] = set()
    for item in ast.walk(ast.parse(source)):
        match item:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found |= {module, *(f"{module}.{alias.name}" for alias in names)}
    return {name for name in found if name.startswith(prefix)}


def _files_of(root: Path, module: str) -> list[Path]:
    """The module's file, or its package's, with the packages above it; none for a name inside a module."""
    path = root.joinpath(*module.split("."))
    files = [path.with_suffix(".py"), path / "__init__.py", path.parent / "__init__.py"]
    return [file for file in files if file.is_file()]


def alerts(root: Path) -> dict[str, Path]:
    """What the operator is given of each service: its rule file. So an edit of one rolls no service."""
    found = sorted((root / "services").glob(f"*/{OPS}/alerts.yaml"))
    return {path.relative_to(root).as_posix(): path for path in found}


def contracts(root: Path, package: Path) -> set[str]:
    """Services whose contract the code of a service's folder imports, and whose contract those import in turn."""
    found: set[str] = set()
    wanted = imported_services(path.read_text() for path in _sources(package))
    while wanted:
        other = wanted.pop()
        contract = root / "services" / other / "contract.py"
        if other == package.name or other in found or not contract.exists():
            continue
        found.add(other)
        wanted |= imported_services(path.read_text() for path in published(root, other)) - {other}
    return found


def imported_services(sources: Iterable[str]) -> set[str]:
    """Names X of `services.X` that Python sources import, in any spelling."""
    found: set[str] = set()
    for source in sources:
        for item in ast.walk(ast.parse(source)):
            match item:
                case ast.Import(names=names):
                    found |= {_service(alias.name) for alias in names}
                case ast.ImportFrom(module="services", names=names, level=0):
                    found |= {alias.name for alias in names}
                case ast.ImportFrom(module=str(module), level=0):
                    found.add(_service(module))
    return found - {""}


def runtime_part(pyproject: str) -> str:
    """The tables of pyproject.toml that decide what is installed; how code is linted rolls no pod."""
    kept, keep = [], False
    for line in pyproject.splitlines():
        if line.startswith("["):
            table = line.strip("[] \t")
            keep = any(table == wanted or table.startswith(f"{wanted}.") for wanted in RUNTIME_TABLES)
        if keep:
            kept.append(line)
    return "\n".join(kept).rstrip() + "\n"


def write(target: Path, context: Mapping[str, Path], texts: Mapping[str, str]) -> None:
    """Lay the context out in an empty folder: `context` is copied, `texts` are written."""
    shutil.rmtree(target, ignore_errors=True)
    for name, source in context.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target / name)
    for name, text in texts.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text)


def _service_recipes(root: Path, folder: str) -> list[Recipe]:
    name = folder.replace("_", "-")
    file = root / "services" / folder / "image.toml"
    told = tomllib.loads(file.read_text()) if file.exists() else {}
    extra = [Recipe(item["name"], item["target"], name) for item in told.get("extra", [])]
    return [Recipe(name, told.get("target", DEFAULT_TARGET), name), *extra]


def _sources(folder: Path) -> list[Path]:
    return [path for name, path in tree(folder).items() if name.endswith(".py")]


def _service(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "services" and len(parts) > 1 else ""
