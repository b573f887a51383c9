"""Runs the Tiltfile in a real Starlark interpreter. Tilt's functions are stand-ins that record how they are called.

What it proves: the file parses, uses functions Tilt has, with arguments Tilt knows, and names every service.
What it cannot: that Tilt then builds; that needs Tilt, which is not to be had from package registries.
Signatures: Tilt's API reference (custom_build, k8s_kind, k8s_resource, k8s_yaml, local_resource, config).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import starlark
import yaml

PRELUDE = """
os = struct(getenv=_getenv, path=struct(basename=_basename, dirname=_dirname))
config = struct(define_string_list=_define_string_list, parse=_parse)
TRIGGER_MODE_MANUAL = "manual"
"""
CONTEXT = "kind-suuupra"


def custom_build(
    ref: str,
    command: str,
    deps: list[str],
    *,
    ignore: list[str],
    outputs_image_ref_to: str,
    skips_local_docker: bool,
    disable_push: bool,
) -> None: ...


def k8s_yaml(yaml: str) -> None: ...


def k8s_resource(
    workload: str,
    *,
    labels: list[str],
    links: list[str],
    pod_readiness: str,
    extra_pod_selectors: list[dict[str, str]],
) -> None: ...


def k8s_kind(
    kind: str, *, api_version: str, image_json_path: str | list[str], pod_readiness: str
) -> None: ...


def local_resource(
    name: str, *, cmd: str, deps: list[str], labels: list[str], auto_init: bool, trigger_mode: str = "auto"
) -> None: ...


def allow_k8s_contexts(contexts: str) -> None: ...


RECORDED = (custom_build, k8s_yaml, k8s_resource, k8s_kind, local_resource, allow_k8s_contexts)


class Refused(Exception):
    """The Tiltfile gave up, as its `fail` says."""


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


def read_file(root: Path, env: str) -> Callable[..., str]:
    """Tilt's, with `env` as what .env holds: a developer's own is no part of a test."""

    def inner(path: str, default: str = "") -> str:
        if path == ".env":
            return env
        target = root / path
        return target.read_text() if target.exists() else default

    return inner


def refuse(message: str) -> None:
    raise Refused(message)


def run(
    root: Path,
    chosen: Sequence[str] = (),
    *,
    context: str = CONTEXT,
    variables: Mapping[str, str] | None = None,
    env: str = "",
) -> Recording:
    """Evaluate root/Tiltfile as `tilt up -- *chosen` would and return what it asked Tilt to do.

    Raises:
        starlark.StarlarkError: the file is wrong, or refused; then the words of its `fail` are in the error's.
    """
    recording, module = Recording(), starlark.Module()
    for function in RECORDED:
        module.add_callable(function.__name__, recording.recorder(function))
    module.add_callable("_getenv", lambda name, default=None: (variables or {}).get(name, default))
    module.add_callable("_basename", lambda path: Path(path).name)
    module.add_callable("_dirname", lambda path: str(Path(path).parent))
    module.add_callable("_define_string_list", lambda name, args=False, usage="": None)
    module.add_callable("_parse", lambda: {"services": list(chosen)})
    module.add_callable("k8s_context", lambda: context)
    module.add_callable("fail", refuse)
    module.add_callable("listdir", listdir(root))
    module.add_callable("read_file", read_file(root, env))
    module.add_callable("read_yaml", lambda path: yaml.safe_load((root / path).read_text()))
    module.add_callable("encode_yaml", lambda document: yaml.safe_dump(document))
    dialect = starlark.Dialect.extended()
    library = starlark.Globals.extended_by([starlark.LibraryExtension.StructType])
    for name, text in (("prelude", PRELUDE), ("Tiltfile", (root / "Tiltfile").read_text())):
        starlark.eval(module, starlark.parse(name, text, dialect), library)
    return recording
