"""The programs bring-up works with: kind, helm and kubectl from Go modules, uv from its wheel."""

import hashlib
import json
import os
import shutil
import stat
import sys
import urllib.request
import zipfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urljoin

from bringup import golang, paths, pins
from bringup.job import Job
from bringup.knobs import Knobs
from bringup.refusals import Refusal

DEFAULT_INDEX = "https://pypi.org/simple"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
UV = pins.Wheel(
    project="uv",
    filename="uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    sha256="d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
)
MODULES = ("kind", "helm", "kubernetes")
_KUBECTL = {"kubectl": "k8s.io/kubernetes/cmd/kubectl"}


def path(name: str) -> str:
    """Absolute path of a tool: ours, else the machine's."""
    own = paths.BIN / name
    found = str(own) if own.exists() else shutil.which(name)
    if found is None:
        raise Refusal(f"{name} is missing.", "run make up, which builds it.")
    return found


def are_built(modules: Sequence[str] = MODULES) -> bool:
    """Whether the programs of these modules are there in the pinned versions."""
    return all(golang.is_built(module, programs, paths.BIN) for module, programs in _programs(modules))


def build(job: Job, knobs: Knobs, modules: Sequence[str] = MODULES) -> None:
    """Build what is missing; where there is no Go, the machine's own tools have to do."""
    if shutil.which("go") is None:
        names = [name for _, programs in _programs(modules) for name in programs]
        job.say(f"        no Go here: using {', '.join(path(name) for name in names)}")
        return
    for module, programs in _programs(modules):
        golang.build(job, knobs, module, programs, paths.BIN)


def sync_venv(job: Job, knobs: Knobs) -> None:
    """Make .venv exactly what uv.lock says, with the Python that runs this."""
    fetch_uv(job, knobs)
    job.waiting("uv to install what uv.lock says")
    index = {"UV_DEFAULT_INDEX": knobs.pypi_index} if knobs.pypi_index else {}
    settings = {
        "UV_CACHE_DIR": str(paths.CACHE / "uv"),
        "UV_PROJECT_ENVIRONMENT": str(paths.VENV),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "1",
        **index,
    }
    job.run(
        [path("uv"), "sync", "--frozen", "--all-extras", "--python", sys.executable],
        cwd=paths.ROOT,
        env=settings,
    )


def fetch_uv(job: Job, knobs: Knobs) -> None:
    """Take uv out of its wheel; the checksum is ours, so any index may serve it."""
    if _uv_is_there():
        return
    index = (knobs.pypi_index or os.environ.get("PIP_INDEX_URL") or DEFAULT_INDEX).rstrip("/") + "/"
    job.waiting(f"{index} to serve {UV.filename}")
    wheel = paths.CACHE / "wheels" / UV.filename
    wheel.parent.mkdir(parents=True, exist_ok=True)
    _download(_file_url(urljoin(index, f"{UV.project}/"), UV.filename), wheel)
    if (seen := hashlib.sha256(wheel.read_bytes()).hexdigest()) != UV.sha256:
        wheel.unlink()
        raise Refusal(
            f"{UV.filename} has checksum {seen}, not the pinned one.", "look at what serves your packages."
        )
    paths.BIN.mkdir(parents=True, exist_ok=True)
    part = paths.BIN / f"uv.{os.getpid()}.part"
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
        part.write_bytes(archive.read(member))
    part.chmod(0o755)
    os.replace(part, paths.BIN / "uv")
    (paths.BIN / ".uv.made-from").write_text(UV.sha256)


def forget(folder: Path) -> None:
    """Delete a cache, read-only files of Go's module cache included."""

    def unlock(_function: object, name: str, _error: object) -> None:
        parent = Path(name).parent
        parent.chmod(parent.stat().st_mode | stat.S_IWUSR)
        Path(name).unlink()

    if folder.exists():
        shutil.rmtree(folder, onerror=unlock)


def _programs(modules: Sequence[str]) -> list[tuple[Path, dict[str, str]]]:
    """Folder of each module with the programs wanted of it: of Kubernetes, kubectl only."""
    folders = [pins.NODE_MODULES / name for name in modules]
    return [
        (folder, _KUBECTL if folder.name == "kubernetes" else golang.tools_of(folder)) for folder in folders
    ]


def _uv_is_there() -> bool:
    stamp = paths.BIN / ".uv.made-from"
    return (paths.BIN / "uv").exists() and stamp.exists() and stamp.read_text() == UV.sha256


def _file_url(project_page: str, filename: str) -> str:
    request = urllib.request.Request(project_page, headers={"Accept": SIMPLE_JSON})
    with urllib.request.urlopen(request, timeout=30) as answer:
        files = json.load(answer)["files"]
    for file in files:
        if file["filename"] == filename:
            return urljoin(project_page, str(file["url"]))
    raise Refusal(f"{project_page} does not have {filename}.", "set UP_PYPI_INDEX to an index that does.")


def _download(url: str, target: Path) -> None:
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    with urllib.request.urlopen(url, timeout=120) as answer, part.open("wb") as out:
        shutil.copyfileobj(answer, out)
    os.replace(part, target)
