"""Python's documentation for tests to import, unpacked from Debian's package.

Not installed: python3-doc would upgrade the very Python that runs this.
"""

import os
import re
import shutil

from bringup import apt, paths
from bringup.job import Job

VARIABLE = "SUUUPRA_PYTHON_DOCS"
"""Names the folder to whoever imports it."""
PYTHON = paths.CACHE / "documents" / "python"
META = "python3-doc"
_PACKAGE = re.compile(r"Depends: (python3\.\d+-doc)\b")


def are_there() -> bool:
    """Whether the documentation lies in the cache."""
    return (PYTHON / "tutorial" / "index.html").is_file()


def make(job: Job) -> None:
    """Unpack the documentation of this Debian's Python into the cache."""
    found = job.output(["apt-cache", "depends", META])
    package = package_of(found)
    unpacked = paths.WORK / "documents"
    shutil.rmtree(unpacked, ignore_errors=True)
    apt.unpack(job, package, unpacked)
    first = next(unpacked.glob("usr/share/doc/python3.*/html/tutorial/index.html"))
    html = first.resolve().parents[1]  # the package has it under two names, one of them a link
    PYTHON.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(PYTHON, ignore_errors=True)
    os.replace(html, PYTHON)
    shutil.rmtree(unpacked)


def environment() -> dict[str, str]:
    """What tells tests where it is."""
    return {VARIABLE: str(PYTHON)}


def package_of(depends: str) -> str:
    """The package that holds the pages, from what `apt-cache depends python3-doc` prints.

    Raises:
        ValueError: it names none.
    """
    match = _PACKAGE.search(depends)
    if match is None:
        raise ValueError(
            f"{META} depends on no python3.N-doc: {depends.strip() or 'apt knows no such package'}"
        )
    return match[1]
