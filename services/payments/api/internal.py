"""For the operator and for rails, by cluster DNS. The gateway routes nothing under /internal."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from joserfc.jwk import ECKey, Key, KeySet
from pydantic import ValidationError

from services.payments import contract
from services.payments.api.dependencies import Db, Desk, TheDesk, TheSwitches
from services.payments.clients.rails import RailBook
from services.payments.clients.switch import Switches
from services.payments.store import rails as store
from services.payments.store.tables import RailRow
from services.payments.usecases import rails, upi
from services.payments.usecases.problems import not_found
from services.payments.usecases.upi import Conversation
from services.upi_core.contract import MESSAGES, PATH, SWITCH, Ack, Api, Message
from suuupra.app import Now
from suuupra.db import Database
from suuupra.errors import FieldError, Invalid
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
    if row is None:
        raise not_found("rail", name, "path.name")
    return rails.view(book, row)


@router.delete("/internal/v1/rails/{name}", status_code=204)
async def remove_rail(db: Db, name: RailName) -> None:
    """A rail is no more: it takes no attempts. What still has to be said over it waits until it is back."""
    async with db.transaction() as tx:
        await rails.remove(tx, name)


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
    signed = _Signed(db, switches)
    sender = await Verifier(signed.find).verify(
        request.method, request.url.path, body, request.headers, clock.now()
    )
    if signed.rail is None or sender != SWITCH:
        raise BadSignature("must be the switch's")
    message = _read(api, body)
    return await _take(db, desk, signed.rail, sender, api, body, message)


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
    db: Database, desk: Desk, row: RailRow, sender: str, api: Api, body: bytes, message: Message
) -> Ack:
    """One transaction; what is to be said in return goes out when it is over."""
    async with db.transaction() as tx:
        change = await desk.change(tx, mine=True)
        book: RailBook = await desk.book()
        refused = await upi.receive(Conversation(change, book.rail_of(row), sender), api, body, message)
        await tx.flush()
        letters = await desk.post.letters(tx, [it.id for it in change.sent])
    for letter in letters:
        desk.courier.submit(letter)
    head: Any = message
    return Ack(api=api, req_msg_id=head.head.msg_id, ts=desk.clock.now(), err=refused)


class _Signed:
    """Finds the rail whose switch has a key: each switch signs with its own."""

    def __init__(self, db: Database, switches: Switches) -> None:
        self._db = db
        self._switches = switches
        self.rail: RailRow | None = None

    async def find(self, _sender: str, kid: str) -> Key | None:
        """The key of that id, of a rail that we take part in."""
        async with self._db.reading() as tx:
            rows = await store.all_rails(tx)
        for row in rows:
            if (key := _key(row.keys, kid)) is not None:
                self.rail = row
                return key
        return await self._renewed(rows, kid)

    async def _renewed(self, rows: Any, kid: str) -> Key | None:
        """A switch may sign with a key that it has only just published."""
        for row in rows:
            if row.registered_at is None:
                continue
            found = await self._switches.keys(contract.RailRegistration.model_validate(row.registration).url)
            if (key := _key(found, kid)) is not None:
                async with self._db.transaction() as tx:
                    kept = await store.lock_rail(tx, row.name)
                    if kept is not None:
                        kept.keys = found
                self.rail = row
                return key
        return None


def _key(jwks: dict[str, Any] | None, kid: str) -> Key | None:
    if not jwks:
        return None
    for key in KeySet.import_key_set(jwks).keys:  # type: ignore[arg-type]
        if key.kid == kid and isinstance(key, ECKey):
            return key
    return None
