"""For the operator and for rails, by cluster DNS. The gateway routes nothing under /internal."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError

from services.payments import contract
from services.payments.api.dependencies import Db, Desk, TheDesk, TheSwitches
from services.payments.clients.signers import SignedBy, publishes
from services.payments.store import rails as store
from services.payments.usecases import rails, upi
from services.payments.usecases.mailing import Letter
from services.payments.usecases.upi import Conversation
from services.upi_core.contract import MESSAGES, PATH, SWITCH, Ack, Api, Code, Message, MessageRefused
from suuupra.app import Now
from suuupra.db import Database
from suuupra.errors import FieldError, Invalid, not_found
from suuupra.pagination import Page
from suuupra.signatures import BadSignature, Verifier

router = APIRouter(tags=["internal"])

RailName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="The rail's resource.")]


@router.put("/internal/v1/rails/{name}")
async def put_rail(
    db: Db, desk: TheDesk, name: RailName, wanted: contract.RailRegistration
) -> contract.RailView:
    """A rail is there, or has changed. We then register with its switch, and go on trying until it takes us."""
    ring, book = await desk.keys.ring(), await desk.book()
    async with db.transaction() as tx:
        return await rails.put(tx, book, ring, name, wanted, desk.clock.now())


@router.get("/internal/v1/rails/{name}")
async def read_rail(db: Db, desk: TheDesk, name: RailName) -> contract.RailView:
    """A rail, and whether its switch has taken us in."""
    book = await desk.book()
    async with db.reading() as tx:
        row = await store.rail(tx, name)
    if row is None or row.removed_at is not None:
        raise not_found("rail", name, "path.name")
    return rails.view(book, row)


@router.delete("/internal/v1/rails/{name}", status_code=204)
async def remove_rail(db: Db, clock: Now, name: RailName) -> None:
    """A rail is no more: it takes no attempts. What still has to be said over it waits until it is back."""
    async with db.transaction() as tx:
        await rails.remove(tx, name, clock.now())


@router.get("/internal/v1/rails")
async def list_rails(db: Db, desk: TheDesk) -> Page[contract.RailView]:
    """Rails, and whether their switch has taken us in."""
    book = await desk.book()
    async with db.reading() as tx:
        return Page(items=[rails.view(book, row) for row in await store.all_rails(tx)])


@router.post(PATH + "/{api}")
async def take_message(
    request: Request, db: Db, clock: Now, desk: TheDesk, switches: TheSwitches, api: Api
) -> Ack:
    """A message of a switch: acknowledged at once, answered later. Raises BadSignature, Invalid."""
    body = await request.body()
    signed = SignedBy(db, switches, clock, request.app.state.switch_keys)
    sender = await Verifier(signed.find).verify(
        request.method, request.url.path, body, request.headers, clock.now()
    )
    if signed.rail is None or sender != SWITCH:
        raise BadSignature("must be the switch's")
    return await _take(db, desk, signed, sender, api, body, _read(api, body))


def _read(api: Api, body: bytes) -> Message:
    try:
        return MESSAGES[api].model_validate_json(body)
    except ValidationError as error:
        faults = [
            FieldError(
                ".".join(map(str, ("body", *it["loc"]))), it["msg"], f"send a {api} as the contract says"
            )
            for it in error.errors(include_input=False, include_url=False)[:20]
        ]
        raise Invalid(f"This is no {api}.", errors=faults) from error


async def _take(
    db: Database, desk: Desk, signed: SignedBy, sender: str, api: Api, body: bytes, message: Message
) -> Ack:
    """One transaction; what is to be said in return goes out when it is over. Raises MessageRefused after it."""
    book = await desk.book()
    async with db.transaction() as tx:
        row = await store.rail(tx, signed.rail or "")
        if row is None or not publishes(row.keys, signed.kid):
            raise BadSignature("must be by a key that its sender has registered")
        change = await desk.change(tx, mine=True)
        rail = book.rail_of(row)
        refused = await upi.receive(Conversation(change, rail, sender), api, body, message)
    for sent in change.sent:
        desk.courier.submit(Letter(sent, rail.registration.url))
    head: Any = message
    if refused is not None:
        raise MessageRefused(refused, "body.head.msg_id" if refused is Code.DUPLICATE else None)
    return Ack(api=api, req_msg_id=head.head.msg_id, ts=desk.clock.now())
