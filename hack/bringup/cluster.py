"""One kind cluster: made, brought back after a restart, asked, deleted.

cluster = Cluster("suuupra-test", http_port=18080, metrics_port=19090)
cluster.bring_up(job, node_image)
cluster.kubectl(job, "get", "nodes")
"""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bringup import paths, tools
from bringup.job import CommandFailed, Job, NotReady, wait_until
from bringup.refusals import MovedPort

CONFIG = paths.ROOT / "kind-config.yaml"
GATEWAY_NODE_PORT = 30080
METRICS_NODE_PORT = 30090
CREATE_SECONDS = 240
RETURN_SECONDS = 180
UNFINISHED_SECONDS = 30
COMPLETE = "/kind/complete"
"""File in the node that says creation came to its end."""
ALWAYS_THERE = "/kind/version"
"""File of every node image."""
CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


@dataclass(frozen=True)
class Cluster:
    """A cluster by name; `announce` also puts it into the user's own kubeconfig, as kind does.

    `knobs` is what the names of its ports' knobs begin with.
    """

    name: str
    http_port: int
    metrics_port: int
    announce: bool = False
    knobs: str = "UP"

    @property
    def node(self) -> str:
        """Name of the container that is the node."""
        return f"{self.name}-control-plane"

    @property
    def ports(self) -> dict[int, str]:
        """Where it is reached on 127.0.0.1, each port with the knob that moves it."""
        return {self.http_port: f"{self.knobs}_HTTP_PORT", self.metrics_port: f"{self.knobs}_METRICS_PORT"}

    @property
    def kubeconfig(self) -> Path:
        """This cluster's own kubeconfig; nothing here ever uses the user's current context."""
        return paths.cluster_state(self.name) / "kubeconfig"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to speak to this cluster and no other."""
        return {"KUBECONFIG": str(self.kubeconfig)}

    def config(self) -> str:
        """kind-config.yaml with this cluster's ports."""
        return with_ports(
            CONFIG.read_text(),
            {GATEWAY_NODE_PORT: self.http_port, METRICS_NODE_PORT: self.metrics_port},
        )

    def state(self) -> str:
        """`absent`, or Docker's word for the node's state: `running`, `exited`, `created` …"""
        asked = subprocess.run(
            ["docker", "inspect", "--format", "{{.State.Status}}", self.node], capture_output=True, text=True
        )
        return asked.stdout.strip() if asked.returncode == 0 else "absent"

    def is_up(self) -> bool:
        """Whether the node runs, was made completely and answers."""
        return (
            self.state() == "running"
            and self.was_completed()
            and self.kubeconfig.exists()
            and self._unready() is None
        )

    def was_completed(self) -> bool:
        """Whether creation came to its end; told by a file of the node, which can be read while that is stopped.

        Raises:
            NotReady: the node cannot be read at all, which says nothing about its data.
        """
        if self._node_has(COMPLETE):
            return True
        if not self._node_has(ALWAYS_THERE):
            raise NotReady(f"the files of {self.node} cannot be read; see docker inspect {self.node}")
        return False

    def bring_up(self, job: Job, image: str) -> None:
        """Create the cluster, or bring back the one that is there with its data.

        On which ports it was made is looked at before any work, by `refusals`.

        Raises:
            NotReady: it exists and does not come back.
        """
        self.wake(job)
        if self.state() != "absent":
            if self._return(job):
                return
            job.say(f"        cluster {self.name} was never finished: making it again")
            self.delete(job)
        self._create(job, image)

    def wake(self, job: Job) -> None:
        """Let it go on if it stands still, as `make test` leaves it that was killed outright."""
        if self.state() == "paused":
            job.run(["docker", "unpause", self.node])

    def delete(self, job: Job) -> None:
        """Delete the cluster with everything in it. Deleting what is not there is no error."""
        job.waiting(f"kind to delete {self.name}")
        job.run([tools.path("kind"), "delete", "cluster", "--name", self.name], env=self._kind_environment())

    def kubectl(self, job: Job, *args: str, stdin: str | None = None) -> str:
        """Run kubectl on this cluster and return what it prints."""
        return job.output([tools.path("kubectl"), *args], env=self.environment, stdin=stdin)

    def get(self, job: Job, *args: str) -> list[dict[str, Any]]:
        """The items of `kubectl get … -o json`."""
        answer = json.loads(self.kubectl(job, "get", *args, "-o", "json"))
        items: list[dict[str, Any]] = answer.get("items", [answer])
        return items

    def helm(self, job: Job, *args: str) -> str:
        """Run helm on this cluster and return what it prints."""
        return job.output([tools.path("helm"), *args], env=self.environment)

    def on_node(self, job: Job, *argv: str) -> str:
        """Run a program in the node and return what it prints."""
        return job.output(["docker", "exec", self.node, *argv])

    def images(self, job: Job) -> set[str]:
        """Names of the images the node has."""
        return set(self.on_node(job, "ctr", "--namespace", "k8s.io", "images", "list", "-q").split())

    def load(self, job: Job, references: list[str]) -> None:
        """Give the node the images it lacks, all in one stream so that shared layers travel once."""
        present = self.images(job)
        missing = [reference for reference in references if f"docker.io/{reference}" not in present]
        if missing:
            job.waiting(f"the node to take {len(missing)} images")
            ctr = ("ctr", "--namespace", "k8s.io", "images", "import", "--all-platforms", "-")
            job.pipe(["docker", "save", *missing], ["docker", "exec", "-i", self.node, *ctr])
            job.say(f"        loaded {', '.join(missing)}")

    def write_kubeconfig(self, job: Job) -> None:
        """Keep our copy current, and the user's when this is the user's cluster."""
        text = job.output([tools.path("kind"), "get", "kubeconfig", "--name", self.name])
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(text)
        if self.announce:
            job.run([tools.path("kind"), "export", "kubeconfig", "--name", self.name])

    def _create(self, job: Job, image: str) -> None:
        job.waiting("kind to create the cluster")
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        create = (
            "create",
            "cluster",
            "--name",
            self.name,
            "--image",
            image,
            "--config",
            "-",
            "--wait",
            "180s",
        )
        job.run([tools.path("kind"), *create], env=self._kind_environment(), stdin=self.config())
        self._finish(job)

    def _return(self, job: Job) -> bool:
        """Start the node if it is stopped; False when its creation never came to its end."""
        complete = self.was_completed()
        if self.state() != "running":
            job.say(f"        starting the node of {self.name} again; its data is kept")
            if not self._starts(job, must=complete):
                return False
        if not complete and not self._turns_out_finished(job):
            return False
        self.write_kubeconfig(job)
        wait_until(job, self._unready, RETURN_SECONDS)
        self.on_node(job, "touch", COMPLETE)
        return True

    def _starts(self, job: Job, *, must: bool) -> bool:
        try:
            job.run(["docker", "start", self.node])
        except CommandFailed:
            if must:
                raise
            return False
        return True

    def _turns_out_finished(self, job: Job) -> bool:
        """Whether a cluster without our mark has all that kind gives one: somebody else may have made it."""
        try:
            self.write_kubeconfig(job)
            wait_until(job, self._unready, UNFINISHED_SECONDS)
            missing = unfinished(self.get(job, "nodes"), self.get(job, "storageclasses"))
        except (CommandFailed, NotReady) as failure:
            missing = str(failure)
        job.note(f"# without {COMPLETE}: {missing or 'finished all the same'}")
        return missing is None

    def _finish(self, job: Job) -> None:
        self.write_kubeconfig(job)
        wait_until(job, self._unready, CREATE_SECONDS)
        # A second one on the same node would be no help, and take a twentieth of a small machine's CPU.
        self.kubectl(job, "scale", "deployment/coredns", "--namespace=kube-system", "--replicas=1")
        self.on_node(job, "touch", COMPLETE)

    def _unready(self) -> str | None:
        """What is missing until pods can be placed, or None."""
        asked = subprocess.run(
            [tools.path("kubectl"), "get", "nodes", "-o", "json", "--request-timeout=5s"],
            capture_output=True,
            text=True,
            env={**os.environ, **self.environment},
        )
        if asked.returncode != 0:
            return "the API server to answer"
        conditions = [c for n in json.loads(asked.stdout)["items"] for c in n["status"].get("conditions", [])]
        ready = [c for c in conditions if c["type"] == "Ready"]
        if ready and all(c["status"] == "True" for c in ready):
            return None
        return f"the node to be Ready ({ready[0].get('message', 'no reason given') if ready else 'not seen yet'})"

    def _node_has(self, file: str) -> bool:
        return (
            subprocess.run(["docker", "cp", f"{self.node}:{file}", "-"], capture_output=True).returncode == 0
        )

    def moved_ports(self) -> tuple[MovedPort, ...]:
        """Ports that the node was made with and that are asked for otherwise now; none where there is no node."""
        bound = self._bound_ports()
        wanted = zip((GATEWAY_NODE_PORT, METRICS_NODE_PORT), self.ports.items(), strict=True)
        return tuple(
            MovedPort(self.name, knob, bound.get(inner), port)
            for inner, (port, knob) in wanted
            if bound and bound.get(inner) != port
        )

    def held_ports(self) -> frozenset[int]:
        """Ports of this machine that the node itself listens on, while it runs or stands still."""
        return frozenset(self._bound_ports().values() if self.state() in ("running", "paused") else ())

    def _bound_ports(self) -> dict[int, int]:
        asked = subprocess.run(
            ["docker", "inspect", "--format", "{{json .HostConfig.PortBindings}}", self.node],
            capture_output=True,
            text=True,
        )
        bindings: dict[str, list[dict[str, str]]] = (
            json.loads(asked.stdout) or {} if asked.returncode == 0 else {}
        )
        return {int(port.split("/")[0]): int(where[0]["HostPort"]) for port, where in bindings.items()}

    def _kind_environment(self) -> dict[str, str]:
        return {} if self.announce else self.environment


def unfinished(nodes: list[dict[str, Any]], classes: list[dict[str, Any]]) -> str | None:
    """What kind had still to do when it was cut off, or None. A node is Ready before that: kind does these last."""
    taints = [taint["key"] for node in nodes for taint in node["spec"].get("taints", [])]
    if CONTROL_PLANE_TAINT in taints:
        return "the node is still reserved for the control plane"
    if not any(each["metadata"].get("annotations", {}).get(DEFAULT_CLASS) == "true" for each in classes):
        return "there is no default StorageClass"
    return None


def with_ports(config: str, ports: dict[int, int]) -> str:
    """kind's configuration with the host ports replaced: container port → host port.

    Raises:
        ValueError: the configuration maps no such container port.
    """
    for inner, outer in ports.items():
        config, count = re.subn(rf"(containerPort: {inner}, hostPort: )\d+", rf"\g<1>{outer}", config)
        if count != 1:
            raise ValueError(f"kind-config.yaml maps container port {inner} {count} times, not once")
    return config
