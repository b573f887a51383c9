"""`make bench`: the benchmarks of tests/load, against the cluster of `make up`, with the load generator they need."""

import os
import shutil
import subprocess
from collections.abc import Sequence

from bringup import apt, clusters, paths
from bringup.job import Job
from bringup.knobs import Knobs
from bringup.refusals import Refusal

KUBECONFIG = "SUUUPRA_TEST_KUBECONFIG"


def bench(knobs: Knobs, names: Sequence[str]) -> int:
    """Run those named, or all; 0 when every one of them gave figures.

    Raises:
        Refusal: there is nothing to measure, or nothing to measure it with.
    """
    python = paths.VENV / "bin" / "python"
    environment = {
        KUBECONFIG: str(clusters.of_user(knobs).kubeconfig),
        "PYTHONPATH": str(paths.HACK),
        **os.environ,
    }
    if not python.exists() or not os.path.exists(environment[KUBECONFIG]):
        raise Refusal("There is nothing to measure yet.", "run `make up` first.")
    _install_wrk()
    return subprocess.call([str(python), "-m", "tests.load", *names], cwd=paths.ROOT, env=environment)


def _install_wrk() -> None:
    if shutil.which("wrk"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Refusal("The gateway is loaded with wrk, which is not here.", "install the package wrk.")
    apt.install(Job("wrk"), ["wrk"])
