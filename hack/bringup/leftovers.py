"""What bring-up and tests leave in Docker and in the tree beside clusters, and how it is removed."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from bringup import debian, docker, images, node, paths, pins
from bringup.job import CommandFailed, Job

LABELS = (f"label={docker.LABEL}", f"label={debian.RECIPE_LABEL}")
TEST_LABEL = "suuupra.test"
"""On the servers that tests start; its value is the process they belong to."""
TREE_CACHES = frozenset(
    {
        ".hypothesis",
        ".import_linter_cache",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        "__pycache__",
        "htmlcov",
    }
)
NOT_OURS = frozenset({".git", ".venv", ".cache", "node_modules"})


def lines(*args: str) -> list[str]:
    """What a docker command that lists prints, line by line."""
    asked = subprocess.run(["docker", *args], capture_output=True, text=True)
    return [line for line in asked.stdout.splitlines() if line.strip()]


def tool_caches(root: Path) -> list[Path]:
    """Folders below `root` that tools keep for themselves."""
    return sorted(_tool_caches(root))


def remove_test_containers(job: Job) -> None:
    """Remove the servers of test runs that are over; those of a run under way stay."""
    form = f'{{{{.ID}}}} {{{{.Label "{TEST_LABEL}"}}}}'
    for line in lines("ps", "--all", "--filter", f"label={TEST_LABEL}", "--format", form):
        container, _, owner = line.partition(" ")
        if not Path(f"/proc/{owner}").exists():
            job.run(["docker", "rm", "--force", "--volumes", container])


def remove_images(job: Job) -> list[str]:
    """Remove our images, what was pulled for them, and the unnamed stages they were built through.

    Returns those that something still uses, with Docker's words.
    """
    found = {*_ours(), *(image for image in map(docker.image_id, _pulled()) if image), *_unnamed_stages()}
    created = {image: told for image in found if (told := docker.image_created(image))}
    kept = []
    for image in order_of_removal(created):
        if docker.image_id(image) is None:
            continue  # went with the one before
        try:
            job.run(["docker", "image", "rm", "--force", image])
        except CommandFailed as failure:
            kept.append(failure.output.strip().splitlines()[-1])
    return kept


def order_of_removal(created: Mapping[str, str]) -> list[str]:
    """Newest first: an image cannot go before those made from it, and they are always younger."""
    return sorted(created, key=lambda image: datetime.fromisoformat(created[image]), reverse=True)


def builds_with_buildkit() -> bool:
    """Whether this machine's `docker build` keeps a cache apart from images."""
    told = os.environ.get("DOCKER_BUILDKIT")
    version = docker.server_version() or (0,)
    return told == "1" or (told is None and version >= (23,))


def _tool_caches(folder: Path) -> Iterator[Path]:
    for child in folder.iterdir():
        if child.is_symlink() or not child.is_dir() or child.name in NOT_OURS:
            continue
        if child.name in TREE_CACHES:
            yield child
        else:
            yield from _tool_caches(child)


def _ours() -> list[str]:
    full = ("images", "--no-trunc", "--quiet", "--filter")
    filters = (*LABELS, f"reference={images.REPOSITORY}/*")
    return [image for each in filters for image in lines(*full, each)]


def _pulled() -> list[str]:
    record = paths.CACHE / "pulled"
    return record.read_text().split() if record.exists() else []


def _unnamed_stages() -> list[str]:
    """Unnamed images that start with the layers of one of our bases: left by builds of several stages."""
    bases = [_layers(reference) for reference in lines("images", f"{images.REPOSITORY}/base", "-q")]
    bases.append(_layers(node.rootfs()))
    if docker.image_label(pins.DEBIAN_IMAGE, debian.RECIPE_LABEL) not in (None, "", "<no value>"):
        bases.append(_layers(pins.DEBIAN_IMAGE))  # made here, so what stands on it was made here too
    unnamed = lines("images", "--no-trunc", "--filter", "dangling=true", "-q")
    return [image for image in unnamed if any(base and _layers(image)[: len(base)] == base for base in bases)]


def _layers(reference: str) -> list[str]:
    found = docker.image_layers(reference)
    return found or []
