"""A route comes to the gateway with its resource, changes with it and goes with its pods: from kubectl to an answer.

The two seconds of a new route count from when the resource is Ready, for what else it asks for is made first. Those of a
change, and of the end, count from before kubectl is started.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from .kube import WORKLOADS, Kube, eventually

pytestmark = pytest.mark.cluster

SEEN_SECONDS = 2.0
"""Within which the gateway does as the resource says."""
BURST = 20
"""More than is asked while the gateway does not know the pod yet, which counts as well."""
FEW = {"rate": "1/m", "burst": BURST}
ONE = {"rate": "1/h"}
PROGRAM = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"of the resource"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


@pytest.fixture
def name(kube: Kube) -> Iterator[str]:
    """Of a resource and of the one pod behind it, both gone after the test."""
    chosen = f"routed-{uuid4().hex[:8]}"
    yield chosen
    withdraw(kube, chosen)


def withdraw(kube: Kube, name: str) -> None:
    """The pod first: a resource goes only when the pods that bear its name have ended."""
    kube.delete("pod", name, "--grace-period=0", "--force")
    kube.delete("suuupraservice", name, "--timeout=60s")


def resource(name: str, path: str, auth: str, *limits: dict[str, Any]) -> dict[str, Any]:
    route = {"path": path, "methods": ["GET"], "auth": auth, "limits": [*limits]}
    spec = {"service": "web", "replicas": {"min": 0}, "routes": [route]}
    metadata = {"name": name, "namespace": WORKLOADS}
    return {"apiVersion": "suuupra.io/v1alpha1", "kind": "SuuupraService", "metadata": metadata, "spec": spec}


def pod(kube: Kube, name: str) -> dict[str, Any]:
    """Answers 200 whatever it is asked, in the place of the resource's own pods, in the image of another's."""
    web = kube.items("pods", "-l", "app.kubernetes.io/instance=web,app.kubernetes.io/component=serve")[0]
    labels = {"app.kubernetes.io/instance": name, "app.kubernetes.io/component": "serve"}
    spec = web["spec"]
    container = spec["containers"][0]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": WORKLOADS, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": spec["securityContext"],
            "containers": [
                {
                    "name": "serve",
                    "image": container["image"],
                    "imagePullPolicy": container["imagePullPolicy"],
                    "command": ["python", "-c", PROGRAM],
                    "ports": [{"name": "http", "containerPort": 8000}],
                    "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
                    "securityContext": container["securityContext"],
                    "resources": {"requests": {"cpu": "1m", "memory": "32Mi"}},
                }
            ],
        },
    }


def test_o12_a_route_and_its_limit_come_to_the_gateway_with_the_resource_change_and_go_with_it(
    kube: Kube, platform_url: str, name: str
) -> None:
    path = f"/v1/{name}"

    def answer() -> httpx.Response:
        return httpx.get(platform_url + path)

    def becomes(status: int, change: Callable[[], None]) -> None:
        """The change is made, and its effect seen, within two seconds."""
        began = time.monotonic()
        change()
        eventually(lambda: _as(answer(), status), SEEN_SECONDS, f"{path} is answered by {status}")
        assert time.monotonic() - began < SEEN_SECONDS

    assert answer().status_code == 404
    kube.apply(pod(kube, name))
    kube.run("wait", f"pod/{name}", "-n", WORKLOADS, "--for=condition=Ready", "--timeout=60s")

    kube.apply(resource(name, path, "none", FEW))
    kube.await_ready(name, within=30)
    first = eventually(lambda: _as(answer(), 200), SEEN_SECONDS, f"{path} is routed")
    assert first.text == "of the resource"

    served = 1
    while (last := answer()).status_code == 200 and served <= BURST:
        served += 1
    assert last.status_code == 429
    assert 1 < served <= BURST
    assert int(last.headers["retry-after"]) > 0

    becomes(401, lambda: kube.apply(resource(name, path, "user")))
    becomes(200, lambda: kube.apply(resource(name, path, "none")))
    becomes(429, lambda: kube.apply(resource(name, path, "none", ONE)))
    becomes(200, lambda: kube.apply(resource(name, path, "none")))

    kube.delete("suuupraservice", name, "--wait=false")
    eventually(lambda: kube.condition(name).get("reason") == "WaitingToDelete", 30, "it waits for its pod")
    assert answer().status_code == 200
    becomes(404, lambda: kube.delete("pod", name, "--grace-period=0", "--force"))


def _as(answer: httpx.Response, status: int) -> httpx.Response | None:
    return answer if answer.status_code == status else None
