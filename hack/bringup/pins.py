"""What is downloaded ready-made, pinned. Go modules are pinned by the go.sum files beside their go.mod."""

import re
from dataclasses import dataclass
from pathlib import Path

from bringup import paths

DEBIAN_IMAGE = "debian:trixie-slim"
PUBLISHED_NODE = (
    "kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d"
)
"""Of those that kind's release (hack/go/go.mod) was published with, the one of the version that is compiled here."""


@dataclass(frozen=True)
class Wheel:
    """A file of a Python package index, by name and checksum; any index may serve it."""

    project: str
    filename: str
    sha256: str


def module_version(package: str) -> str:
    """Version of `package` that hack/go/go.mod requires, such as `v1.34.4`."""
    return required_version((paths.GO_MODULE / "go.mod").read_text(), package)


def required_version(go_mod: str, package: str) -> str:
    """Version required of a module in the text of a go.mod."""
    match = re.search(rf"^(?:require )?\s*{re.escape(package)} (v\S+)", go_mod, re.MULTILINE)
    if match is None:
        raise ValueError(f"go.mod requires no {package}")
    return match[1]


def local_node() -> str:
    """Name of the node image built here, the very one that a registry would serve it under."""
    return f"kindest/node:{module_version('k8s.io/kubernetes')}"


def certificates() -> list[Path]:
    """Extra authorities this machine trusts, such as a TLS-inspecting proxy's; images have to trust them too."""
    return sorted(Path("/usr/local/share/ca-certificates").rglob("*.crt"))
