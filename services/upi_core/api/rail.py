"""What participants and the operator call, by cluster DNS; the gateway routes none of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.upi_core import contract
from services.upi_core.api.dependencies import Db, Means
from services.upi_core.usecases import joining, messages, settling
from services.upi_core.usecases.problems import ManyArePaying
from suuupra.openapi import problems
from suuupra.signatures import Verifier

router = APIRouter(tags=["rail"])

MESSAGE_LIMIT = 64 * 1024
"""Bytes of a message: a ReqPay has about 1,500."""
TxnId = Annotated[contract.TxnId, Path(description="The transaction's id.")]
Code = Annotated[contract.ParticipantCode, Path(description="The participant's code, for example asha.")]


@router.post(
    f"{contract.PATH}/{{api}}",
    status_code=202,
    responses=problems(401, 403, 409, ManyArePaying),
    max_body_size=MESSAGE_LIMIT,
)
async def take_message(request: Request, db: Db, rail: Means, api: contract.Api) -> contract.Ack:
    """Take a participant's signed message; see contract.py for which, and for what is answered.

    Only of a ReqPay that begins a payment there may be too many at once; it is to be sent again, the same.
    """
    body = await request.body()
    verifier = Verifier(rail.directory.key)
    sender = await verifier.verify("POST", request.url.path, body, request.headers, rail.clock.now())
    return await messages.receive(db, rail, api, sender, body)


@router.put("/internal/v1/participants/{code}", responses=problems(401, 409), max_body_size=1024 * 1024)
async def register_participant(request: Request, db: Db, rail: Means, code: Code) -> contract.Registered:
    """Take part, or change how. Signed with a key that is known already, or by a newcomer with one it brings."""
    body = await request.body()
    try:
        registration = contract.Registration.model_validate_json(body)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None
    return await joining.register(
        db, rail, code, registration, path=request.url.path, body=body, headers=request.headers
    )


@router.delete("/internal/v1/participants/{code}", status_code=204)
async def remove_participant(db: Db, rail: Means, code: Code) -> None:
    """Take part no more."""
    async with db.transaction() as tx:
        await joining.remove(tx, rail, code)


@router.get("/internal/v1/participants")
async def list_participants(db: Db, rail: Means) -> contract.Participants:
    """How each participant does: its health, and the share of what it was asked that it answered well."""
    async with db.reading() as tx:
        return await joining.status(tx, rail)


@router.post("/internal/v1/transactions/{txn_id}/settlement", responses=problems(404, 409))
async def settle_transaction(
    db: Db, rail: Means, txn_id: TxnId, wanted: contract.Settlement
) -> contract.TransactionView:
    """End a dispute by what people found out; only from inside the cluster."""
    async with db.transaction() as tx:
        return await settling.settle(tx, rail, txn_id, wanted)


@router.get(contract.JWKS_PATH)
async def read_keys(rail: Means) -> dict[str, Any]:
    """The keys that the switch signs with (RFC 7517)."""
    return await rail.keyring.jwks()
