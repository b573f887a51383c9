"""The user's own account, over the API."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.identity.api.dependencies import Db
from services.identity.contract import UserPatch, UserView
from services.identity.domain.accounts import Account
from services.identity.usecases import people
from suuupra.app import Now
from suuupra.auth import User
from suuupra.etags import IfMatch, etag_of, not_modified

router = APIRouter(prefix="/v1/users", tags=["users"])


def _answer(account: Account, response: Response) -> UserView:
    response.headers["ETag"] = etag_of(account.version)
    response.headers["Cache-Control"] = "private, no-cache"
    return people.view(account)


@router.get("/me", response_model=UserView)
async def me(db: Db, user: User, request: Request, response: Response) -> Response | UserView:
    """The account of whoever asks."""
    async with db.reading() as tx:
        account = await people.me(tx, user.subject)
    return not_modified(request, etag_of(account.version)) or _answer(account, response)


@router.patch("/me")
async def describe(
    db: Db,
    clock: Now,
    user: User,
    patch: UserPatch,
    precondition: IfMatch,
    response: Response,
) -> UserView:
    """Change one's name or language."""
    async with db.transaction() as tx:
        account = await people.describe(tx, clock, user.subject, patch, precondition)
    return _answer(account, response)
