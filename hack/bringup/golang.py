"""Builds Go programs from modules of ours whose go.sum is committed: what is compiled is what was reviewed."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bringup import paths
from bringup.hashing import digest_files
from bringup.job import Job
from bringup.knobs import Knobs

FLAGS = ("-trimpath", "-mod=readonly")
STRIP = "-s -w"


def environment(knobs: Knobs) -> dict[str, str]:
    """Go's own variables: caches inside the project, one proxy, no cgo, the toolchain that is installed."""
    proxy = {"GOPROXY": knobs.go_proxy} if knobs.go_proxy else {}
    return {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-modcacherw",
        "GOMODCACHE": str(paths.CACHE / "go" / "mod"),
        "GOCACHE": str(paths.CACHE / "go" / "build"),
        "GOTOOLCHAIN": "local",
        **proxy,
    }


def tools_of(module: Path) -> dict[str, str]:
    """Programs a module declares with `tool` lines: file name → package."""
    packages = [
        line.split()[-1]
        for line in _tool_lines((module / "go.mod").read_text())
        if not line.startswith("tool (")
    ]
    return {program_name(package): package for package in packages}


def program_name(package: str) -> str:
    """The name Go gives a program: the last path element that is not a major version, `server` named by its project."""
    parts = [part for part in package.split("/") if not _is_major(part)]
    return parts[-2] if parts[-1] == "server" else parts[-1]


def build(
    job: Job, knobs: Knobs, module: Path, programs: Mapping[str, str], target: Path, *, linker: str = ""
) -> None:
    """Compile `programs` (file name → package) of `module` into folder `target`; what is there stays.

    A program is rebuilt only when its module's go.mod or go.sum changed.
    """
    key = digest_files(module, ("go.mod", "go.sum"), linker)
    missing = {name: package for name, package in programs.items() if not _stamped(target / name, key)}
    if not missing:
        return
    target.mkdir(parents=True, exist_ok=True)
    job.waiting(f"Go to compile {', '.join(missing)}")
    with TemporaryDirectory(prefix=f".{module.name}.", dir=target) as folder:
        staging = Path(folder)
        output = staging if len(missing) > 1 else staging / next(iter(missing))
        job.run(
            [
                "go",
                "build",
                *FLAGS,
                f"-ldflags={STRIP} {linker}".strip(),
                "-o",
                str(output),
                *missing.values(),
            ],
            cwd=module,
            env=environment(knobs),
        )
        for name in missing:
            os.replace(staging / name, target / name)
            _stamp_file(target / name).write_text(key)


def is_built(module: Path, programs: Mapping[str, str], target: Path, *, linker: str = "") -> bool:
    """Whether every program is there, made from the module as it stands."""
    key = digest_files(module, ("go.mod", "go.sum"), linker)
    return all(_stamped(target / name, key) for name in programs)


def _stamp_file(program: Path) -> Path:
    return program.parent / f".{program.name}.made-from"


def _stamped(program: Path, key: str) -> bool:
    stamp = _stamp_file(program)
    return program.exists() and stamp.exists() and stamp.read_text() == key


def _tool_lines(go_mod: str) -> list[str]:
    lines, inside = [], False
    for raw in go_mod.splitlines():
        line = raw.strip()
        if line == "tool (":
            inside = True
        elif inside and line == ")":
            inside = False
        elif inside or line.startswith("tool "):
            lines.append(line)
    return lines


def _is_major(part: str) -> bool:
    return part.startswith("v") and part[1:].isdecimal()
