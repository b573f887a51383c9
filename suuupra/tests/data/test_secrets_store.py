"""Secrets come back as they were stored; what goes wrong has a name and never shows a value."""

from pathlib import Path
from typing import Any

import hvac
import pytest
from pydantic import SecretStr

from suuupra.secrets_store import (
    OpenBao,
    Secret,
    SecretChanged,
    SecretsRefused,
    SecretsStore,
    SecretsUnavailable,
)
from suuupra.settings import SecretsSettings, SettingsError, load
from suuupra.testing.secrets import ROOT_TOKEN, MemorySecrets, OpenBaoServer

PATH = "shop/clients/till"


@pytest.fixture(params=["memory", pytest.param("openbao", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest, secrets_kept: MemorySecrets) -> SecretsStore:
    """What tests use and what pods use must behave alike."""
    if request.param == "memory":
        return SecretsStore(secrets_kept)
    server: OpenBaoServer = request.getfixturevalue("openbao")
    return _asked_with(server, ROOT_TOKEN)


def _asked_with(server: OpenBaoServer, token: str) -> SecretsStore:
    backend = OpenBao(
        server.url, mount=server.mount(), role="", token_path=Path("/nowhere"), token=SecretStr(token)
    )
    return SecretsStore(backend)


async def test_what_is_written_is_read_back_and_nothing_is_none(store: SecretsStore) -> None:
    assert await store.read(PATH) is None
    assert await store.write(PATH, {"secret": "a=b/c"}) == 1
    assert await store.read(PATH) == {"secret": "a=b/c"}
    await store.close()


async def test_the_second_writer_of_a_version_is_refused_and_the_first_ones_stays(
    store: SecretsStore,
) -> None:
    await store.write(PATH, {"secret": "first"}, cas=0)
    with pytest.raises(SecretChanged):
        await store.write(PATH, {"secret": "second"}, cas=0)
    found = await store.read_versioned(PATH)
    assert found is not None
    assert found.version == 1
    assert await store.write(PATH, {"secret": "third"}, cas=found.version) == 2
    await store.close()


@pytest.mark.parametrize("path", ["", "shop", "/shop/a", "shop/../other/a", "shop/a b", "shop//a"])
async def test_a_path_that_is_none_is_a_mistake_of_ours(secrets: SecretsStore, path: str) -> None:
    with pytest.raises(ValueError, match="is no path of a secret"):
        await secrets.read(path)


def test_a_secret_never_shows_its_values() -> None:
    assert "hunter2" not in repr(Secret({"password": "hunter2"}, 1))


async def test_readiness_waits_for_the_first_answer_and_survives_an_outage(
    secrets: SecretsStore, secrets_kept: MemorySecrets
) -> None:
    secrets_kept.away = True
    with pytest.raises(SecretsUnavailable):
        await secrets.check()
    secrets_kept.away = False
    await secrets.check()
    secrets_kept.away = True
    await secrets.check()


async def test_nobody_listening_is_unavailable_and_not_a_hang() -> None:
    nowhere = OpenBao("http://127.0.0.1:1", mount="suuupra", role="shop", token_path=Path(__file__))
    with pytest.raises(SecretsUnavailable):
        await SecretsStore(nowhere).read(PATH)


async def test_a_pod_without_its_token_is_told_so(tmp_path: Path) -> None:
    blind = OpenBao("http://127.0.0.1:1", mount="suuupra", role="shop", token_path=tmp_path / "token")
    with pytest.raises(SecretsRefused, match="has no token"):
        await SecretsStore(blind).read(PATH)


@pytest.mark.integration
async def test_a_token_that_may_not_is_refused_in_words(openbao: OpenBaoServer) -> None:
    with pytest.raises(SecretsRefused, match="does not allow"):
        await _asked_with(openbao, "forged").read(PATH)


class _Logins:
    """Stands for Kubernetes' login, which needs a cluster: every login gives a new token of the same rights."""

    def __init__(self, root: hvac.Client, life: str = "1h") -> None:
        self.root, self.life, self.given = root, life, list[str]()

    def login(self, role: str, jwt: str, use_token: bool, mount_point: str) -> Any:
        assert (role, jwt, use_token, mount_point) == ("shop", "projected", False, "kubernetes")
        answer = self.root.auth.token.create(policies=["root"], ttl=self.life)
        self.given.append(answer["auth"]["client_token"])
        return answer


@pytest.fixture
def logins(
    openbao: OpenBaoServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[_Logins, SecretsStore]:
    (tmp_path / "token").write_text("projected")
    made = _Logins(openbao.root())
    monkeypatch.setattr(
        "hvac.api.auth_methods.kubernetes.Kubernetes.login", lambda _, *a, **k: made.login(*a, **k)
    )
    backend = OpenBao(openbao.url, mount=openbao.mount(), role="shop", token_path=tmp_path / "token")
    return made, SecretsStore(backend)


@pytest.mark.integration
async def test_a_pod_logs_in_once_and_again_when_its_token_is_revoked(
    logins: tuple[_Logins, SecretsStore],
) -> None:
    made, store = logins
    await store.write(PATH, {"secret": "a"})
    await store.read(PATH)
    assert len(made.given) == 1
    made.root.auth.token.revoke(made.given[0])
    assert await store.read(PATH) == {"secret": "a"}
    assert len(made.given) == 2


@pytest.mark.integration
async def test_a_token_near_its_end_is_replaced_before_it_is_used(
    logins: tuple[_Logins, SecretsStore],
) -> None:
    made, store = logins

    await store.write(PATH, {"secret": "a"})
    store._backend._due = 0.0  # type: ignore[attr-defined]
    assert await store.read(PATH) == {"secret": "a"}
    assert len(made.given) == 2


@pytest.mark.integration
async def test_closing_gives_the_token_back(logins: tuple[_Logins, SecretsStore]) -> None:
    made, store = logins
    await store.write(PATH, {"secret": "a"})
    await store.close()
    with pytest.raises(hvac.exceptions.VaultError):
        made.root.auth.token.lookup(made.given[0])


def test_settings_want_a_role_or_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUUUPRA_OPENBAO_URL", "http://openbao:8200")
    with pytest.raises(SettingsError, match="SUUUPRA_OPENBAO_ROLE"):
        load(SecretsSettings)
    monkeypatch.setenv("SUUUPRA_OPENBAO_ROLE", "shop")
    assert load(SecretsSettings).openbao_mount == "suuupra"
