"""What a resource may say to payments."""

import pytest

from services.payments.settings import Settings
from suuupra import settings
from suuupra.settings import SettingsError


def test_the_life_of_an_attempt_is_said_by_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEMPT_SECONDS", "45")
    monkeypatch.setenv("MERCHANT_CODE", "shop")
    found = settings.example(Settings)
    assert (found.attempt_seconds, found.merchant_code) == (45, "shop")


def test_an_attempt_that_nobody_has_time_for_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATTEMPT_SECONDS", "5")
    with pytest.raises(SettingsError, match="ATTEMPT_SECONDS"):
        settings.example(Settings)
