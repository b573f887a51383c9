"""What routes ask for."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from services.notifications.usecases.letters import Letters
from suuupra.app import resource
from suuupra.auth import User
from suuupra.db import Database
from suuupra.errors import FieldError, Forbidden

Db = Annotated[Database, Depends(resource(Database))]


async def _letters(request: Request) -> Letters:
    letters: Letters = request.app.state.letters
    return letters


Writing = Annotated[Letters, Depends(_letters)]


async def _user_id(user: User) -> UUID:
    try:
        return UUID(user.subject)
    except ValueError as error:
        wrong = FieldError(
            "header.Authorization", "must be a person's token", "sign in as somebody with an account"
        )
        raise Forbidden("Only people have an inbox.", errors=[wrong]) from error


Me = Annotated[UUID, Depends(_user_id)]
"""The user whose token it is."""
