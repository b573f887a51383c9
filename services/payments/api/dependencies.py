"""What routes ask for."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from services.payments.clients.feed import Feed
from services.payments.clients.keys import Keys
from services.payments.clients.rails import RailBook
from services.payments.clients.switch import Reply, Switches
from services.payments.settings import Settings
from services.payments.usecases.changing import Change
from services.payments.usecases.mailing import Letter, RailPost
from suuupra.app import current_clock, resource
from suuupra.auth import Principal, require_scope
from suuupra.clock import Clock
from suuupra.courier import Courier
from suuupra.db import Database, Transaction

REFUND: Any = require_scope("payments:refund")
WEBHOOKS: Any = require_scope("payments:webhooks")

Db = Annotated[Database, Depends(resource(Database))]
TheFeed = Annotated[Feed, Depends(resource(Feed))]
TheKeys = Annotated[Keys, Depends(resource(Keys))]
TheSwitches = Annotated[Switches, Depends(resource(Switches))]
Refunder = Annotated[Principal, Depends(REFUND)]
"""Somebody of finance."""
Integrator = Annotated[Principal, Depends(WEBHOOKS)]
"""Somebody who may say where events are sent."""
OVERSEEING = frozenset({"payments:refund", "orders:read"})
"""Scopes of those who see everybody's payments: finance, support, operators."""


def oversees(caller: Principal) -> bool:
    """Whether the caller sees payments of others."""
    return bool(OVERSEEING & set(caller.scopes))


@dataclass(frozen=True, slots=True)
class Desk:
    """What a change of a payment needs, besides its transaction."""

    settings: Settings
    keys: Keys
    clock: Clock
    post: RailPost
    courier: Courier[Letter, Reply]

    async def change(self, tx: Transaction, *, mine: bool = False) -> Change:
        """A change in `tx`, with a key to sign links with."""
        return Change(tx, await self.book(), self.clock.now(), mine=mine)

    async def book(self) -> RailBook:
        """The rails."""
        return RailBook(self.settings, (await self.keys.ring()).signing)


async def _desk(
    request: Request,
    keys: Annotated[Keys, Depends(resource(Keys))],
    clock: Annotated[Clock, Depends(current_clock)],
) -> Desk:
    state = request.app.state
    return Desk(state.settings, keys, clock, state.rail_post, state.rail_courier)


TheDesk = Annotated[Desk, Depends(_desk)]
