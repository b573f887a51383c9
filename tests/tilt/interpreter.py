"""Runs the Tiltfile in a real Starlark interpreter. Tilt's functions are stand-ins that record how they are called.

What it proves: the file parses, uses functions Tilt has, with arguments Tilt knows, and names every service.
What it cannot: that Tilt then builds; that needs Tilt, which is not to be had from package registries.
Signatures: Tilt's API reference (docker_build, k8s_kind, k8s_resource, k8s_yaml, local_resource, config).
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import starlark
import yaml

PRELUDE = """
os = struct(getenv=_getenv, path=struct(basename=_basename))
config = struct(define_string_list=_define_string_list, parse=_parse)
"""


def docker_build(
    ref: str,
    context: str,
    *,
    build_args: dict[str, str],
    dockerfile: str,
    target: str,
    only: list[str],
    ignore: list[str],
) -> None: ...


def k8s_yaml(yaml: str) -> None: ...


def k8s_resource(
    workload: str, *, labels: list[str], pod_readiness: str, extra_pod_selectors: list[dict[str, str]]
) -> None: ...


def k8s_kind(kind: str, *, api_version: str, image_json_path: str, pod_readiness: str) -> None: ...


def local_resource(name: str, *, cmd: str, deps: list[str], labels: list[str], auto_init: bool) -> None: ...


def allow_k8s_contexts(contexts: list[str]) -> None: ...


RECORDED = (docker_build, k8s_yaml, k8s_resource, k8s_kind, local_resource, allow_k8s_contexts)


@dataclass
class Recording:
    """The calls that a Tiltfile made, by function, each with its arguments by name."""

    calls: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def recorder(self, function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function)

        def record(*args: Any, **kwargs: Any) -> None:
            bound = signature.bind(*args, **kwargs)
            self.calls.setdefault(function.__name__, []).append(dict(bound.arguments))

        return record


def listdir(root: Path) -> Callable[..., list[str]]:
    def inner(directory: str, recursive: bool = False) -> list[str]:
        found = (root / directory).rglob("*") if recursive else (root / directory).iterdir()
        return sorted(str(path) for path in found if path.is_file())

    return inner


def read_file(root: Path) -> Callable[..., str]:
    def inner(path: str, default: str | None = None) -> str:
        target = root / path
        if not target.exists() and default is not None:
            return default
        return target.read_text()

    return inner


def run(root: Path, chosen: list[str]) -> Recording:
    """Evaluate root/Tiltfile as `tilt up -- *chosen` would and return what it asked Tilt to do."""
    recording, module = Recording(), starlark.Module()
    for function in RECORDED:
        module.add_callable(function.__name__, recording.recorder(function))
    module.add_callable("_getenv", lambda name, default=None: os.environ.get(name, default))
    module.add_callable("_basename", lambda path: Path(path).name)
    module.add_callable("_define_string_list", lambda name, args=False, usage="": None)
    module.add_callable("_parse", lambda: {"services": chosen})
    module.add_callable("listdir", listdir(root))
    module.add_callable("read_file", read_file(root))
    module.add_callable("read_yaml", lambda path: yaml.safe_load((root / path).read_text()))
    module.add_callable("encode_yaml", lambda document: yaml.safe_dump(document))
    dialect = starlark.Dialect.extended()
    library = starlark.Globals.extended_by([starlark.LibraryExtension.StructType])
    for name, text in (("prelude", PRELUDE), ("Tiltfile", (root / "Tiltfile").read_text())):
        starlark.eval(module, starlark.parse(name, text, dialect), library)
    return recording
