"""The journal as a stream: pages of the chain, each read by itself, so that no transaction lasts as long as a download."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from services.ledger.domain import exporting
from services.ledger.domain.exporting import Format
from services.ledger.store import accounts, chain, journals
from suuupra.db import Database

PAGE: Final = 500


async def export(
    database: Database, form: Format, begin: datetime | None, end: datetime | None
) -> AsyncIterator[bytes]:
    """Journals of a span of effective time, up to the last one there was at the beginning."""
    async with database.reading() as tx:
        up_to = (await chain.read(tx)).sequence
        book = await accounts.everything(tx)
    yield exporting.header(form, book.accounts.values()).encode()
    after = 0
    while True:
        async with database.reading() as tx:
            page = await journals.effective(tx, begin=begin, end=end, after=after, up_to=up_to, limit=PAGE)
        if not page:
            return
        yield exporting.rendered(form, page).encode()
        after = page[-1].sequence
