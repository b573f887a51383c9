"""A test's view of the platform on a real cluster: resources, conditions, and a shell in the backing servers."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")

POLL_SECONDS = 0.2
WORKLOADS, INFRA, SYSTEM = "suuupra", "suuupra-infra", "suuupra-system"
MANIFESTS = Path(__file__).resolve().parents[2] / "manifests" / "services"


def resources() -> list[str]:
    """The names of all SuuupraServices of the platform: there is no other list of them."""
    return sorted(path.stem for path in MANIFESTS.glob("*.yaml"))


def eventually(look: Callable[[], Found | None], within: float, what: str) -> Found:
    """Poll `look` until it returns something true, at most `within` seconds; the error says `what` was awaited."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what}")
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True)
class Kube:
    """kubectl against one cluster. Every call is bounded in time; a refusal is a `subprocess.CalledProcessError`."""

    kubectl: Path
    kubeconfig: Path

    def run(
        self, *words: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), "--request-timeout=60s", *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=check, timeout=120)

    def get(self, *words: str, namespace: str = WORKLOADS) -> Any:
        """The parsed object or list, or None where there is none."""
        done = self.run("get", *words, "-n", namespace, "-o", "json", "--ignore-not-found")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def items(self, *words: str, namespace: str = WORKLOADS) -> list[Any]:
        return list((self.get(*words, namespace=namespace) or {"items": []})["items"])

    def apply(self, manifest: dict[str, Any]) -> None:
        self.run("apply", "-f", "-", stdin=json.dumps(manifest))

    def refusal(self, manifest: dict[str, Any]) -> str:
        """What the API server says to a manifest that it must refuse."""
        done = self.run("apply", "-f", "-", stdin=json.dumps(manifest), check=False)
        assert done.returncode != 0, f"was accepted: {manifest}"
        return done.stderr

    def delete(self, kind: str, name: str, *words: str, namespace: str = WORKLOADS) -> None:
        self.run("delete", kind, name, "-n", namespace, "--ignore-not-found", *words)

    def condition(self, name: str, kind: str = "Ready", namespace: str = WORKLOADS) -> dict[str, str]:
        """A SuuupraService's condition, or an empty one."""
        resource = self.get("suuupraservice", name, namespace=namespace) or {}
        conditions = resource.get("status", {}).get("conditions", [])
        return next((found for found in conditions if found["type"] == kind), {})

    def await_ready(self, name: str, within: float) -> None:
        """Until the resource's newest generation is Ready."""

        def ready() -> bool:
            resource = self.get("suuupraservice", name) or {}
            seen = resource.get("status", {}).get("observedGeneration")
            current = seen == resource.get("metadata", {}).get("generation")
            return current and self.condition(name).get("status") == "True"

        eventually(ready, within, f"{name} is Ready: {self.condition(name)}")

    def topic(self, name: str) -> dict[str, str]:
        """A topic's TopicId, PartitionCount and Configs, as Kafka tells them. Asking starts a Java program: seconds."""
        command = ("kafka", "topics", "--describe", "--topic", name)
        described = self.run("exec", "-n", INFRA, "kafka-0", "--", *command).stdout.splitlines()[0]
        told = dict(part.split(": ", 1) for part in described.split("\t") if ": " in part)
        told["Configs"] = ",".join(sorted(told["Configs"].split(",")))
        return {what: told[what] for what in ("TopicId", "PartitionCount", "Configs")}

    def psql(self, database: str, sql: str) -> list[str]:
        """Rows of a query as the superuser, in the server's own pod."""
        shell = ("psql", "-h", "127.0.0.1", "-U", "postgres", "-d", database, "-Atqc", sql)
        done = self.run(
            "exec",
            "-n",
            INFRA,
            "postgres-0",
            "--",
            "sh",
            "-c",
            'PGPASSWORD=$(cat "$0") exec "$@"',
            PASSWORD,
            *shell,
        )
        return done.stdout.splitlines()


PASSWORD = "/run/secrets/postgres/password"
