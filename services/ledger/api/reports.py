"""The trial balance, and the journal as a file."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from services.ledger import contract
from services.ledger.api.dependencies import Begin, Db, EffectiveAt, End, Reader, UpTo
from services.ledger.domain.exporting import Format
from services.ledger.usecases import exporting, reports

router = APIRouter(prefix="/v1/ledger", tags=["reports"])

_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/x-ndjson",
    "hledger": "text/plain; charset=utf-8",
}
_WHOLE: Final = (
    "The journals. The file is whole when its body ends in order (chunked: with the last chunk). When the database goes"
    " away midway the connection is closed instead, and a client reports a transfer that is not complete (curl: exit 18)."
)
_ENDINGS: Final = {"csv": "csv", "json": "jsonl", "hledger": "journal"}


@router.get("/trial-balance")
async def read_trial_balance(
    db: Db,
    reader: Reader,
    effective_at: EffectiveAt = None,
    up_to: UpTo = None,
    currency: Annotated[contract.Currency | None, Query(description="Only this currency.")] = None,
) -> contract.TrialBalance:
    """Every account's debits and credits, by currency; the totals of both sides are equal."""
    async with db.reading() as tx:
        return await reports.trial_balance(tx, effective_at, up_to, currency)


@router.get(
    "/export",
    response_class=Response,
    responses={200: {"description": _WHOLE, "content": {kind: {} for kind in _TYPES.values()}}},
)
async def export_journal(
    db: Db,
    reader: Reader,
    format: Annotated[
        Format, Query(description="csv, json (a sealed record per line) or hledger (plain text accounting).")
    ] = "csv",
    begin: Begin = None,
    end: End = None,
) -> StreamingResponse:
    """The journal, or a span of effective time of it, as a file.

    One that was cut off is to be thrown away and asked for anew: nothing can be asked for from the middle on.
    """
    pages = exporting.export(db, format, begin, end)
    first = await anext(
        pages
    )  # before anything is answered: a database that is away is a 503, not a broken file
    name = f'attachment; filename="ledger.{_ENDINGS[format]}"'
    return StreamingResponse(
        _all(first, pages), media_type=_TYPES[format], headers={"Content-Disposition": name}
    )


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for page in rest:
        yield page
