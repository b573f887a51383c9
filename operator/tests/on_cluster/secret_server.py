"""OpenBao beside the tests' cluster: in memory, prepared as the image prepares it, asked as its administrator."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hvac
import requests
import yaml

from suuupra.testing.containers import Container, docker

if TYPE_CHECKING:
    from .machines import KindCluster

ROOT_TOKEN = "test-root"
USER, PASSWORD = "operator", "test-administrator"
MOUNT = "suuupra"


@dataclass(frozen=True)
class SecretServer:
    """The server, and what only its administrator sees."""

    container: Container

    @classmethod
    def start(cls, *network: str) -> SecretServer:
        container = Container.run("openbao", 8200, *network, "--env", f"OPENBAO_DEV_ROOT_TOKEN={ROOT_TOKEN}")
        container.wait(lambda c: c.succeeds(["ready"]))
        made = cls(container)
        policy = docker("exec", container.id, "cat", "/etc/openbao/operator.hcl")
        root = made.root()
        root.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})
        root.sys.enable_auth_method("userpass")
        root.sys.enable_auth_method("kubernetes")
        root.sys.create_or_update_policy("operator", policy)
        root.auth.userpass.create_or_update_user(USER, PASSWORD, policies="operator")
        return made

    def trust(self, kind: KindCluster) -> None:
        """Let it ask the cluster whose a token is, as its own service account there does."""
        kind.apply(_REVIEWER)
        kind.apply(_MAY_REVIEW)
        reviewer = kind.kubectl("-n", "default", "create", "token", "openbao", "--duration", "12h").stdout
        config = yaml.safe_load(kind.kubeconfig.read_text())
        authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        node = kind.kubectl("get", "nodes", "--output", "json").stdout
        addresses = json.loads(node)["items"][0]["status"]["addresses"]
        host = next(a["address"] for a in addresses if a["type"] == "InternalIP")
        self.root().auth.kubernetes.configure(
            f"https://{host}:6443", kubernetes_ca_cert=authority, token_reviewer_jwt=reviewer.strip()
        )

    def root(self, token: str = ROOT_TOKEN) -> hvac.Client:
        session = requests.Session()
        session.trust_env = False
        return hvac.Client(url=f"http://127.0.0.1:{self.container.port}", token=token, session=session)

    def log_in(self, role: str, jwt: str) -> hvac.Client:
        """As a pod does."""
        client = self.root("")
        client.auth.kubernetes.login(role, jwt)
        return client

    def policies(self) -> set[str]:
        """Of services."""
        found = self.root().sys.list_acl_policies()["data"]["keys"]
        return {name for name in found if name.startswith("suuupra-")}

    def roles(self) -> set[str]:
        try:
            answer: dict[str, Any] = self.root().auth.kubernetes.list_roles()
        except hvac.exceptions.InvalidPath:
            return set()
        return set(answer["keys"] if "keys" in answer else answer["data"]["keys"])

    def kept(self, path: str) -> dict[str, str] | None:
        try:
            found = self.root().secrets.kv.v2.read_secret_version(
                path, mount_point=MOUNT, raise_on_deleted_version=True
            )
        except hvac.exceptions.InvalidPath:
            return None
        return dict(found["data"]["data"])

    def keep(self, path: str, **values: str) -> None:
        self.root().secrets.kv.v2.create_or_update_secret(path, values, mount_point=MOUNT)

    def empty(self) -> None:
        root = self.root()
        for name in self.roles():
            root.auth.kubernetes.delete_role(name)
        for name in self.policies():
            root.sys.delete_acl_policy(name)
        root.sys.disable_secrets_engine(MOUNT)
        root.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})


_REVIEWER = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "openbao", "namespace": "default"},
}
_MAY_REVIEW = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "tests-openbao"},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "system:auth-delegator",
    },
    "subjects": [{"kind": "ServiceAccount", "name": "openbao", "namespace": "default"}],
}
