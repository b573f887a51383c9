"""Where bring-up keeps things. Caches may be lost at any time; state belongs to the clusters that exist.

State is each checkout's own. The cache is shared by all checkouts of a user, so that Kubernetes is compiled once.
"""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HACK = ROOT / "hack"
GO_MODULE = HACK / "go"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "suuupra"
BIN = CACHE / "bin"
WORK = CACHE / "work" / hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
"""This checkout's own room in the cache, for what two checkouts must not make in one place at once."""
PROGRAM_CACHES = {"KUBECACHEDIR": str(CACHE / "kube"), "npm_config_cache": str(CACHE / "npm")}
"""By variable: what kubectl, helm and npm would else keep in the user's home, where no purge may look for it."""
STATE = ROOT / ".state"
LOGS = STATE / "logs"
VENV = ROOT / ".venv"


def cluster_state(cluster: str) -> Path:
    """Folder of what is known about one cluster: kubeconfig, rendered values, pins."""
    return STATE / "clusters" / cluster
