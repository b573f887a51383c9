"""Secrets of a service: its pods get in, nobody else does, and what was changed by hand or deleted is put right."""

from __future__ import annotations

import hvac
import pytest
from suuupra_operator.desired.access import MOUNT

from .api import NO_PODS, Api
from .outage import away
from .process import OperatorProcess
from .waiting import eventually

# Each test has names of its own: what the last one left in OpenBao is taken away behind the operator's back, which it
# would see, and count, as somebody's doing.
KINDS = ("OpenBaoPolicy", "OpenBaoRole")
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
    await api.service(
        "keeper", {"secrets": {"grants": [{"path": "clients/lender", "to": ["lender"]}]}} | NO_PODS
    )
    await api.service("lender", ASKS)
    await api.ready("lender")
    web = api.servers.secrets.log_in("suuupra-lender", await api.token("lender"))
    await eventually(lambda: reads(web, "keeper/clients/lender"), 20, "the grant holds")

    before = operator.total("drift_corrected_total", kind="OpenBaoPolicy")
    await api.service("keeper", ASKS)

    await eventually(lambda: not reads(web, "keeper/clients/lender"), 20, "the grant is taken back")
    assert operator.total("drift_corrected_total", kind="OpenBaoPolicy") == before


async def test_o1_a_policy_and_a_role_changed_or_deleted_by_hand_are_put_right_and_counted(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("changed", ASKS)
    await api.ready("changed")
    root, store = api.servers.secrets.root(), api.servers.secrets
    counted = [operator.total("drift_corrected_total", kind=kind) for kind in KINDS]

    root.sys.create_or_update_policy("suuupra-changed", f'path "{MOUNT}/*" {{ capabilities = ["read"] }}')
    root.auth.kubernetes.create_role("suuupra-changed", ["*"], ["*"], policies=["suuupra-changed", "root"])

    def right() -> bool:
        policy = root.sys.read_acl_policy("suuupra-changed")["data"]["policy"]
        role = root.auth.kubernetes.read_role("suuupra-changed")
        bound = role.get("data", role)["bound_service_account_names"]
        return f'{MOUNT}/data/changed/*"' in policy and bound == ["changed"]

    await eventually(right, 30, "policy and role are as the resource says")

    def each_once() -> bool:
        now = [operator.total("drift_corrected_total", kind=kind) for kind in KINDS]
        return now == [before + 1 for before in counted]

    await eventually(each_once, 5, "each is counted, a moment after it was written")

    root.sys.delete_acl_policy("suuupra-changed")
    root.auth.kubernetes.delete_role("suuupra-changed")
    await eventually(lambda: store.roles() == store.policies() == {"suuupra-changed"}, 30, "they are back")


async def test_o8_retain_keeps_the_secrets_and_takes_the_way_in_away(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("retained", ASKS)
    await api.ready("retained")
    store = api.servers.secrets
    store.keep("retained/signing/key", private="1")
    shop = store.log_in("suuupra-retained", await api.token("retained"))

    await api.delete("SuuupraService", "retained")
    await api.gone("SuuupraService", "retained")

    assert store.kept("retained/signing/key") == {"private": "1"}
    assert (store.policies(), store.roles()) == (set(), set())
    assert not reads(shop, "retained/signing/key")


async def test_o8_delete_destroys_the_secrets(api: Api, operator: OperatorProcess) -> None:
    await api.service("destroyed", NO_PODS | {"secrets": {"reclaim": "Delete"}})
    await api.ready("destroyed")
    store = api.servers.secrets
    store.keep("destroyed/signing/key", private="1")
    store.keep("destroyed/client", secret="2")
    store.keep("destroyed2/client", secret="3")

    await api.delete("SuuupraService", "destroyed")
    await api.gone("SuuupraService", "destroyed")

    assert store.kept("destroyed/signing/key") is None
    assert store.kept("destroyed/client") is None
    assert store.kept("destroyed2/client") == {"secret": "3"}


async def test_o8_a_deletion_waits_for_a_secret_store_that_is_away(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("waiting", ASKS)
    await api.ready("waiting")
    with away(api.servers.secrets.container):
        await api.delete("SuuupraService", "waiting")
        await api.until("waiting", "Ready", reason="WaitingToDelete", within=60)
    await api.gone("SuuupraService", "waiting")


async def test_without_a_mail_server_a_resource_that_sends_mail_says_what_to_set(
    api: Api, operator: OperatorProcess
) -> None:
    await api.platform(valkey=False)
    await api.service("writer", NO_PODS | {"mail": True, "cache": True})
    mail = await api.until("writer", "MailReady", status="False")
    assert "set spec.mail of the platform" in mail["message"]
    cache = await api.until("writer", "CacheReady", status="False")
    assert "set spec.valkey of the platform" in cache["message"]
