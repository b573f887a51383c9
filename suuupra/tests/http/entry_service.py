"""A service that takes entries, for the tests of what happens when a request comes twice."""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel
from sqlalchemy import text

from suuupra.app import resource
from suuupra.db import Database, Transaction
from suuupra.errors import Conflict
from suuupra.idempotency import OptionalKey, RequiredKey

Db = Annotated[Database, Depends(resource(Database))]
router = APIRouter()


class Entry(BaseModel):
    title: str


class Entered(BaseModel):
    title: str
    number: int


class Doors:
    """Where an effect waits, so that a test can look while it runs."""

    def __init__(self) -> None:
        self.entered, self.leave = asyncio.Event(), asyncio.Event()
        self.leave.set()


doors = Doors()


async def _enter(tx: Transaction, entry: Entry) -> Entered:
    await tx.execute(text("INSERT INTO entry VALUES (:title)"), {"title": entry.title})
    number = await tx.scalar(text("SELECT count(*) FROM entry"))
    doors.entered.set()
    await doors.leave.wait()
    if entry.title == "refused":
        raise Conflict("Not this one.")
    if entry.title == "killed":
        await tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    return Entered(title=entry.title, number=number or 0)


@router.post("/entries", status_code=201, response_model=Entered)
async def enter(entry: Entry, db: Db, once: RequiredKey) -> Response:
    return await once.answer(
        db, partial(_enter, entry=entry), headers=lambda e: {"Location": f"/entries/{e.number}"}
    )


@router.post("/maybe", status_code=201, response_model=Entered)
async def maybe(entry: Entry, db: Db, once: OptionalKey) -> Response:
    return await once.answer(db, partial(_enter, entry=entry))


async def _nothing(tx: Transaction) -> None:
    await tx.execute(text("DELETE FROM entry"))


@router.delete("/entries", status_code=204)
async def clear(db: Db, once: RequiredKey) -> Response:
    return await once.answer(db, _nothing, status=204)
