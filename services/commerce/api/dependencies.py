"""What routes ask for."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from starlette.requests import Request

from services.commerce import contract
from services.commerce.settings import Settings
from services.commerce.store.orders import Filter
from services.commerce.usecases.checkout import Terms
from services.commerce.usecases.problems import no_user, refused
from services.commerce.usecases.products import Seller
from suuupra.app import resource
from suuupra.auth import MaybeUser, Principal, User, require_scope
from suuupra.db import Database
from suuupra.errors import Forbidden

Db = Annotated[Database, Depends(resource(Database))]


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


Told = Annotated[Settings, Depends(_settings)]
"""The service's settings."""


async def _terms(settings: Told) -> Terms:
    return Terms.of(settings)


OrderTerms = Annotated[Terms, Depends(_terms)]


def user_id_of(principal: Principal) -> UUID:
    """The id of a person's token, whose subject it is; Forbidden for another's."""
    try:
        return UUID(principal.subject)
    except ValueError:
        raise no_user() from None


async def _buyer(principal: User) -> UUID:
    return user_id_of(principal)


async def _maybe_buyer(principal: MaybeUser) -> UUID | None:
    return None if principal is None else user_id_of(principal)


Buyer = Annotated[UUID, Depends(_buyer)]
"""The signed-in user's id."""
MaybeBuyer = Annotated[UUID | None, Depends(_maybe_buyer)]
"""The signed-in user's id, or None for somebody who is not signed in."""


def seller_of(principal: Principal) -> Seller:
    """Who sells."""
    return Seller(principal.subject, "operator" in principal.roles)


async def _seller(principal: Annotated[Principal, Depends(require_scope("commerce:write"))]) -> Seller:
    return seller_of(principal)


Selling = Annotated[Seller, Depends(_seller)]
"""Somebody who may sell: their own products, see the use cases."""
Refunder = Annotated[Principal, Depends(require_scope("orders:refund"))]
"""Somebody who may give money back."""

READ_ORDERS = "orders:read"
"""The scope of those who may see anybody's orders."""


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which orders a list is to show."""

    status: Annotated[contract.OrderStatus | None, Query(description="Only those in this state.")] = None
    number: Annotated[str | None, Query(pattern=r"^SO-[0-9]{1,12}$", description="The order's number.")] = (
        None
    )
    payment_id: Annotated[UUID | None, Query(description="The order of this payment.")] = None
    user_id: Annotated[UUID | None, Query(description="Whose; your own when absent.")] = None
    everyone: Annotated[bool, Query(description="Of all users; needs the scope orders:read.")] = False

    def filter_for(self, principal: Principal) -> Filter:
        """What the caller may see of it. Raises Forbidden for others' orders without the scope."""
        support = READ_ORDERS in principal.scopes
        if support and (self.everyone or self.user_id or self.number or self.payment_id):
            return Filter(self.user_id, self.number, self.payment_id, self.status)
        own = user_id_of(principal)
        if self.everyone or self.user_id not in (None, own):
            field = "query.everyone" if self.everyone else "query.user_id"
            raise refused(Forbidden, field, f"needs the scope {READ_ORDERS}", "leave it out to see your own")
        return Filter(own, self.number, self.payment_id, self.status)
