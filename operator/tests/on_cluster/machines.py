"""What the tests run against: one kind node, and three servers beside it on the same Docker network."""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bringup.cluster import Cluster
from bringup.job import Job
from bringup.tools import path as tool
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from suuupra.testing.containers import Container, docker, image_of

NAME = "suuupra-operator"
HTTP_PORT, METRICS_PORT = 18081, 19091
NETWORK = "kind"
ROOT = Path(__file__).resolve().parents[3]
WORKLOAD = Path(__file__).resolve().parents[1] / "workload"
VERSIONS = ("v1", "v2", "v3")


@dataclass(frozen=True)
class KindCluster:
    """The tests' own cluster."""

    cluster: Cluster
    operator_image: str

    @property
    def kubeconfig(self) -> Path:
        return self.cluster.kubeconfig

    @classmethod
    def bring_up(cls) -> KindCluster:
        job = Job("operator-tests")
        cluster = Cluster(NAME, HTTP_PORT, METRICS_PORT)
        cluster.bring_up(job, _newest("kindest/node"))
        operator_image = image_of("operator")
        cluster.load(job, [operator_image, *(_workload(operator_image, version) for version in VERSIONS)])
        made = cls(cluster, operator_image)
        made.kubectl("apply", "-f", str(ROOT / "crds"), "-f", str(ROOT / "manifests" / "namespaces.yaml"))
        made.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        return made

    def delete(self) -> None:
        self.cluster.delete(Job("operator-tests"))

    def kubectl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """kubectl on this cluster; its output is text."""
        command = [tool("kubectl"), "--kubeconfig", str(self.kubeconfig), *words]
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=120)

    def helm(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [tool("helm"), "--kubeconfig", str(self.kubeconfig), *words]
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=300)


@dataclass(frozen=True)
class Servers:
    """PostgreSQL that logs every change, Kafka, the object store."""

    postgres: Container
    kafka: Container
    objects: Container

    PASSWORD = "test-administrator"
    ACCESS_KEY, SECRET_KEY = "admin", "admin-secret"

    @classmethod
    def start(cls) -> Servers:
        network = ("--network", NETWORK)
        postgres = Container.run(
            "postgres",
            5432,
            *network,
            *("--tmpfs", "/run/postgresql:uid=65532", "--shm-size", "128m"),
            *("--env", f"POSTGRES_PASSWORD={cls.PASSWORD}"),
            *("--env", "POSTGRES_SET_FSYNC=off", "--env", "POSTGRES_SET_LOG_STATEMENT=all"),
        )
        advertised = "KAFKA_ADVERTISED=$(hostname -i | cut -d' ' -f1):9092 exec entrypoint"
        kafka = Container(
            docker(
                *("run", "--detach", "--rm", "--read-only", "--tmpfs", "/tmp", *network),
                *("--label", f"suuupra.test={_pid()}", "--entrypoint", "/bin/bash"),
                *(image_of("kafka"), "-c", advertised),
            ),
            "kafka",
            9092,
        )
        objects = Container.run(
            "seaweedfs",
            8333,
            *network,
            *(
                "--env",
                f"OBJECTS_ACCESS_KEY={cls.ACCESS_KEY}",
                "--env",
                f"OBJECTS_SECRET_KEY={cls.SECRET_KEY}",
            ),
        )
        postgres.wait(lambda c: c.succeeds(["pg_isready", "-h", "127.0.0.1"]))
        kafka.wait(lambda c: c.succeeds(["ready"]))
        objects.wait(lambda c: _answers(c.port))
        return cls(postgres, kafka, objects)

    def remove(self) -> None:
        for container in (self.postgres, self.kafka, self.objects):
            container.remove()

    def address(self, container: Container) -> str:
        """Where pods, and this machine, reach it."""
        return docker(
            "inspect", "--format", f"{{{{.NetworkSettings.Networks.{NETWORK}.IPAddress}}}}", container.id
        )

    def psql(self, sql: str, database: str = "postgres") -> list[str]:
        """Rows of a query as the administrator."""
        command = ["psql", "-h", "127.0.0.1", "-U", "postgres", "-d", database, "-Atqc", sql]
        found = docker("exec", "--env", f"PGPASSWORD={self.PASSWORD}", self.postgres.id, *command)
        return found.splitlines()

    def postgres_log(self) -> str:
        """Everything PostgreSQL has logged."""
        done = subprocess.run(
            ["docker", "logs", self.postgres.id], capture_output=True, text=True, check=True
        )
        return done.stdout + done.stderr

    @cached_property
    def admin(self) -> AdminClient:
        """Kafka's administration, from outside the operator. It must outlive its answers, so there is one."""
        return AdminClient({"bootstrap.servers": self.broker, "log_level": 3})

    def topics(self) -> dict[str, int]:
        """Number of partitions by topic."""
        found = self.admin.list_topics(timeout=10).topics
        return {name: len(topic.partitions) for name, topic in found.items() if not name.startswith("__")}

    def delete_topics(self, *names: str) -> None:
        if names:
            for deleted in self.admin.delete_topics(list(names)).values():
                deleted.result()

    def create_topic(self, name: str, partitions: int, **config: str) -> None:
        settings = {key.replace("_", "."): value for key, value in config.items()}
        made = self.admin.create_topics([NewTopic(name, partitions, 1, config=settings)])
        made[name].result()

    def topic_config(self, name: str) -> dict[str, str]:
        resource = ConfigResource(ResourceType.TOPIC, name)
        (described,) = self.admin.describe_configs([resource]).values()
        return {key: entry.value for key, entry in described.result().items()}

    def set_topic_config(self, name: str, key: str, value: str) -> None:
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        (done,) = self.admin.incremental_alter_configs([resource]).values()
        done.result()

    @property
    def broker(self) -> str:
        return f"{self.address(self.kafka)}:9092"


def _workload(base: str, version: str) -> str:
    reference = f"suuupra/workload:{version}"
    docker(
        "build",
        "--tag",
        reference,
        "--build-arg",
        f"BASE={base}",
        "--build-arg",
        f"VERSION={version}",
        str(WORKLOAD),
    )
    return reference


def _newest(repository: str) -> str:
    return docker("image", "ls", repository, "--format", "{{.Repository}}:{{.Tag}}").splitlines()[0]


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _pid() -> int:
    return os.getpid()
