"""Waits until everything that was applied is Ready, and can say at any moment what is still missing."""

import urllib.error
import urllib.request

from bringup import why
from bringup.cluster import Cluster
from bringup.job import CommandFailed, Job, wait_until
from bringup.why import Object

KINDS = tuple(f"{plural}.suuupra.io" for plural in ("suuupraplatforms", "suuupraservices", "paymentrails"))
GATEWAY_SECONDS = 60


def everything(job: Job, cluster: Cluster, seconds: float) -> None:
    """Return when every resource and every pod of ours is Ready and the gateway answers.

    Raises:
        NotReady: it took longer than `seconds`; the message names what was still missing.
    """
    wait_until(job, lambda: _waiting(job, cluster), seconds, every=1)
    wait_until(job, lambda: _gateway_silent(cluster.http_port), GATEWAY_SECONDS)


def network_policy_is_enforced(job: Job, cluster: Cluster) -> bool:
    """Whether this node's pod network heeds NetworkPolicy; the one built from packages says that it does not."""
    told = cluster.kubectl(
        job, "get", "configmap", "pod-network", "-n", "kube-system", "--ignore-not-found", "-o", "name"
    )
    return not told.strip()


def _waiting(job: Job, cluster: Cluster) -> str | None:
    try:
        items = [item for kind in KINDS for item in cluster.get(job, kind, "--all-namespaces")]
        pods = [pod for pod in cluster.get(job, "pods", "--all-namespaces") if _ours(pod)]
    except CommandFailed:
        return "the API server to answer"
    images: Object = next(
        (item["spec"].get("images", {}) for item in items if item["kind"] == "SuuupraPlatform"), {}
    )
    waiting = {why.name_of(item): missing for item in items if (missing := why.resource_waits(item))}
    waiting |= {why.name_of(item): older for item in items if (older := serves_another(item, images))}
    waiting |= {f"pod {why.name_of(pod)}": causes[0] for pod in pods if (causes := why.pod_waits(pod))}
    if not waiting:
        return None
    name, missing = next(iter(waiting.items()))
    return f"{name}: {missing}" + (f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else "")


def serves_another(item: Object, images: Object) -> str | None:
    """What a service waits for that is Ready with another version than the platform's `images` name.

    A new version is named in the platform's resource: the service's own does not change, and says Ready of the old
    version until the operator has looked.
    """
    spec = item["spec"]
    if item["kind"] != "SuuupraService" or "image" in spec:
        return None
    code = spec.get("service", item["metadata"]["name"])
    wanted = images.get("pins", {}).get(code) or images.get("tag")
    serving = item.get("status", {}).get("version")
    return f"version {wanted} to take over from {serving}" if wanted and serving != wanted else None


def _ours(pod: Object) -> bool:
    """After a restart of the node even a backing server that was Ready may still have to find its way back.

    Not the pods of Jobs: a try that failed stays, and how its Job ended is the resource's to say.
    """
    meta = pod["metadata"]
    if any(owner["kind"] == "Job" for owner in meta.get("ownerReferences", [])):
        return False
    return bool(meta["namespace"] == "kube-system" or meta["namespace"].startswith("suuupra"))


def _gateway_silent(port: int) -> str | None:
    """Any answer below 500 is the platform's; a page that is not there is for tests to find."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
            return None
    except urllib.error.HTTPError as answer:
        return None if answer.code < 500 else f"the gateway to have a backend (it answers {answer.code})"
    except OSError:
        return f"the gateway to answer on port {port}"
