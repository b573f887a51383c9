"""Staging is told in three files, which must tell the same: two charts' values, and the platform resource."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from suuupra_operator.platform import SuuupraPlatformSpec

from charts.tests.rendering import CHARTS, Chart, named

ROOT = CHARTS.parent
INFRA, SUUUPRA = Chart("suuupra-infra", "suuupra-infra"), Chart("suuupra", "suuupra-system")


def values(chart: Chart) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((chart.path / "values-staging.yaml").read_text())
    return found


@pytest.fixture(scope="module")
def platform() -> SuuupraPlatformSpec:
    document = yaml.safe_load((ROOT / "manifests/profiles/staging.yaml").read_text())
    assert (document["kind"], document["metadata"]["name"]) == ("SuuupraPlatform", "suuupra")
    return SuuupraPlatformSpec.model_validate(document["spec"])


def test_the_platform_names_the_addresses_of_the_backing_servers(platform: SuuupraPlatformSpec) -> None:
    where = named(INFRA.render(*INFRA.staging), "ConfigMap", "backing-servers")["data"]
    assert platform.kafka.bootstrap_servers == where["kafka.bootstrapServers"]
    assert (platform.postgres.host, str(platform.postgres.port)) == (
        where["postgres.host"],
        where["postgres.port"],
    )
    assert (platform.objects.endpoint, platform.objects.region) == (
        where["objects.endpoint"],
        where["objects.region"],
    )
    assert platform.valkey is not None
    assert (platform.valkey.host, str(platform.valkey.port)) == (where["valkey.host"], where["valkey.port"])
    assert platform.secret_store is not None
    assert platform.secret_store.address == where["openbao.url"]


def test_the_operator_may_read_the_accounts_that_the_platform_names(platform: SuuupraPlatformSpec) -> None:
    granted = values(SUUUPRA)["infra"]
    assert platform.valkey is not None
    assert platform.secret_store is not None
    servers = (platform.postgres, platform.objects, platform.valkey, platform.secret_store)
    named_ = [server.admin_secret_ref for server in servers]
    assert {secret.namespace for secret in named_} == {granted["namespace"]}
    assert [secret.name for secret in named_] == granted["adminSecrets"]


def test_administrators_are_sent_to_where_the_operator_reads(platform: SuuupraPlatformSpec) -> None:
    granted = values(SUUUPRA)["infra"]
    created = re.findall(r"create secret generic (\S+) -n (\S+)", INFRA.notes(*INFRA.staging))
    assert {namespace for _, namespace in created} == {platform.postgres.admin_secret_ref.namespace}
    assert {name for name, _ in created} == set(granted["adminSecrets"])


def test_where_nothing_else_is_said_administrators_are_sent_to_the_release() -> None:
    notes = INFRA.notes("--set", "valkey.enabled=false", "--set", "valkey.external.host=valkey.example.org")
    assert re.findall(r"create secret generic (\S+) -n (\S+)", notes) == [("valkey-admin", INFRA.namespace)]


def test_the_operator_and_the_services_come_from_one_registry(platform: SuuupraPlatformSpec) -> None:
    images = values(SUUUPRA)["images"]
    assert (platform.images.repository, platform.images.tag) == (
        images["repository"],
        images["tags"]["operator"],
    )


def test_events_survive_the_loss_of_a_broker(platform: SuuupraPlatformSpec) -> None:
    assert (platform.kafka.replication_factor, platform.kafka.min_in_sync_replicas) == (3, 2)
