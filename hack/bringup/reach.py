"""Whose files the tests of a folder reach: `python -m bringup.reach FOLDER…`, by .venv's Python, which has grimp.

By import, however far: of whatever is reached the whole folder counts (bringup.parts). And by name, because tests
start services whose modules they do not import: what they say to `discovery.find`, `import_module` and their like. Where
that is no plain word, every service counts that the folder's tests name between quotes, whatever they name it for.
"""

import json
import platform
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import grimp

from bringup import paths
from bringup.parts import owner
from bringup.staging import imported_modules

PACKAGES = ("suuupra", "services", "suuupra_operator", "bringup", "world", "tests")
FOLDERS = {"suuupra_operator": "operator/suuupra_operator", "bringup": "hack/bringup", "world": "hack/world"}
"""Where packages lie that do not lie in the folder of their name."""
_RUNS = re.compile(
    r"""\b(?:import_module|run_module|discovery\.find|Schema\.of|mark\.service|forking\.start)\("""
    r"""|\bfrom (?:importlib|runpy|suuupra\.discovery|suuupra\.testing\.forking) import\b"""
    r"""|\bdiscovery\.found\b|["']-m["'],\s*(?=["']suuupra["'])|/ *["']services["']"""
)
_PATH = re.compile(r"""(?:/ *["']|["'](?=\w+/))(operator|charts|crds|hack)(?=["'/])""")
"""A folder named as one, in `root / "charts"` and in `"charts/suuupra"`."""
_WORDS = re.compile(r"""\s*(?:["'][\w.-]+["']|__name__)(?:,\s*["'][\w.-]+["'])*""")
_QUOTED = re.compile(r"""["'](?:services[./])?([a-z][a-z0-9_-]*)(?=["'./])""")
_PROGRAM = "suuupra"
"""Runs the service that is one of the words after it."""


def graph() -> grimp.ImportGraph:
    """Who imports whom, in all Python of this tree that is in a package."""
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def reached(imports: grimp.ImportGraph, root: Path, folder: str) -> set[str]:
    """Owners (bringup.parts) of all that the tests in a folder import or run by name."""
    package = folder.replace("/", ".")
    seeds = {module for module in imports.modules if f"{module}.".startswith(f"{package}.")}
    tests = {path: path.read_text() for path in (root / folder).rglob("*.py") if "tests" in path.parts}
    for path, text in tests.items():
        if ".".join(path.relative_to(root).with_suffix("").parts) not in imports.modules:
            seeds |= imported_modules(text, "") & imports.modules
    services = {
        module.split(".")[1] for module in imports.modules if module.count(".") == 1 and "services." in module
    }
    for name in run_by_name(tests.values(), services):
        prefix = f"services.{name}."
        seeds |= {
            m for m in imports.modules if f"{m}.".startswith(prefix) and not m.startswith(f"{prefix}tests")
        }
    found = seeds.union(*(imports.find_upstream_modules(module) for module in seeds))
    folders = _PATH.findall("\n".join(tests.values()))
    return {owner(_file(module)) for module in found}.union(folders) - {""}


def run_by_name(texts: Iterable[str], services: Collection[str]) -> set[str]:
    """Services that tests may start without importing them, given the tests' own text."""
    named, text = set[str](), "\n".join(texts)
    for run in _RUNS.finditer(text):
        said = _WORDS.match(text, run.end())
        words = _QUOTED.findall(said[0]) if said else []
        meant = _folders(words, services)
        if said is None or (words[:1] == [_PROGRAM] and not meant):
            return _folders(_QUOTED.findall(text), services)
        named |= meant
    return named


def _folders(words: Iterable[str], services: Collection[str]) -> set[str]:
    return {word.replace("-", "_") for word in words}.intersection(services)


def _file(module: str) -> str:
    first, *rest = module.split(".")
    return "/".join([FOLDERS.get(first, first), *rest, "__init__.py"])


def told(folders: Iterable[str]) -> Mapping[str, object]:
    """What bringup.unchanged asks: the Python that runs the tests, and whose files each folder's tests reach."""
    imports = graph()
    return {
        "python": platform.python_version(),
        "reached": {folder: sorted(reached(imports, paths.ROOT, folder)) for folder in folders},
    }


if __name__ == "__main__":
    print(json.dumps(told(sys.argv[1:])))
