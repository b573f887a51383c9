"""Posting as finance does, over the API."""

from functools import partial
from typing import Any
from uuid import uuid4

import httpx

from services.ledger.store import accounts, chain
from suuupra.db import Database
from suuupra.testing.waiting import insisted

LEDGER = "/v1/ledger"
CASH, SALES, RENT = "assets:cash:INR", "revenue:courses:INR", "expenses:rent:INR"


def leg(account: str, side: str, amount: int) -> dict[str, Any]:
    return {"account": account, "side": side, "amount_minor": amount}


def transfer(debited: str, credited: str, amount: int, currency: str = "INR") -> dict[str, Any]:
    """One debit, one credit."""
    return {"currency": currency, "legs": [leg(debited, "debit", amount), leg(credited, "credit", amount)]}


def body_of(*transfers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"description": "by hand", "transfers": list(transfers), **more}


class Books:
    """A caller who may read and post."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def send(self, path: str, body: dict[str, Any], *, key: str | None = None) -> httpx.Response:
        """POST with an Idempotency-Key of its own, unless one is given."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return await self.client.post(f"{LEDGER}{path}", json=body, headers=headers)

    async def insisted(self, path: str, body: dict[str, Any], *, key: str | None = None) -> httpx.Response:
        """As `send`, and again under that key for as long as it is told to come again."""
        return await insisted(partial(self.send, path, body, key=key or str(uuid4())))

    async def made(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to a POST that must work."""
        answer = await self.send(path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def get(self, path: str, **query: Any) -> Any:
        """The answer to a GET that must work."""
        answer = await self.client.get(f"{LEDGER}{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def open(self, *codes: str, **more: Any) -> None:
        """Accounts without bounds, unless some are given."""
        for code in codes:
            await self.made("/accounts", {"code": code, "name": code, **more})

    async def move(self, debited: str, credited: str, amount: int, **more: Any) -> Any:
        """A journal of one transfer."""
        currency = debited.rpartition(":")[2]
        return await self.made("/journals", body_of(transfer(debited, credited, amount, currency), **more))

    async def balance(self, code: str) -> Any:
        """An account's balance as of now."""
        return (await self.get(f"/accounts/{code}"))["balance"]

    async def refused(self, path: str, body: dict[str, Any]) -> tuple[int, str, list[str]]:
        """Status, slug and fields of a problem, after which nothing has changed."""
        before = await self.get("/head")
        answer = await self.send(path, body)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        assert await self.get("/head") == before
        problem = answer.json()
        assert all(error["rule"] and error["fix"] for error in problem["errors"])
        return (
            answer.status_code,
            problem["type"].rpartition(":")[2],
            [it["field"] for it in problem["errors"]],
        )


async def head_of(database: Database) -> chain.Head:
    async with database.reading() as tx:
        return await chain.read(tx)


async def balances_of(database: Database) -> dict[str, int]:
    """Each account's balance on its own side."""
    async with database.reading() as tx:
        book = await accounts.everything(tx)
    return {code: book.totals[code].balance(account.side) for code, account in book.accounts.items()}
