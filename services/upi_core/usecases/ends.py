"""Payments that began at one process of the switch and ended at another: the database tells the first."""

from typing import Final

from services.upi_core.store import transactions
from services.upi_core.usecases.admission import Admission
from suuupra.clock import Clock
from suuupra.db import Database
from suuupra.halting import Haltable
from suuupra.rounds import Rounds

ASK_SECONDS: Final = 1.0
"""How often is asked, and for how long a payment is under way before it is asked about: most have ended by then."""


class EndsElsewhere:
    """Gives back the places of payments that have ended, once a second, with one reading for all of them."""

    name = "ends-elsewhere"

    def __init__(self, database: Database, admission: Admission, clock: Clock) -> None:
        self._database = database
        self._admission = admission
        self._rounds = Rounds(self.name, database, clock)
        self._halt = Haltable(grace=ASK_SECONDS)

    async def run(self) -> None:
        """Ask until stop()."""
        await self._halt.run(self._rounds.run(self.look))

    async def stop(self) -> None:
        """Ask no more."""
        self._halt.halt()

    def health(self) -> str | None:
        """Always well: while nobody can be asked, places come back by their timer."""
        return None

    async def look(self) -> float:
        """Ask about what has not ended here; seconds until the next time."""
        if begun := self._admission.begun_before(ASK_SECONDS):
            async with self._database.reading() as tx:
                ended = await transactions.ended(tx, begun)
            self._admission.forget(ended)
        return ASK_SECONDS
