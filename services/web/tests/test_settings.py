"""What a resource may say to web."""

import pytest

from services.web.settings import Settings
from suuupra.settings import SettingsError, example

SELLER = {
    "SELLER_NAME": "Example Learning LLP",
    "SELLER_GSTIN": "29AAAAA0000A1Z5",
    "SELLER_ADDRESS": "1 Example Road, Bengaluru 560001",
}


def test_a_seller_is_named_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert example(Settings).seller is None
    for name, value in SELLER.items():
        monkeypatch.setenv(name, value)
    assert example(Settings).seller == tuple(SELLER.values())
    monkeypatch.delenv("SELLER_ADDRESS")
    with pytest.raises(SettingsError, match="SELLER_ADDRESS"):
        example(Settings)


def test_a_gstin_has_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SELLER, "SELLER_GSTIN": "29AAAAA0000A1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="SELLER_GSTIN"):
        example(Settings)
