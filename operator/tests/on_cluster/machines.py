"""What the tests run against: one kind node, and four servers beside it on the same Docker network."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import boto3
import psycopg
import redis
from bringup import clusters, knobs, node, pins
from bringup.cluster import Cluster
from bringup.job import Job
from bringup.tools import path as tool
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there, but re-exported without __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from psycopg import conninfo
from psycopg.pq import ExecStatus
from suuupra_operator.buckets import POLICY
from suuupra_operator.snapshots import BUCKET as SNAPSHOTS

from suuupra.testing.containers import Container, docker, free_port, image_of
from suuupra.testing.valkey import ValkeyServer

from .secret_server import SecretServer

NODE_IMAGE_VARIABLE = "SUUUPRA_TEST_NODE_IMAGE"
NETWORK = "kind"
ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "suuupra"
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

    @property
    def url(self) -> str:
        """Where a Service with node port 30080 answers on this machine."""
        return f"http://127.0.0.1:{self.cluster.http_port}"

    @classmethod
    def bring_up(cls) -> KindCluster:
        job = Job("operator-tests")
        cluster = clusters.of_operator_tests(knobs.load(ROOT, os.environ))
        if cluster.moved_ports():
            cluster.delete(job)  # kept from a run that had others
        operator_image = image_of("operator")
        with ThreadPoolExecutor(max_workers=1) as beside:
            workloads = beside.submit(lambda: [_workload(operator_image, version) for version in VERSIONS])
            cluster.bring_up(job, node_image())
        cluster.load(job, [operator_image, *workloads.result()])
        made = cls(cluster, operator_image)
        made.kubectl("apply", "-f", str(ROOT / "crds"), "-f", str(ROOT / "manifests" / "namespaces.yaml"))
        made.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        return made

    def delete(self) -> None:
        self.cluster.delete(Job("operator-tests"))

    def kubectl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """kubectl on this cluster; its output is text."""
        return self._run("kubectl", *words, check=check)

    def apply(self, manifest: dict[str, Any]) -> None:
        self._run("kubectl", "apply", "-f", "-", stdin=json.dumps(manifest))

    def helm(self, *words: str) -> None:
        self._run("helm", *words)

    def _run(
        self, program: str, *words: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """A program on this cluster; when it fails, the test does, in the program's words."""
        command = [tool(program), "--kubeconfig", str(self.kubeconfig), *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, f"{program} {' '.join(words)}: {done.stderr}"
        return done

    def install(self, *words: str) -> None:
        """The operator as its users get it: from the chart, in a pod."""
        tag = self.operator_image.rpartition(":")[2]
        values = ("--set-string", f"images.tags.operator={tag}", "--set", "crds.enabled=false")
        release = ("suuupra", str(CHART), "--namespace", "suuupra-system", "--timeout", "2m")
        self.helm("upgrade", "--install", *release, *values, *words)

    def uninstall(self) -> None:
        self.helm(
            *("uninstall", "suuupra", "--namespace", "suuupra-system"),
            *("--timeout", "2m", "--ignore-not-found"),
        )


@dataclass(frozen=True)
class Servers:
    """PostgreSQL that logs every change, Kafka, the object store, the secret store, Valkey."""

    postgres: Container
    kafka: Container
    objects: Container
    secrets: SecretServer
    valkey: ValkeyServer

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
        ipv4 = "for address in $(hostname -i); do [[ $address == *:* ]] || break; done"  # pods have no other
        advertised = f"{ipv4}; KAFKA_ADVERTISED=$address:9092 exec entrypoint"
        published = free_port()
        kafka = Container(
            docker(
                *("run", "--detach", "--rm", "--read-only", "--tmpfs", "/tmp", *network),
                *("--publish", f"127.0.0.1:{published}:9092"),
                *("--label", f"suuupra.test={_pid()}", "--entrypoint", "/bin/bash"),
                *(image_of("kafka"), "-c", advertised),
            ),
            "kafka",
            published,
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
        secrets, valkey = SecretServer.start(*network), ValkeyServer.start(*network)
        postgres.wait(lambda c: c.succeeds(["pg_isready", "-h", "127.0.0.1"]))
        kafka.wait(lambda c: c.succeeds(["ready"]))
        objects.wait(lambda c: _answers(c.port))
        return cls(postgres, kafka, objects, secrets, valkey)

    def remove(self) -> None:
        ours = (self.postgres, self.kafka, self.objects, self.secrets.container, self.valkey.container)
        for container in ours:
            container.remove()

    def address(self, container: Container) -> str:
        """Where pods, and this machine, reach it."""
        return _address(container.id)

    def psql(self, sql: str, database: str = "postgres") -> list[str]:
        """First column of a query's rows as the administrator, as psql would print it."""
        server = conninfo.make_conninfo(
            host=self.address(self.postgres),
            user="postgres",
            password=self.PASSWORD,
            dbname=database,
            connect_timeout=5,
        )
        with psycopg.connect(server, autocommit=True) as connection:
            found = connection.pgconn.exec_(sql.encode())
        if found.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise psycopg.ProgrammingError(found.get_error_message())
        return [(found.get_value(row, 0) or b"").decode() for row in range(found.ntuples)]

    def pg_dump_folder(self) -> Path:
        """A folder with the server's own pg_dump, for an operator that runs outside its image."""
        folder = Path(tempfile.mkdtemp(prefix="pg-dump-"))
        script = f'#!/bin/sh\nexec docker exec --env PGPASSWORD {self.postgres.id} pg_dump "$@"\n'
        (folder / "pg_dump").write_text(script)
        (folder / "pg_dump").chmod(0o755)
        return folder

    def restore_snapshot(self, resource: str, database: str) -> None:
        """Make ``database`` from the one dump of a resource, as an administrator who wants it back would."""
        (found,) = self.s3.list_objects_v2(Bucket=SNAPSHOTS, Prefix=f"suuupra/{resource}/")["Contents"]
        dump = self.s3.get_object(Bucket=SNAPSHOTS, Key=found["Key"])["Body"].read()
        self.psql(f'create database "{database}"')
        target = ("-h", "127.0.0.1", "-U", "postgres", "--no-owner", "--no-acl", "--dbname", database)
        password = ("--env", f"PGPASSWORD={self.PASSWORD}")
        command = ["docker", "exec", "--interactive", *password, self.postgres.id, "pg_restore", *target]
        subprocess.run(command, input=dump, check=True, capture_output=True, timeout=60)

    @cached_property
    def s3(self) -> Any:
        """The object store as its administrator."""
        return self.store("s3", self.ACCESS_KEY, self.SECRET_KEY)

    @cached_property
    def iam(self) -> Any:
        return self.store("iam", self.ACCESS_KEY, self.SECRET_KEY)

    def store(self, service: str, access_key: str, secret_key: str) -> Any:
        """The object store as whoever holds this key."""
        session = boto3.session.Session(access_key, secret_key, region_name="us-east-1")
        return session.client(service, endpoint_url=f"http://127.0.0.1:{self.objects.port}")

    def buckets(self) -> set[str]:
        return {bucket["Name"] for bucket in self.s3.list_buckets().get("Buckets", [])}

    def users(self) -> dict[str, list[str]]:
        """Keys of each user that the operator made."""
        names = [user["UserName"] for user in self.iam.list_users().get("Users", [])]
        keys = {name: self.iam.list_access_keys(UserName=name)["AccessKeyMetadata"] for name in names}
        return {name: [key["AccessKeyId"] for key in found] for name, found in keys.items() if "." in name}

    @cached_property
    def cache(self) -> redis.Redis:
        """Valkey as its administrator."""
        return redis.Redis.from_url(self.valkey.url, decode_responses=True)

    def cache_users(self) -> set[str]:
        """Of services."""
        return {str(name) for name in self.cache.acl_users()} - {"default"}

    def databases(self) -> set[str]:
        """Of services."""
        found = self.psql("select datname from pg_database where not datistemplate")
        return {*found} - {"postgres"}

    def roles(self) -> list[str]:
        """Of services."""
        return sorted(
            self.psql("select rolname from pg_roles where rolname !~ '^pg_' and rolname <> 'postgres'")
        )

    def empty(self) -> None:
        """As they were when they began, all side by side: most of it is waiting for answers."""
        parts = (self._no_databases, self._no_topics, self._no_objects, self.secrets.empty, self._no_cache)
        with ThreadPoolExecutor(max_workers=len(parts)) as pool:
            for done in [pool.submit(part) for part in parts]:
                done.result()

    def _no_databases(self) -> None:
        for name in self.databases():
            self.psql(f'drop database "{name}" with (force)')
        for role in sorted(self.roles(), reverse=True):
            self.psql(f'drop owned by "{role}"; drop role "{role}"')

    def _no_topics(self) -> None:
        self.delete_topics(*self.topics())

    def _no_cache(self) -> None:
        self.cache.flushall()
        if self.cache_users():
            self.cache.acl_deluser(*self.cache_users())

    def _no_objects(self) -> None:
        for user in self.users():
            with contextlib.suppress(self.iam.exceptions.NoSuchEntityException):
                self.iam.delete_user_policy(UserName=user, PolicyName=POLICY)
            self.iam.delete_user(UserName=user)
        for bucket in self.buckets():
            for item in self.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=item["Key"])
            self.s3.delete_bucket(Bucket=bucket)

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


def node_image() -> str:
    """What the node is made of: as `make test` says, else what this checkout's recipe made, else what is published."""
    return os.environ.get(NODE_IMAGE_VARIABLE) or (
        pins.local_node() if node.is_made() else pins.PUBLISHED_NODE
    )


def logs_in(url: str) -> bool:
    """Whether a login of a Secret works."""
    try:
        with psycopg.connect(url, connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False


@cache
def _address(container: str) -> str:
    return docker("inspect", "--format", f"{{{{.NetworkSettings.Networks.{NETWORK}.IPAddress}}}}", container)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _pid() -> int:
    return os.getpid()
