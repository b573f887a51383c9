"""Where webhooks may go, and when they are tried again."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from services.payments.domain.webhooks import (
    GIVE_UP,
    PAUSES,
    Forbidden,
    check_address,
    check_resolved,
    delivered,
    next_try,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_m18_a_delivery_is_tried_with_growing_pauses_for_three_days() -> None:
    at, tries = NOW, 1
    while (due := next_try(NOW, tries, at)) is not None:
        assert due - at == PAUSES[tries - 1]
        at, tries = due, tries + 1
    assert tries == len(PAUSES) + 1
    assert GIVE_UP - timedelta(hours=1) < at - NOW <= GIVE_UP
    assert list(PAUSES) == sorted(PAUSES)


def test_m18_what_lay_still_for_three_days_is_given_up() -> None:
    assert next_try(NOW, 1, NOW + GIVE_UP) is None


@pytest.mark.parametrize(
    ("status", "took"), [(200, True), (204, True), (301, False), (400, False), (503, False)]
)
def test_only_2xx_is_a_delivery(status: int, took: bool) -> None:
    assert delivered(status) is took


PUBLIC = "https://hooks.example.com/suuupra"
HOSTILE = [
    "http://hooks.example.com/",
    "https://user:password@hooks.example.com/",
    "https://hooks.example.com/#fragment",
    "https://hooks.example.com:8000/",
    "https://hooks.example.com:99999/",
    "https://localhost/",
    "https://payments/",
    "https://payments.suuupra.svc/",
    "https://payments.suuupra.svc.cluster.local/",
    "https://metadata.google.internal/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[ff02::1]/",
    "ftp://hooks.example.com/",
    "https:///nowhere",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_a_guarded_endpoint_is_https_and_public(url: str) -> None:
    with pytest.raises(Forbidden):
        check_address(url, guarded=True)


def takes(url: str, *, guarded: bool) -> bool:
    with suppress(Forbidden):
        check_address(url, guarded=guarded)
        return True
    return False


def test_a_public_https_address_is_taken_and_on_a_developers_machine_any() -> None:
    assert takes(PUBLIC, guarded=True)
    assert takes("https://93.184.216.34/", guarded=True)
    assert takes("http://127.0.0.1:9999/hook", guarded=False)
    assert not takes("http://127.0.0.1:9999/hook", guarded=True)


@pytest.mark.parametrize("url", ["http://user@127.0.0.1/", "ftp://127.0.0.1/", "http:///", "http://[::1"])
def test_some_addresses_are_nowhere_taken(url: str) -> None:
    with pytest.raises(Forbidden):
        check_address(url, guarded=False)


@pytest.mark.parametrize(
    "addresses", [[], ["93.184.216.34", "10.0.0.1"], ["::1"], ["169.254.169.254"], ["fe80::1%eth0"]]
)
def test_a_name_that_stands_for_one_private_address_is_refused(addresses: list[str]) -> None:
    with pytest.raises(Forbidden):
        check_resolved(addresses)


def test_a_name_that_stands_for_public_addresses_is_taken() -> None:
    try:
        check_resolved(["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
    except Forbidden as refused:
        pytest.fail(str(refused))
