"""What routes ask for: the services web stands on, and who is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi import Path as PathParameter

from services.web.api import visitors
from services.web.api.cookies import CART, SESSION
from services.web.clients.calling import SignInNeeded
from services.web.clients.commerce import Commerce
from services.web.clients.content import Content, Reader
from services.web.clients.identity import Identity, IdentityAway
from services.web.clients.ledger import Ledger
from services.web.clients.notifications import Notifications
from services.web.clients.payments import Payments
from services.web.clients.rail import Rail
from services.web.domain.sessions import Viewer
from services.web.usecases.sessions import Sessions
from suuupra import errors
from suuupra.app import resource
from suuupra.db import DatabaseUnavailable

Accounts = Annotated[Sessions, Depends(resource(Sessions))]
Provider = Annotated[Identity, Depends(resource(Identity))]
Courses = Annotated[Content, Depends(resource(Content))]
Shop = Annotated[Commerce, Depends(resource(Commerce))]
Till = Annotated[Payments, Depends(resource(Payments))]
Books = Annotated[Ledger, Depends(resource(Ledger))]
RailDesk = Annotated[Rail, Depends(resource(Rail))]
Post = Annotated[Notifications, Depends(resource(Notifications))]

Visitor = Annotated[UUID | None, Depends(visitors.visitor_of)]
Slug = Annotated[str, PathParameter(min_length=1, max_length=200)]


@dataclass(frozen=True)
class Found:
    """What the session's cookie led to; `away` when that could not be told."""

    viewer: Viewer | None
    away: errors.Problem | None = None
    ended: bool = False
    """There was a session, and it is over."""


async def found(request: Request, accounts: Accounts) -> Found:
    """Who sends the request."""
    secret = SESSION.of(request)
    if secret is None:
        return Found(None)
    try:
        viewer = await accounts.viewer(secret)
    except (IdentityAway, DatabaseUnavailable) as problem:
        return Found(None, problem)
    request.state.viewer = viewer
    return Found(viewer, ended=viewer is None)


Asker = Annotated[Found, Depends(found)]


async def maybe_viewer(asker: Asker) -> Viewer | None:
    """Who is signed in; nobody also while that cannot be told, for courses can be read by anybody."""
    return asker.viewer


async def signed_in(asker: Asker) -> Viewer:
    """Who is signed in; SignInNeeded, or what is away."""
    if asker.away:
        raise asker.away
    if asker.viewer is None:
        raise SignInNeeded
    return asker.viewer


async def kept_session(asker: Asker) -> None:
    """For what a person and a visitor both may do: whoever was signed in signs in again, or theirs would seem gone."""
    if asker.away:
        raise asker.away
    if asker.ended:
        raise SignInNeeded


async def bearer(asker: Asker) -> str | None:
    """The person's token, if there is one."""
    return asker.viewer.bearer if asker.viewer else None


MaybeViewer = Annotated[Viewer | None, Depends(maybe_viewer)]
SignedIn = Annotated[Viewer, Depends(signed_in)]


async def reader(viewer: MaybeViewer, visitor: Visitor) -> Reader:
    """Who reads: a person, a visitor, or nobody that we know."""
    return Reader(bearer=viewer.bearer if viewer else None, visitor=visitor)


async def cart_id(request: Request) -> str | None:
    """The cart that the browser has."""
    return CART.of(request)


Learner = Annotated[Reader, Depends(reader)]
Bearer = Annotated[str | None, Depends(bearer)]
CartId = Annotated[str | None, Depends(cart_id)]
