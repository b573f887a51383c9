"""What the operator's benchmark starts does start with what a SuuupraService gives it, and what does not is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from bringup import staging
from suuupra_operator.desired.deployment import deployments
from suuupra_operator.desired.subject import Subject
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec

from suuupra.testing.containers import free_port

from .cluster import NAMESPACE, hopeless
from .operator_ready import OURS
from .report import ROOT
from .workload import WORKLOAD

IMAGE = "suuupra/idle:abc"
STARTS_WITHIN = 60.0


def container() -> dict[str, Any]:
    """The one container of what the operator makes of the workload on the platform of `make up`."""
    spec = SuuupraServiceSpec.model_validate(WORKLOAD | {"image": IMAGE})
    platform = yaml.safe_load((ROOT / "manifests" / "platform.yaml").read_text())["spec"]
    subject = Subject(NAMESPACE, OURS[0], "uid", spec, SuuupraPlatformSpec.model_validate(platform))
    (deployment,) = deployments(subject, IMAGE, "")
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_the_workload_is_ready_with_the_operators_variables_and_its_images_files_alone(
    tmp_path: Path,
) -> None:
    staging.write(tmp_path, staging.files(ROOT, staging.IDLE), {})
    made, port = container(), free_port()
    told = {variable["name"]: variable["value"] for variable in made["env"]}  # none is from a Secret
    told |= {"SUUUPRA_HTTP_PORT": str(free_port()), "SUUUPRA_OPS_PORT": str(port)}
    command = [sys.executable, "-m", "suuupra", *made["args"]]
    environment = told | {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    with (
        (tmp_path / "log").open("w+") as log,
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            assert ready(process, port), (tmp_path / "log").read_text()
        finally:
            process.kill()


def ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether /readyz answers 200 before the process ends or the time does."""
    deadline = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return True
    return False


def pod(**state: Any) -> dict[str, Any]:
    """A pod as the kubelet tells of it."""
    container = {"name": "serve", "ready": False, **state}
    return {
        "metadata": {"name": "bench-07-5d9c"},
        "status": {"phase": "Running", "containerStatuses": [container]},
    }


CRASHED = {
    "terminated": {
        "exitCode": 78,
        "reason": "Error",
        "message": "error: 1 setting is wrong; nothing was started:\n  SUUUPRA_DATABASE_URL is not set\n",
    }
}


def test_a_pod_that_crashes_is_named_with_its_last_words() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}}
    told = hopeless(pod(state=waiting, lastState=CRASHED))
    assert told.startswith("pod bench-07-5d9c is in CrashLoopBackOff: container serve ended with 78: ")
    assert told.endswith("SUUUPRA_DATABASE_URL is not set")


def test_a_pod_without_its_image_is_named() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{IMAGE}"'}}
    assert hopeless(pod(state=waiting)).startswith("pod bench-07-5d9c is in ImagePullBackOff: ")
    assert IMAGE in hopeless(pod(state=waiting))


@pytest.mark.parametrize(
    "young",
    [
        {"metadata": {"name": "bench-07-5d9c"}, "status": {"phase": "Pending"}},
        pod(state={"waiting": {"reason": "ContainerCreating"}}),
        pod(state={"running": {"startedAt": "2026-01-01T00:00:00Z"}}),
        pod(state={"running": {"startedAt": "2026-01-01T00:00:00Z"}}, lastState=CRASHED),
    ],
)
def test_a_pod_that_may_yet_start_is_waited_for(young: dict[str, Any]) -> None:
    assert hopeless(young) == ""
