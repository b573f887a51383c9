"""What routes ask for."""

from datetime import timedelta
from typing import Annotated, cast

from fastapi import Depends, Request

from services.identity.settings import Settings
from services.identity.usecases.authorizing import Desk
from services.identity.usecases.hashing import Hasher
from services.identity.usecases.keyring import KeyRing
from services.identity.usecases.world import Rules
from suuupra.app import resource
from suuupra.db import Database
from suuupra.resources import Resources

Db = Annotated[Database, Depends(resource(Database))]
Passwords = Annotated[Hasher, Depends(resource(Hasher))]


def settings_of(request: Request) -> Settings:
    """The settings of the application."""
    return cast(Settings, request.app.state.settings)


async def _desk(request: Request) -> Desk:
    state = request.app.state
    resources: Resources = state.resources
    ring = await resources.get(KeyRing).current()
    return Desk(resources.get(Database), ring, Rules.of(state.settings), state.clock)


AtDesk = Annotated[Desk, Depends(_desk)]
"""What the protocol is carried out with; 503 before the signing keys were ever read."""


def session_life(request: Request) -> timedelta:
    """How long somebody stays signed in."""
    return settings_of(request).session_life
