"""Secrets of a service: its pods get in, nobody else does, and what was changed by hand or deleted is put right."""

from __future__ import annotations

import hvac
import pytest
from suuupra_operator.desired.access import MOUNT

from suuupra.testing.containers import docker

from .api import EVERY_PART, NO_PODS, Api
from .process import OperatorProcess
from .waiting import eventually

ASKS = NO_PODS | {"secrets": {}}
GRANTS = NO_PODS | {"secrets": {"grants": [{"path": "clients/web", "to": ["web"]}]}}


def reads(client: hvac.Client, path: str) -> bool:
    try:
        client.secrets.kv.v2.read_secret_version(path, mount_point=MOUNT, raise_on_deleted_version=True)
    except hvac.exceptions.Forbidden:
        return False
    except hvac.exceptions.InvalidPath:
        return True  # nothing there, and allowed to see that
    return True


def writes(client: hvac.Client, path: str) -> bool:
    try:
        client.secrets.kv.v2.create_or_update_secret(path, {"a": "b"}, mount_point=MOUNT)
    except hvac.exceptions.Forbidden:
        return False
    return True


async def test_pods_get_in_to_their_own_and_to_what_is_granted_and_nobody_else_does(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("identity", GRANTS)
    await api.service("web", ASKS)
    await api.ready("identity")
    await api.ready("web")
    store = api.servers.secrets
    identity = store.log_in("suuupra-identity", await api.token("identity"))
    web = store.log_in("suuupra-web", await api.token("web"))

    assert writes(identity, "identity/clients/web")
    assert writes(identity, "identity/signing")
    assert reads(web, "identity/clients/web")
    assert not writes(web, "identity/clients/web")
    assert not reads(web, "identity/signing")
    assert not reads(identity, "web/session")

    for role, token in (
        ("suuupra-identity", await api.token("web")),
        ("suuupra-web", await api.token("web", "https://kubernetes.default.svc.cluster.local")),
    ):
        with pytest.raises(hvac.exceptions.VaultError):
            store.log_in(role, token)


async def test_a_grant_that_is_taken_back_ends_what_the_reader_may(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("identity", GRANTS)
    await api.service("web", ASKS)
    await api.ready("web")
    web = api.servers.secrets.log_in("suuupra-web", await api.token("web"))
    await eventually(lambda: reads(web, "identity/clients/web"), 20, "the grant holds")

    await api.service("identity", ASKS)

    await eventually(lambda: not reads(web, "identity/clients/web"), 20, "the grant is taken back")
    assert operator.total("drift_corrected_total", kind="OpenBaoPolicy") == 0


async def test_o1_a_policy_and_a_role_changed_or_deleted_by_hand_are_put_right_and_counted(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", ASKS)
    await api.ready("shop")
    root, store = api.servers.secrets.root(), api.servers.secrets

    root.sys.create_or_update_policy("suuupra-shop", f'path "{MOUNT}/*" {{ capabilities = ["read"] }}')
    root.auth.kubernetes.create_role("suuupra-shop", ["*"], ["*"], policies=["suuupra-shop", "root"])

    def right() -> bool:
        policy = root.sys.read_acl_policy("suuupra-shop")["data"]["policy"]
        role = root.auth.kubernetes.read_role("suuupra-shop")
        bound = role.get("data", role)["bound_service_account_names"]
        return f'{MOUNT}/data/shop/*"' in policy and bound == ["shop"]

    await eventually(right, 30, "policy and role are as the resource says")
    assert operator.total("drift_corrected_total", kind="OpenBaoPolicy") == 1
    assert operator.total("drift_corrected_total", kind="OpenBaoRole") == 1

    root.sys.delete_acl_policy("suuupra-shop")
    root.auth.kubernetes.delete_role("suuupra-shop")
    await eventually(lambda: store.roles() == store.policies() == {"suuupra-shop"}, 30, "they are back")


async def test_o8_retain_keeps_the_secrets_and_takes_the_way_in_away(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", ASKS)
    await api.ready("shop")
    store = api.servers.secrets
    store.keep("shop/signing/key", private="1")
    shop = store.log_in("suuupra-shop", await api.token("shop"))

    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop")

    assert store.kept("shop/signing/key") == {"private": "1"}
    assert (store.policies(), store.roles()) == (set(), set())
    assert not reads(shop, "shop/signing/key")


async def test_o8_delete_destroys_the_secrets(api: Api, operator: OperatorProcess) -> None:
    await api.service("shop", NO_PODS | {"secrets": {"reclaim": "Delete"}})
    await api.ready("shop")
    store = api.servers.secrets
    store.keep("shop/signing/key", private="1")
    store.keep("shop/client", secret="2")
    store.keep("shopping/client", secret="3")

    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop")

    assert store.kept("shop/signing/key") is None
    assert store.kept("shop/client") is None
    assert store.kept("shopping/client") == {"secret": "3"}


async def test_o8_a_deletion_waits_for_a_secret_store_that_is_away(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", ASKS)
    await api.ready("shop")
    docker("pause", api.servers.secrets.container.id)
    try:
        await api.delete("SuuupraService", "shop")
        await api.until("shop", "Ready", reason="WaitingToDelete", within=60)
    finally:
        docker("unpause", api.servers.secrets.container.id)
    await api.gone("SuuupraService", "shop")


async def test_a_secret_store_that_is_away_leaves_what_runs_alone(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", EVERY_PART | {"secrets": {}, "replicas": {"min": 1}})
    await api.ready("shop", 90)
    before = await api.must("Deployment", "shop")
    docker("pause", api.servers.secrets.container.id)
    try:
        await api.until("suuupra", "SecretStoreReachable", 60, _PLATFORM, status="False")
        await api.until("shop", "SecretsReady", 60, status="Unknown")
        assert (await api.condition("shop"))["status"] == "True"
        assert (await api.must("Deployment", "shop"))["spec"] == before["spec"]
        await api.service("young", ASKS)
        waits = await api.until("young", "RolloutReady", 30, reason="WaitingForSecrets")
        assert "when the way to their secrets is there" in waits["message"]
    finally:
        docker("unpause", api.servers.secrets.container.id)
    await api.ready("young", 60)


async def test_without_a_mail_server_a_resource_that_sends_mail_says_what_to_set(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", NO_PODS | {"mail": True, "cache": True})
    mail = await api.until("shop", "MailReady", status="False")
    assert "set spec.mail of the platform" in mail["message"]
    cache = await api.until("shop", "CacheReady", status="False")
    assert "set spec.valkey of the platform" in cache["message"]


_PLATFORM = {"kind": "SuuupraPlatform", "namespace": ""}
