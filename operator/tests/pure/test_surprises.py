"""What no server should say ends nothing: the operator goes on with everything else."""

import asyncio
import json
from typing import Any, cast

import pytest
from suuupra_operator.errors import Unreachable
from suuupra_operator.monitor import Monitor
from suuupra_operator.vault import Account, Vault


class Page:
    """A proxy's answer in the name of the server behind it."""

    def __init__(self, status: int) -> None:
        self.status = status

    async def json(self, **_: Any) -> Any:
        return json.loads("<html><h1>Bad Gateway</h1></html>")


@pytest.mark.parametrize("status", [200, 502])
async def test_a_secret_store_that_answers_with_a_page_is_away(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    vault = Vault(cast("Any", None))
    vault._account = Account("http://openbao:8200", "operator", "secret")

    async def ask(*_: Any) -> Any:
        return await vault._answer(cast("Any", Page(status)))

    monkeypatch.setattr(vault, "_ask", ask)
    assert not await vault.refresh()
    assert f"it answers {status} with something else than JSON" in vault.problem
    with pytest.raises(Unreachable):
        await ask()


async def test_a_bulk_read_that_fails_in_an_unknown_way_is_followed_by_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reads = asyncio.Queue[None]()

    class Surprised(Monitor):
        async def read(self) -> None:
            reads.put_nowait(None)
            raise KeyError("what nobody thought of")

    absent = cast("Any", None)
    monitor = asyncio.ensure_future(
        Surprised(absent, absent, absent, absent, absent, absent, every=0.0).run()
    )
    async with asyncio.timeout(5):
        await reads.get()
        await reads.get()
    assert not monitor.done()
    monitor.cancel()
    assert "bulk read failed" in caplog.text
