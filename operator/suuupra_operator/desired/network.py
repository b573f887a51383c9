"""NetworkPolicy: nothing in, nothing out, but what the resource declares. Enforced where the cluster's CNI does."""

from __future__ import annotations

from urllib.parse import urlsplit

from suuupra_operator.desired.subject import (
    GATEWAY,
    HTTP_PORT,
    INSTANCE,
    MANAGER,
    OPS_PORT,
    Manifest,
    Subject,
)
from suuupra_operator.models import Egress, SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec

INFRA_NAMESPACE = "suuupra-infra"
OPERATOR_NAMESPACE = "suuupra-system"
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
PUBLIC = (
    (
        "0.0.0.0/0",
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
        ),
    ),
    ("::/0", ("::1/128", "64:ff9b::/96", "fc00::/7", "fe80::/10")),
)
"""All addresses, each with those that are not the internet's (RFC 6890): ours, the machine's, the cloud's metadata."""


def network_policy(subject: Subject) -> Manifest:
    """One policy for all pods of the resource, in both directions."""
    return subject.manifest("networking.k8s.io/v1", "NetworkPolicy", subject.name, "serve") | {
        "spec": {
            "podSelector": {"matchLabels": {INSTANCE: subject.name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": _ingress(subject),
            "egress": _egress(subject),
        }
    }


def _ingress(subject: Subject) -> list[Manifest]:
    """Callers are known by a label of their own pods: a new caller changes nothing on the called side."""
    callers: list[Manifest] = [{"podSelector": {"matchLabels": {f"suuupra.io/calls-{subject.name}": "true"}}}]
    if subject.spec.routes:
        callers.append({"podSelector": {"matchLabels": {"app.kubernetes.io/name": GATEWAY}}})
    rules = [
        {"from": callers, "ports": _ports(HTTP_PORT)},
        {"from": [_namespace(INFRA_NAMESPACE)], "ports": _ports(OPS_PORT)},
    ]
    if subject.service == GATEWAY:
        rules.append({"ports": _ports(HTTP_PORT)})
    if _publishes_the_keys(subject):
        rules.append({"from": [{"podSelector": {}}], "ports": _ports(HTTP_PORT)})
    if subject.operated:
        operator = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": MANAGER}}}
        rules.append({"from": [_namespace(OPERATOR_NAMESPACE) | operator], "ports": _ports(HTTP_PORT)})
    return rules


def _publishes_the_keys(subject: Subject) -> bool:
    """Whether every pod of the namespace asks it for the issuer's public keys."""
    auth = subject.platform.auth
    if auth is None or not auth.jwks_url:
        return False
    host = urlsplit(auth.jwks_url).hostname or ""
    return host.split(".")[:2] == [subject.name, subject.namespace]


def _egress(subject: Subject) -> list[Manifest]:
    dns = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    rules: list[Manifest] = [{"to": [_namespace("kube-system")], "ports": dns}]
    rules += [_server(host, port) for host, port in _servers(subject)]
    for called in sorted(subject.spec.calls):
        rules.append(
            {"to": [{"podSelector": {"matchLabels": {INSTANCE: called}}}], "ports": _ports(HTTP_PORT)}
        )
    rules += [_declared(way) for way in subject.spec.egress]
    if subject.service == GATEWAY:
        rules.append({"to": [{"podSelector": {}}], "ports": _ports(HTTP_PORT)})
    if subject.spec.automount_service_account_token:
        rules.append({"ports": _ports(443, 6443)})  # the API server has no pods to select
    return rules


def _declared(way: Egress) -> Manifest:
    """A way out that the resource itself names."""
    if way.host is not None:
        return _server(way.host, *sorted(way.ports))
    if way.cidr is not None:
        return {"to": [{"ipBlock": {"cidr": way.cidr}}], "ports": _ports(*sorted(way.ports))}
    blocks = [{"ipBlock": {"cidr": everything, "except": list(private)}} for everything, private in PUBLIC]
    return {"to": blocks, "ports": _ports(*sorted(way.ports))}


def servers_of(spec: SuuupraServiceSpec, platform: SuuupraPlatformSpec) -> list[tuple[str, int]]:
    """Host and port of every backing server that a resource uses."""
    found = list[tuple[str, int]]()
    if spec.database is not None:
        found.append((platform.postgres.host, platform.postgres.port))
    if spec.works:
        servers = (server.strip().rpartition(":") for server in platform.kafka.bootstrap_servers.split(","))
        found += [(host, int(port)) for host, _, port in servers]
    if spec.buckets:
        found.append(_host_port(platform.objects.endpoint))
    if spec.secrets is not None and platform.secret_store is not None:
        found.append(_host_port(platform.secret_store.address))
    if spec.cache and platform.valkey is not None:
        found.append((platform.valkey.host, platform.valkey.port))
    if spec.mail and platform.mail is not None:
        found.append((platform.mail.host, platform.mail.port))
    return found


def _servers(subject: Subject) -> list[tuple[str, int]]:
    """Those, and where the issuer's keys are, each once."""
    auth = subject.platform.auth
    keys = [_host_port(auth.jwks_url)] if auth is not None and auth.jwks_url else []
    return list(dict.fromkeys([*servers_of(subject.spec, subject.platform), *keys]))


def _host_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _server(host: str, *ports: int) -> Manifest:
    """In the cluster: the pods of the host's namespace. Outside: the port alone, a policy knows no host names."""
    labels = host.split(".")
    if len(labels) >= 3 and labels[2] == "svc":
        return {"to": [_namespace(labels[1])], "ports": _ports(*ports)}
    return {"ports": _ports(*ports)}


def _namespace(name: str) -> Manifest:
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: name}}}


def _ports(*ports: int) -> list[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in ports]
