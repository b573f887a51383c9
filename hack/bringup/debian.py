"""Debian root file systems as Docker images, made from packages where no registry serves them."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bringup import apt, docker, paths
from bringup.hashing import digest
from bringup.job import Job
from bringup.knobs import Knobs

DEFAULT_MIRROR = "http://deb.debian.org/debian"
DEFAULT_SECURITY_MIRROR = "http://deb.debian.org/debian-security"
RECIPE_LABEL = "suuupra.recipe"
SCRIPTS = Path("/usr/share/debootstrap/scripts")
UNUSED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/cache/apt",
    "var/lib/apt/lists",
)
"""What Debian's published slim images leave out too."""


def mirrors(knobs: Knobs) -> tuple[str, str]:
    """Archive and security archive: the knobs', else what this machine's own apt uses, else Debian's."""
    archive, security = machine_mirrors(_apt_sites())
    chosen = knobs.debian_mirror or archive or DEFAULT_MIRROR
    if knobs.debian_security_mirror:
        return chosen, knobs.debian_security_mirror
    if knobs.debian_mirror:
        return chosen, re.sub(r"/debian/?$", "/debian-security", chosen)
    return chosen, security or DEFAULT_SECURITY_MIRROR


def machine_mirrors(sites: Sequence[str]) -> tuple[str | None, str | None]:
    """Pick Debian's archive and security archive out of the sites apt uses."""
    archives = [site for site in sites if re.search(r"/debian/?$", site)]
    security = [site for site in sites if "debian-security" in site]
    return (archives[0].rstrip("/") if archives else None), (security[0].rstrip("/") if security else None)


def sources(knobs: Knobs, suite: str) -> str:
    """The apt sources an image of `suite` gets (deb822)."""
    archive, security = mirrors(knobs)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    return "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: {keyring}\n"
        for uri, suites in ((archive, f"{suite} {suite}-updates"), (security, f"{suite}-security"))
    )


def recipe(suite: str, packages: Sequence[str]) -> str:
    """Hash of what a root file system is made from, as far as it is ours to say."""
    return digest({}, suite, *packages, *UNUSED)


def is_made(reference: str, suite: str, packages: Sequence[str] = ()) -> bool:
    """Whether the image is there: pulled, or built from this very recipe."""
    label = docker.image_label(reference, RECIPE_LABEL)
    return label is not None and label in ("", "<no value>", recipe(suite, packages))


def make(job: Job, knobs: Knobs, reference: str, suite: str, packages: Sequence[str] = ()) -> None:
    """debootstrap `suite` with `packages` and import it as `reference`."""
    if shutil.which("debootstrap") is None:
        apt.install(job, ["debootstrap"])
    root = paths.WORK / f"rootfs-{suite}"
    _remove(job, root)
    root.parent.mkdir(parents=True, exist_ok=True)
    archive, _ = mirrors(knobs)
    include = [f"--include={','.join(packages)}"] if packages else []
    script = [] if (SCRIPTS / suite).exists() else [str(SCRIPTS / "sid")]  # Debian's suites share one script
    job.waiting(f"debootstrap of {suite} from {archive}")
    job.run(["debootstrap", "--variant=minbase", *include, suite, str(root), archive, *script])
    _slim(root)
    job.waiting(f"Docker to import {reference}")
    label = f"LABEL {RECIPE_LABEL}={recipe(suite, packages)}"
    job.pipe(
        ["tar", "-C", str(root), "--numeric-owner", "-c", "."],
        ["docker", "import", "--change", label, "--change", 'CMD ["bash"]', "-", reference],
    )
    _remove(job, root)


def _slim(root: Path) -> None:
    excludes = "".join(f"path-exclude /{path}/*\n" for path in UNUSED[:4])
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(excludes + "path-include /usr/share/doc/*/copyright\n")
    for folder in UNUSED:
        for child in (root / folder).iterdir():
            if child.is_dir() and not child.is_symlink():
                _remove_docs(child) if folder == UNUSED[0] else shutil.rmtree(child)
            else:
                child.unlink()


def _remove_docs(folder: Path) -> None:
    """Keep licences: a distributed package without its copyright file is not ours to make."""
    for child in folder.iterdir():
        if child.name != "copyright":
            shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()


def _remove(job: Job, root: Path) -> None:
    """Delete a root file system that an interrupted run may have left with /proc mounted in it."""
    if not root.exists():
        return
    for mounted in sorted(_mounts_below(root), reverse=True):
        job.run(["umount", mounted])
    shutil.rmtree(root)


def _mounts_below(root: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{root}/")]


@cache
def _apt_sites() -> tuple[str, ...]:
    """Asked once: apt takes most of a second to answer."""
    if shutil.which("apt-get") is None:
        return ()
    asked = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"],
        capture_output=True,
        text=True,
    )
    return tuple(dict.fromkeys(asked.stdout.split()))
