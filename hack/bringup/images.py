"""Our images, each named by what goes into it: `suuupra/NAME:HASH`. What exists under its name is never built again."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bringup import debian, docker, dockerfile, golang, paths, pins, staging
from bringup.docker import LABEL
from bringup.hashing import digest_tree, tree
from bringup.job import Job
from bringup.knobs import Knobs
from bringup.refusals import Refusal

REPOSITORY = "suuupra"
NOT_SERVERS = ("base", "node")
COMPILED = {"metrics-server": ("metrics-server",)}
"""Backing servers made of programs that Go compiles on the host: image → programs."""
PROGRAMS = paths.CACHE / "programs"
CONTEXTS = paths.WORK / "contexts"


@dataclass(frozen=True)
class Image:
    """An image to be: `stage` lays its build context out in a folder."""

    name: str
    tag: str
    arguments: tuple[tuple[str, str], ...]
    stage: Callable[[Job, Path], None]

    @property
    def reference(self) -> str:
        """What it is called everywhere."""
        return f"{REPOSITORY}/{self.name}:{self.tag}"

    def exists(self) -> bool:
        """Whether Docker has it."""
        return docker.image_id(self.reference) is not None


def build(job: Job, image: Image) -> None:
    """Build one image, unless it is there."""
    if image.exists():
        return
    job.waiting(f"Docker to build {image.reference}")
    context = CONTEXTS / image.name
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    image.stage(job, context)
    arguments = [f"--build-arg={name}={value}" for name, value in image.arguments]
    job.run(["docker", "build", *arguments, "--label", LABEL, "--tag", image.reference, str(context)])
    shutil.rmtree(context)


def build_all(job: Job, wanted: Sequence[Image]) -> None:
    """Build several, one after the other: the first makes the layers that the others share."""
    for image in wanted:
        build(job, image)


def base(knobs: Knobs) -> Image:
    """debian:trixie-slim plus this machine's apt sources and the authorities it trusts."""
    folder = paths.ROOT / "images/base"
    sources = debian.sources(knobs, "trixie")
    certificates = {f"certificates/{path.name}": path for path in pins.certificates()}
    context = tree(folder) | certificates

    def stage(_job: Job, target: Path) -> None:
        staging.write(target, context, {"debian.sources": sources})
        (target / "certificates").mkdir(
            exist_ok=True
        )  # COPY wants the folder even where there is nothing to trust

    tag = digest_tree(context, sources)
    return Image("base", tag, (("BASE", pins.DEBIAN_IMAGE),), stage)


def servers(knobs: Knobs) -> list[Image]:
    """The backing servers: every folder of images/ with a Dockerfile."""
    folders = sorted(path.parent for path in (paths.ROOT / "images").glob("*/Dockerfile"))
    return [_server(knobs, folder) for folder in folders if folder.name not in NOT_SERVERS]


def programs_to_compile(knobs: Knobs) -> list[str]:
    """Programs of backing servers that Go has still to compile; none for an image that is there."""
    return [
        program
        for image in servers(knobs)
        for program in COMPILED.get(image.name, ())
        if not golang.is_built([program], PROGRAMS) and not image.exists()
    ]


def platform(knobs: Knobs) -> list[Image]:
    """Everything that runs our own code."""
    return [_platform(knobs, recipe) for recipe in staging.recipes(paths.ROOT)]


def idle(knobs: Knobs) -> Image:
    """The service that a benchmark starts by the dozen, made as those of the platform are."""
    return _platform(knobs, staging.IDLE)


def tests(knobs: Knobs) -> Image:
    """Everything the lock knows, tests included, in the Python of the images."""
    return _platform(knobs, staging.Recipe("tests", "tests"))


def every(knobs: Knobs) -> list[Image]:
    """All that the cluster is given, base apart."""
    return [*servers(knobs), *platform(knobs)]


def chosen(knobs: Knobs, names: Sequence[str]) -> list[Image]:
    """Images by name; all of them for no names.

    Raises:
        Refusal: there is no such image.
    """
    known = {image.name: image for image in every(knobs)}
    for name in names:
        if name not in known:
            raise Refusal(f"There is no image {name}.", f"choose among {', '.join(known)}.")
    return [known[name] for name in names or known]


def tags(images: list[Image]) -> dict[str, str]:
    """Name → tag, as charts and the platform resource take them."""
    return {image.name: image.tag for image in images}


def _server(knobs: Knobs, folder: Path) -> Image:
    context = tree(folder)
    text = (folder / "Dockerfile").read_text()
    arguments = _arguments(knobs, text)
    programs = COMPILED.get(folder.name, ())

    def stage(job: Job, target: Path) -> None:
        staging.write(target, context, {})
        golang.build(job, knobs, programs, PROGRAMS)
        for program in programs:
            (target / program).hardlink_to(PROGRAMS / program)

    compiled = [golang.recipe()] if programs else []
    tag = digest_tree(context, *map(str, arguments), *compiled)
    return Image(folder.name, tag, arguments, stage)


def _platform(knobs: Knobs, recipe: staging.Recipe) -> Image:
    root = paths.ROOT
    text = dockerfile.only((root / "Dockerfile").read_text(), recipe.target)
    pyproject = staging.runtime_part((root / "pyproject.toml").read_text())
    context = staging.files(root, recipe)
    arguments = _arguments(knobs, text, SERVICE=recipe.service)

    def stage(_job: Job, target: Path) -> None:
        staging.write(target, context, {"Dockerfile": text, "pyproject.toml": pyproject})

    tag = digest_tree(context, text, pyproject, *map(str, arguments))
    return Image(recipe.name, tag, arguments, stage)


def _arguments(knobs: Knobs, text: str, **also: str) -> tuple[tuple[str, str], ...]:
    """Values for the build arguments a Dockerfile declares; it is not told of others."""
    known = {
        "BASE": base(knobs).reference,
        "PYPI_INDEX": knobs.pypi_index,
        "MAVEN_MIRROR": knobs.maven_mirror,
        **also,
    }
    declared = dockerfile.arguments(text)
    return tuple((name, value) for name, value in sorted(known.items()) if name in declared and value)
