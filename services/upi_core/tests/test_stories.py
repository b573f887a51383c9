"""Who may read what became of a payment."""

import pytest

from services.upi_core.tests.town import Town
from suuupra.testing.issuer import Issuer

pytestmark = pytest.mark.integration


async def test_transactions_are_for_whoever_reads_orders_and_disputes_for_whoever_runs_the_platform(
    town: Town, issuer: Issuer
) -> None:
    paid = await town.pay("R1")
    seen = {}
    for role in ("learner", "finance", "support", "operator"):
        headers = {"Authorization": f"Bearer {issuer.mint(role, clock=town.clock)}"}
        found = await town.http.get("/v1/upi/transactions", params={"ref_id": "R1"}, headers=headers)
        one = await town.http.get(f"/v1/upi/transactions/{paid['id']}", headers=headers)
        disputes = await town.http.get("/v1/upi/disputes", headers=headers)
        seen[role] = (found.status_code, one.status_code, disputes.status_code)
    assert seen == {
        "learner": (403, 403, 403),
        "finance": (200, 200, 403),
        "support": (200, 200, 200),
        "operator": (200, 200, 200),
    }
    for path in (f"/v1/upi/transactions/{paid['id']}", "/v1/upi/disputes"):
        assert (await town.http.get(path)).status_code == 401
