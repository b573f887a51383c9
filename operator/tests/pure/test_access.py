"""Secrets, mail and cache of a resource: what its pods are given, where they may go, and who may read what."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from suuupra_operator.desired import jobs
from suuupra_operator.desired.access import grants, policy, role, same_role
from suuupra_operator.desired.deployment import deployments
from suuupra_operator.desired.environment import environment
from suuupra_operator.desired.network import network_policy
from suuupra_operator.desired.secrets import cache_login, decoded
from suuupra_operator.desired.subject import Subject
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec
from suuupra_operator.provision import Made
from suuupra_operator.round import secrets_of

from .samples import subject

IMAGE = "suuupra/shop:abc123"
SERVERS: dict[str, Any] = {
    "images": {"pins": {"shop": "abc123"}},
    "secretStore": {"address": "http://openbao.suuupra-infra.svc:8200"},
    "valkey": {"host": "valkey.suuupra-infra.svc"},
    "mail": {"host": "mail-sink.suuupra-infra.svc", "port": 1025},
}
ASKS: dict[str, Any] = {"secrets": {}, "mail": True, "cache": True, "database": {}}


def shop(spec: dict[str, Any] | None = None, platform: dict[str, Any] | None = None) -> Subject:
    return subject(ASKS if spec is None else spec, SERVERS if platform is None else platform)


def variables(of: Subject) -> dict[str, Any]:
    return {
        variable["name"]: variable.get("value", variable.get("valueFrom"))
        for variable in environment(of, IMAGE)
    }


def test_pods_are_told_where_secrets_mail_and_cache_are() -> None:
    told = variables(shop())
    assert told["SUUUPRA_OPENBAO_URL"] == "http://openbao.suuupra-infra.svc:8200"
    assert told["SUUUPRA_OPENBAO_ROLE"] == "suuupra-shop"
    assert told["SUUUPRA_SMTP_HOST"] == "mail-sink.suuupra-infra.svc"
    assert told["SUUUPRA_SMTP_PORT"] == "1025"
    assert told["SUUUPRA_SMTP_SENDER"] == "Suuupra <no-reply@suuupra.example>"
    assert told["SUUUPRA_VALKEY_URL"] == {"secretKeyRef": {"name": "shop-cache", "key": "url"}}
    assert told["SUUUPRA_VALKEY_PREFIX"] == "suuupra.shop:"


def test_who_does_not_ask_is_told_nothing_and_gets_nowhere() -> None:
    silent = shop({})
    assert not {name for name in variables(silent) if "OPENBAO" in name or "SMTP" in name or "VALKEY" in name}
    ports = {port["port"] for rule in network_policy(silent)["spec"]["egress"] for port in rule["ports"]}
    assert not ports & {8200, 1025, 6379}


def test_pods_may_reach_what_they_are_told_of() -> None:
    rules = network_policy(shop())["spec"]["egress"]
    where = {port["port"]: rule["to"] for rule in rules for port in rule["ports"]}
    infra = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "suuupra-infra"}}}]
    assert (where[8200], where[1025], where[6379]) == (infra, infra, infra)


def test_pods_log_in_with_a_token_that_opens_nothing_else() -> None:
    (deployment,) = deployments(shop(), IMAGE, "")
    spec = deployment["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    (source,) = next(v for v in spec["volumes"] if v["name"] == "openbao-token")["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "openbao"
    (mount,) = [m for m in spec["containers"][0]["volumeMounts"] if m["name"] == "openbao-token"]
    assert mount["readOnly"]
    told = variables(shop())["SUUUPRA_OPENBAO_TOKEN_PATH"]
    assert told == f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"


def test_migrations_and_what_judges_them_get_no_token() -> None:
    job = jobs.migration(shop(), IMAGE, 1, linter="suuupra/operator:1")
    spec = job["spec"]["template"]["spec"]
    mounted = {m["name"] for c in (*spec["containers"], *spec["initContainers"]) for m in c["volumeMounts"]}
    assert "openbao-token" not in mounted | {volume["name"] for volume in spec["volumes"]}


def test_the_way_into_the_cache_is_a_secret_that_is_kept() -> None:
    secret = cache_login(shop(), "redis://suuupra.shop:p%40ss@valkey:6379/0", "p@ss")
    assert decoded(secret) == {"url": "redis://suuupra.shop:p%40ss@valkey:6379/0", "password": "p@ss"}
    assert secret["metadata"]["name"] in secrets_of(shop())
    assert secrets_of(shop({})) == set()


def test_a_policy_owns_its_name_and_reads_what_is_granted_and_nothing_else() -> None:
    text = policy("web", ["identity/clients/web"])
    assert text.splitlines() == [
        'path "suuupra/data/web/*" { capabilities = ["create", "read", "update", "delete"] }',
        'path "suuupra/metadata/web/*" { capabilities = ["read", "list", "delete"] }',
        'path "suuupra/data/identity/clients/web" { capabilities = ["read"] }',
    ]


def test_a_grant_is_for_those_it_names() -> None:
    spec = SuuupraServiceSpec.model_validate(
        {
            "secrets": {
                "grants": [{"path": "clients/web", "to": ["web"]}, {"path": "other", "to": ["commerce"]}]
            }
        }
    )
    assert grants("identity", spec, "web") == ["identity/clients/web"]
    assert grants("identity", spec, "notifications") == []


@pytest.mark.parametrize("path", ["*", "clients/*", "+/web", "/clients", "clients/", "../other", 'a" {}', ""])
def test_a_granted_path_can_hold_no_wildcard_and_lead_nowhere_else(path: str) -> None:
    with pytest.raises(ValidationError):
        SuuupraServiceSpec.model_validate({"secrets": {"grants": [{"path": path, "to": ["web"]}]}})


def test_a_role_takes_only_the_resource_s_own_account() -> None:
    wanted = role(shop())
    assert wanted["bound_service_account_names"] == ["shop"]
    assert wanted["bound_service_account_namespaces"] == ["suuupra"]
    assert wanted["audience"] == "openbao"
    live = dict(wanted) | {"token_type": "default", "token_bound_cidrs": [], "token_period": 0}
    assert same_role(live, wanted)


@pytest.mark.parametrize(
    "change",
    [
        {"bound_service_account_names": ["shop", "other"]},
        {"bound_service_account_namespaces": ["*"]},
        {"bound_service_account_namespace_selector": "{}"},
        {"audience": ""},
        {"token_policies": ["suuupra-shop", "suuupra-identity"]},
        {"token_period": 3600},
    ],
)
def test_o1_a_role_that_somebody_widened_is_not_the_same(change: dict[str, Any]) -> None:
    wanted = role(shop())
    assert not same_role(dict(wanted) | change, wanted)
    assert not same_role(None, wanted)


def test_pods_wait_for_each_part_they_cannot_do_without() -> None:
    assert Made().missing(shop({"secrets": {}})) == ("Secrets", "way to their secrets is")
    assert Made(secrets=True).missing(shop({"secrets": {}})) is None
    assert Made().missing(shop({"cache": True})) == ("Cache", "cache is")
    assert Made(cache="1").missing(shop({"cache": True})) is None
    without = {key: value for key, value in SERVERS.items() if key != "mail"}
    assert Made().missing(shop({"mail": True}, without)) == ("Mail", "mail server is")
    assert Made().missing(shop({"mail": True})) is None


def test_a_new_password_of_the_cache_rolls_the_pods_and_its_absence_changes_nothing() -> None:
    assert Made(cache="1").digest() != Made(cache="2").digest()
    assert Made().digest() == Made(secrets=True).digest()


@pytest.mark.parametrize("sender", ["nobody", "a@b\nBcc: c@d", "<a@b> <c@d>"])
def test_a_sender_is_one_mailbox(sender: str) -> None:
    with pytest.raises(ValidationError):
        SuuupraPlatformSpec.model_validate({"mail": {"host": "smtp", "sender": sender}})
