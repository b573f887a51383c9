"""Compiles every Go program of ours from one module whose go.sum is committed: what is compiled is what was reviewed.

One module, because it has one version of each library: Kubernetes, helm, metrics-server, CoreDNS and the volume
provisioner share most of what they are made of, and what one has compiled the others find in Go's cache.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from bringup import paths
from bringup.hashing import digest_tree
from bringup.job import Job
from bringup.knobs import Knobs

FLAGS = ("-trimpath", "-mod=readonly", "-gcflags=all=-dwarf=false")
"""No debugger's tables: they would be made for every package and thrown away by the linker."""
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


def packages() -> dict[str, str]:
    """Programs that the module declares with `tool` lines: file name → package."""
    return packages_of((paths.GO_MODULE / "go.mod").read_text())


def packages_of(go_mod: str) -> dict[str, str]:
    """The same of the text of a go.mod."""
    return {program_name(package): package for package in map(_last_word, _tool_lines(go_mod))}


def program_name(package: str) -> str:
    """The name Go gives a program: the last path element that is not a major version, `server` named by its project."""
    parts = [part for part in package.split("/") if not _is_major(part)]
    return parts[-2] if parts[-1] == "server" else parts[-1]


def build(job: Job, knobs: Knobs, programs: Iterable[str], target: Path, *, linker: str = "") -> None:
    """Compile `programs` into folder `target`; what is there stays.

    A program is linked anew only when the module changed, and then of what Go's cache does not have.
    """
    key, known = recipe(linker), packages()
    missing = {name: known[name] for name in programs if not _stamped(target / name, key)}
    if not missing:
        return
    target.mkdir(parents=True, exist_ok=True)
    job.waiting(f"Go to compile {', '.join(missing)}")
    with TemporaryDirectory(prefix=".go.", dir=target) as folder:
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
            cwd=paths.GO_MODULE,
            env=environment(knobs),
        )
        for name in missing:
            os.replace(staging / name, target / name)
            _stamp_file(target / name).write_text(key)


def is_built(programs: Iterable[str], target: Path, *, linker: str = "") -> bool:
    """Whether every program is there, made from the module as it stands."""
    key = recipe(linker)
    return all(_stamped(target / name, key) for name in programs)


def recipe(linker: str = "") -> str:
    """Hash of everything that decides what a program becomes: the module, and how it is compiled."""
    files = {name: paths.GO_MODULE / name for name in ("go.mod", "go.sum", "coredns/main.go")}
    return digest_tree(files, *FLAGS, STRIP, linker)


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


def _last_word(line: str) -> str:
    return line.split()[-1]


def _is_major(part: str) -> bool:
    return part.startswith("v") and part[1:].isdecimal()
