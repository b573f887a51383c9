"""What every test beyond one service shares: the cluster that `make test` brought up, and its public address."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from bringup import clusters
from bringup.knobs import load
from bringup.tools import path as tool

from .cluster.banks import every_bank, settled_money
from .cluster.books import Ledger, assert_all_agree, assert_sound, finance_token, staff
from .cluster.kube import Kube
from .cluster.picture import shown

ROOT = Path(__file__).resolve().parents[1]
SETTLED_WITHIN = 60.0


@pytest.fixture(scope="session")
def kube() -> Kube:
    """The test cluster. SUUUPRA_TEST_KUBECONFIG names another, such as your own, when you know what you do."""
    own = clusters.of_tests(load(ROOT, os.environ)).kubeconfig
    kubeconfig = Path(os.environ.get("SUUUPRA_TEST_KUBECONFIG", own))
    if not kubeconfig.exists():
        pytest.fail(f"no cluster to test: {kubeconfig} is missing; `make test` brings one up and removes it")
    return Kube(Path(tool("kubectl")), kubeconfig)


@pytest.fixture(scope="session")
def platform_url() -> str:
    """Where the gateway of the test cluster answers, without a slash at the end."""
    knobs = load(ROOT, os.environ).for_tests()
    return os.environ.get("SUUUPRA_TEST_URL", knobs.public_url).rstrip("/")


@pytest.fixture(scope="session")
def books_that_balance(kube: Kube, platform_url: str) -> Iterator[None]:
    """For whoever pays: when all tests are done, money, ledger and every statement of every bank agree (M1)."""
    yield
    settled_money(every_bank(kube), SETTLED_WITHIN)
    with staff(platform_url, finance_token(kube)) as api:
        assert_all_agree(kube, Ledger(api))
        assert_sound(kube, Ledger(api))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.CallInfo[None], None]:
    """A failed cluster test shows the resources' conditions and the last words of pods that are not well."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    fixtures = getattr(item, "funcargs", {})
    if report.failed and "kube" in fixtures:
        report.sections.append(("the cluster at that moment", shown(fixtures["kube"])))
