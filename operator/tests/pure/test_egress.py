"""Ways out that a resource declares: what is refused, and what the network policy says of them."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from suuupra_operator.desired.network import network_policy
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.primaries import InvalidSpec, spec_of

from .samples import subject

MANIFESTS = Path(__file__).resolve().parents[3] / "manifests" / "services"


def _rule(way: dict[str, Any]) -> dict[str, Any]:
    """The rule that one way out adds to those of a resource that declares nothing else."""
    dns, *declared = network_policy(subject({"egress": [way]}))["spec"]["egress"]
    assert dns["ports"][0]["port"] == 53
    (rule,) = declared
    return dict(rule)


def test_a_server_in_the_cluster_is_the_pods_of_its_namespace() -> None:
    rule = _rule({"host": "mail-sink.suuupra-infra.svc", "ports": [8025, 1025]})
    selector = {"matchLabels": {"kubernetes.io/metadata.name": "suuupra-infra"}}
    assert rule["to"] == [{"namespaceSelector": selector}]
    assert rule["ports"] == [{"protocol": "TCP", "port": 1025}, {"protocol": "TCP", "port": 8025}]


def test_a_network_is_its_block() -> None:
    rule = _rule({"cidr": "192.0.2.0/24", "ports": [8443]})
    assert rule["to"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}]


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.244.0.7", False),  # a pod
        ("10.96.0.1", False),  # the API server
        ("172.18.0.2", False),  # the node
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # the cloud's metadata
        ("127.0.0.1", False),
        ("100.64.0.1", False),
        ("fd00::1", False),
        ("fe80::1", False),
        ("64:ff9b::a9fe:a9fe", False),  # the same metadata, by NAT64
    ],
)
def test_the_internet_is_every_public_address_and_no_other(address: str, reached: bool) -> None:
    blocks = [peer["ipBlock"] for peer in _rule({"internet": True, "ports": [443]})["to"]]
    found = ip_address(address)
    inside = [
        block
        for block in blocks
        if found in ip_network(block["cidr"])
        and not any(found in ip_network(private) for private in block["except"])
    ]
    assert bool(inside) is reached


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ({"ports": [443]}, "spec.egress.0: exactly one of host, cidr and internet"),
        ({"internet": True, "cidr": "192.0.2.0/24", "ports": [443]}, "spec.egress.0: exactly one of host"),
        ({"host": "example.org", "ports": [443]}, "host must be NAME.NAMESPACE.svc"),
        ({"cidr": "192.0.2.1/24", "ports": [443]}, "cidr must be a network and the length of its prefix"),
        ({"cidr": "everywhere", "ports": [443]}, "spec.egress.0.cidr: String should match pattern"),
        ({"internet": True}, "spec.egress.0.ports: Field required"),
        ({"internet": True, "ports": []}, "spec.egress.0.ports: List should have at least 1 item"),
        (
            {"internet": True, "ports": [0]},
            "spec.egress.0.ports.0: Input should be greater than or equal to 1",
        ),
    ],
)
def test_o2_a_way_out_that_leads_nowhere_is_refused_by_field_and_rule(
    way: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        spec_of({"spec": {"egress": [way]}})
    assert words in str(refused.value)


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_whatever_address_a_service_is_given_in_its_environment_it_has_a_way_to(path: Path) -> None:
    spec = SuuupraServiceSpec.model_validate(yaml.safe_load(path.read_text())["spec"])
    given = [urlsplit(value) for value in spec.env.values() if value.startswith(("http://", "https://"))]
    inside = {(url.hostname, url.port) for url in given if (url.hostname or "").endswith(".svc")}
    declared = {(way.host, port) for way in spec.egress for port in way.ports}
    assert inside - {(f"{called}.suuupra.svc", 8000) for called in spec.calls} <= declared


def test_payments_may_send_webhooks_to_the_internet_and_notifications_may_not() -> None:
    ways = {
        name: SuuupraServiceSpec.model_validate(
            yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text())["spec"]
        )
        for name in ("payments", "notifications")
    }
    assert [way.ports for way in ways["payments"].egress if way.internet] == [[443, 8443]]
    assert not any(way.internet for way in ways["notifications"].egress)
