"""What is rendered for a resource."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from suuupra_operator.desired import jobs
from suuupra_operator.desired.deployment import deployments
from suuupra_operator.desired.environment import environment
from suuupra_operator.desired.network import network_policy
from suuupra_operator.desired.scaling import autoscaler
from suuupra_operator.desired.secrets import database_login, decoded
from suuupra_operator.desired.subject import version_of
from suuupra_operator.desired.topics import TopicState, changes, published
from suuupra_operator.round import static_children

from suuupra.testing.golden import compare

from .samples import PLATFORM, subject

IMAGE = "suuupra/shop:abc123"


def test_a_whole_resource_renders_as_reviewed() -> None:
    rendered = [*static_children(subject()), *deployments(subject(), IMAGE, "digest")]
    rendered.append(jobs.migration(subject(), IMAGE, 1, linter="suuupra/operator:1"))
    text = yaml.safe_dump_all(rendered, sort_keys=False, width=160)
    compare(Path(__file__).parent / "golden" / "shop.yaml", text)


def test_pods_are_restricted() -> None:
    for deployment in deployments(subject(), IMAGE, ""):
        spec = deployment["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        (container,) = spec["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_service_without_events_has_no_worker() -> None:
    assert [d["metadata"]["name"] for d in deployments(subject({}), IMAGE, "")] == ["shop"]
    assert [d["metadata"]["name"] for d in deployments(subject(), IMAGE, "")] == ["shop", "shop-worker"]


def test_an_autoscaled_deployment_leaves_its_replicas_to_the_autoscaler() -> None:
    assert "replicas" not in deployments(subject(), IMAGE, "")[0]["spec"]
    assert deployments(subject({"replicas": {"min": 3}}), IMAGE, "")[0]["spec"]["replicas"] == 3


def test_on_a_platform_of_one_machine_a_service_keeps_its_min() -> None:
    one_machine = subject(platform=PLATFORM | {"autoscaling": False})
    assert autoscaler(subject()) is not None
    assert autoscaler(one_machine) is None
    assert deployments(one_machine, IMAGE, "")[0]["spec"]["replicas"] == 2


def test_a_job_of_an_image_of_its_own_is_kept_as_long_as_it_is_wanted() -> None:
    """Or it would be made again as soon as it is done, for as long as its end is not yet written down."""
    pins = {"images": {"pins": {"shop": "abc123", "samples": "s1"}}}
    fill = {"name": "fill", "image": "samples", "args": ["fill"]}
    wanted = subject({"jobs": [fill]}, pins)
    image = jobs.one_off_image(wanted, wanted.spec.jobs[0])
    assert image is not None
    done = jobs.one_off(
        wanted, wanted.spec.jobs[0], image, jobs.one_off_hash(wanted.spec.jobs[0], image, 16384)
    )
    assert done["metadata"]["labels"]["app.kubernetes.io/version"] == "s1"
    assert jobs.present(wanted, done)
    assert not jobs.present(subject({"jobs": [fill | {"args": ["fill", "again"]}]}, pins), done)
    assert not jobs.present(subject({}, pins), done)


def test_a_migration_is_kept_while_its_version_is_wanted() -> None:
    done = jobs.migration(subject(), IMAGE, 1, linter=None)
    assert jobs.present(subject(), done)
    assert not jobs.present(subject(platform={"images": {"pins": {"shop": "abc124"}}}), done)


def test_changed_secrets_roll_the_pods() -> None:
    one, other = (deployments(subject(), IMAGE, digest)[0]["spec"]["template"] for digest in ("a", "b"))
    assert one != other


def test_environment_holds_no_secret_value() -> None:
    found = {variable["name"]: variable for variable in environment(subject(), IMAGE)}
    assert "value" not in found["SUUUPRA_DATABASE_URL"]
    assert found["SUUUPRA_URL_IDENTITY"]["value"] == "http://identity.suuupra.svc:8000"
    assert found["SUUUPRA_BUCKETS"]["value"] == '{"media": "shop-media"}'
    assert found["SHOP_MODE"]["value"] == "open"


def test_o12_policy_lets_in_declared_callers_and_out_to_declared_servers_only() -> None:
    spec = network_policy(subject())["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    ports = sorted(port["port"] for rule in spec["egress"] for port in rule["ports"])
    assert ports == [53, 53, 5432, 8000, 8333, 9092]
    lonely = network_policy(subject({}))["spec"]
    assert [port["port"] for rule in lonely["egress"] for port in rule["ports"]] == [53, 53]


def test_o12_every_pod_may_ask_the_service_that_publishes_the_issuers_keys() -> None:
    everyone = {"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 8000}]}
    keys = {"jwksURL": "http://shop.suuupra.svc:8000/.well-known/jwks.json"}
    assert everyone in network_policy(subject({}, PLATFORM | {"auth": keys}))["spec"]["ingress"]
    others = {"jwksURL": "http://identity.suuupra.svc:8000/.well-known/jwks.json"}
    assert everyone not in network_policy(subject({}, PLATFORM | {"auth": others}))["spec"]["ingress"]


def test_login_is_quoted_in_its_url() -> None:
    secret = database_login(subject(), "shop_app_a", "p@ss/word")
    assert (
        decoded(secret)["url"] == "postgresql://shop_app_a:p%40ss%2Fword@postgres.suuupra-infra.svc:5432/shop"
    )


@pytest.mark.parametrize(
    ("image", "version"),
    [("a/b:1.2", "1.2"), ("host:5000/a", "latest"), ("a/b:1@sha256:" + "0" * 64, "0" * 12)],
)
def test_version_of_an_image(image: str, version: str) -> None:
    assert version_of(image) == version


def _plan(live: dict[str, TopicState], **more: Any) -> Any:
    return changes(
        published(subject()), live, claimed=more.get("claimed", []), adopted=more.get("adopted", [])
    )


def test_o4_a_missing_topic_is_made_and_a_right_one_is_left() -> None:
    wanted = {topic.name: TopicState(topic.partitions, topic.config) for topic in published(subject())}
    assert [topic.name for topic in _plan({}).create] == ["order.created", "order.created.dlt"]
    assert _plan(wanted) == _plan(wanted, claimed=["order.created"])
    assert not _plan(wanted).create


def test_o1_a_limit_that_would_end_events_before_their_time_is_drift() -> None:
    live = {
        t.name: TopicState(t.partitions, {**t.config, "retention.bytes": "1"}) for t in published(subject())
    }
    drifted = _plan(live, claimed=[*live]).configure
    assert [(topic.name, topic.config["retention.bytes"]) for topic in drifted] == [
        (name, "-1") for name in live
    ]


def test_o4_a_topic_with_more_partitions_is_refused_even_when_it_is_ours() -> None:
    live = {"order.created": TopicState(9, {})}
    refused = _plan(live, claimed=["order.created"]).refused
    assert "has 9 partitions and the resource says 4" in refused["order.created"]


def test_o4_a_strange_topic_is_touched_only_when_adopted() -> None:
    live = {"order.created": TopicState(2, {})}
    assert "suuupra.io/adopt=order.created" in _plan(live).refused["order.created"]
    assert [topic.name for topic in _plan(live, adopted=["order.created"]).grow] == ["order.created"]
