"""What a user wants to hear."""

from fastapi import APIRouter, Response

from services.notifications import contract
from services.notifications.api.dependencies import Db, Me
from services.notifications.usecases import choosing
from suuupra.etags import IfMatch, etag_of

router = APIRouter(prefix="/v1/notification-preferences", tags=["preferences"])


@router.get("")
async def read_preferences(db: Db, me: Me, response: Response) -> contract.Preferences:
    """What you are told, where, and in which language."""
    async with db.reading() as tx:
        shown, version = await choosing.read(tx, me)
    response.headers["ETag"] = etag_of(version)
    return shown


@router.patch("")
async def change_preferences(
    db: Db, me: Me, match: IfMatch, wanted: contract.PreferencesChange, response: Response
) -> contract.Preferences:
    """Change some of it. Receipts by mail cannot be switched off."""
    async with db.transaction() as tx:
        shown, version = await choosing.change(tx, me, wanted, match)
    response.headers["ETag"] = etag_of(version)
    return shown
