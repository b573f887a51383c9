"""Settings fail at start, in words, without secrets."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from suuupra import settings
from suuupra.settings import (
    AuthSettings,
    BusSettings,
    DatabaseSettings,
    HttpAddress,
    ObjectsSettings,
    ServiceSettings,
    SettingsError,
)


class Settings(ServiceSettings, DatabaseSettings, ObjectsSettings, AuthSettings):
    """Of a service that needs a bit of everything."""

    url_content: HttpAddress = Field(description="the address of content")
    trusted_hops: Annotated[int, Field(validation_alias="GATEWAY_TRUSTED_HOPS", ge=0)] = 0


GOOD = {
    "SUUUPRA_SERVICE": "shop",
    "SUUUPRA_DATABASE_URL": "postgresql://web:hunter2@postgres:5432/web",
    "SUUUPRA_OBJECTS_ENDPOINT": "http://objects:8333/",
    "SUUUPRA_OBJECTS_ACCESS_KEY": "access",
    "SUUUPRA_OBJECTS_SECRET_KEY": "hunter3",
    "SUUUPRA_BUCKETS": '{"media": "web-media"}',
    "SUUUPRA_ISSUER": "http://localhost:8080",
    "SUUUPRA_AUDIENCE": "suuupra",
    "SUUUPRA_JWKS_URL": "http://login:8000/jwks",
    "SUUUPRA_URL_CONTENT": "http://content:8000",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_right_environment_is_read() -> None:
    loaded = settings.load(Settings)
    assert loaded.name == loaded.service == "shop"
    assert loaded.buckets == {"media": "web-media"}
    assert loaded.objects_endpoint == "http://objects:8333"


def test_resource_may_have_another_name_than_its_service(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SUUUPRA_NAME", "bank-hdfc")
    assert settings.load(Settings).name == "bank-hdfc"


def test_what_the_command_line_gives_wins_over_the_environment() -> None:
    assert settings.load(Settings, service="content").service == "content"


@pytest.mark.parametrize("variable", sorted(GOOD.keys() - {"SUUUPRA_BUCKETS", "SUUUPRA_JWKS_URL"}))
@pytest.mark.parametrize("empty", [True, False])
def test_missing_variable_is_named_with_what_to_set_it_to(
    environment: pytest.MonkeyPatch, variable: str, empty: bool
) -> None:
    environment.setenv(variable, "") if empty else environment.delenv(variable)
    with pytest.raises(SettingsError, match=rf"{variable} is not set\. Set it to \w+"):
        settings.load(Settings)


def test_all_that_is_wrong_is_told_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SUUUPRA_HTTP_PORT", "99999")
    environment.setenv("SUUUPRA_LOG_LEVEL", "LOUD")
    environment.setenv("SUUUPRA_BUCKETS", "{media")
    environment.setenv("SUUUPRA_URL_CONTENT", "content:8000")
    environment.setenv("GATEWAY_TRUSTED_HOPS", "-1")
    with pytest.raises(SettingsError) as refused:
        settings.load(Settings)
    text = str(refused.value)
    assert "5 settings are wrong" in text
    assert "SUUUPRA_HTTP_PORT should be less than or equal to 65535" in text
    assert "SUUUPRA_LOG_LEVEL should be 'debug', 'info', 'warning' or 'error'" in text
    assert "SUUUPRA_BUCKETS must be JSON" in text
    assert "SUUUPRA_URL_CONTENT must begin with http:// or https://" in text
    assert "  GATEWAY_TRUSTED_HOPS should be greater than or equal to 0" in text


@pytest.mark.parametrize(
    "url",
    ["nonsense", "postgresql://web:hunter2@postgres", "mysql://web:hunter2@host/web", "postgresql://[x/y"],
)
def test_an_address_that_is_no_databases_is_told_without_its_password(
    environment: pytest.MonkeyPatch, url: str
) -> None:
    environment.setenv("SUUUPRA_DATABASE_URL", url)
    with pytest.raises(
        SettingsError, match=r"SUUUPRA_DATABASE_URL is not acceptable\. Set it to the database, postgresql://"
    ) as refused:
        settings.load(Settings)
    assert "hunter" not in str(refused.value)


@pytest.mark.parametrize("brokers", ["kafka", "kafka:", ":9092", "kafka:x", "kafka:70000", "kafka:9092,"])
def test_brokers_that_are_none_are_told(environment: pytest.MonkeyPatch, brokers: str) -> None:
    environment.setenv("SUUUPRA_KAFKA_BOOTSTRAP", brokers)
    with pytest.raises(SettingsError, match="SUUUPRA_KAFKA_BOOTSTRAP must be host:port of each broker"):
        settings.load(BusSettings)


@pytest.mark.parametrize("keys", [{}, {"SUUUPRA_JWKS": '{"keys": []}', "SUUUPRA_JWKS_URL": "http://login"}])
def test_keys_come_from_exactly_one_place(environment: pytest.MonkeyPatch, keys: dict[str, str]) -> None:
    environment.delenv("SUUUPRA_JWKS_URL")
    for name, value in keys.items():
        environment.setenv(name, value)
    with pytest.raises(SettingsError, match=r"exactly one of SUUUPRA_JWKS .* and SUUUPRA_JWKS_URL"):
        settings.load(Settings)


def test_secrets_are_never_shown(environment: pytest.MonkeyPatch) -> None:
    loaded = settings.load(Settings)
    assert "hunter" not in repr(loaded) + str(loaded) + loaded.model_dump_json()
    environment.setenv("SUUUPRA_HTTP_PORT", "hunter4")
    with pytest.raises(SettingsError) as refused:
        settings.load(Settings)
    assert "hunter" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.load(Settings).service = "other"  # type: ignore[misc]


def test_examples_stand_in_where_nothing_runs(environment: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        environment.delenv(name)
    assert settings.example(Settings, service="shop").service == "shop"
