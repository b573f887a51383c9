"""Where bring-up keeps things. Caches may be lost at any time; state belongs to the clusters that exist."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HACK = ROOT / "hack"
CACHE = ROOT / ".cache"
BIN = CACHE / "bin"
STATE = ROOT / ".state"
LOGS = STATE / "logs"
VENV = ROOT / ".venv"


def cluster_state(cluster: str) -> Path:
    """Folder of what is known about one cluster: kubeconfig, rendered values, pins."""
    return STATE / "clusters" / cluster
