"""What the switch sends."""

from typing import Any

from fastapi import APIRouter, Request

from services.bank_simulator.api.dependencies import Db, Means, SwitchKeys
from services.bank_simulator.usecases import messages
from services.upi_core import contract as upi
from suuupra.openapi import problems

router = APIRouter(tags=["rail"])

MESSAGE_LIMIT = 64 * 1024


@router.post(
    f"{upi.PATH}/{{api}}", status_code=202, responses=problems(401, 403, 409), max_body_size=MESSAGE_LIMIT
)
async def take_message(request: Request, db: Db, bank: Means, verifier: SwitchKeys, api: upi.Api) -> upi.Ack:
    """Take a message that the switch signed; see services/upi_core/contract.py."""
    body = await request.body()
    sender = await verifier.verify("POST", request.url.path, body, request.headers, bank.clock.now())
    return await messages.receive(db, bank, api, sender, body)


@router.get(upi.JWKS_PATH)
async def read_keys(bank: Means) -> dict[str, Any]:
    """The keys that the bank signs with (RFC 7517)."""
    return await bank.keyring.jwks()
