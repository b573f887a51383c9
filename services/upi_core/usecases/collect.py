"""Collect requests: the payee asks, the payer's app shows it until it is approved, declined or expired (U69)."""

from datetime import datetime
from typing import Final

from services.upi_core.store import requests
from services.upi_core.store.requests import PaymentRequest
from services.upi_core.store.transactions import Txn
from services.upi_core.usecases import steps
from services.upi_core.usecases.rail import Rail
from suuupra.db import Transaction
from suuupra.ids import new_id

EXPIRES: Final = "collect"


async def ask_payer(tx: Transaction, rail: Rail, txn: Txn) -> None:
    """Put the request on the payer's phone; its timer ends it."""
    now: datetime = rail.clock.now()
    request = PaymentRequest(
        id=new_id(),
        txn_id=txn.id,
        payer_vpa=txn.payer.vpa,
        payee_vpa=txn.payee.vpa,
        payee_name=txn.payee.name,
        payee_mcc=txn.payee_mcc,
        verified=True,  # the payee's PSP signed the message
        amount_minor=txn.amount_minor,
        note=txn.note,
        ref_id=txn.ref_id,
        mode=txn.mode,
        origin="collect",
        state="pending",
        expires_at=txn.expires_at,
        created_at=now,
    )
    await requests.add(tx, request)
    await steps.start_timer(tx, rail, txn.id, EXPIRES, txn.expires_at - now, first=True)
