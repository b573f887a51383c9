"""Participants come, change, go, and are asked whether they are there."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key

from services.upi_core.contract import (
    SWITCH,
    Api,
    Code,
    Participants,
    ParticipantStatus,
    Registered,
    Registration,
)
from services.upi_core.domain import writing
from services.upi_core.store import participants
from services.upi_core.store.participants import Participant, Share
from services.upi_core.usecases.problems import address_taken, not_found
from services.upi_core.usecases.rail import PHONE, Rail
from suuupra import db, jwks, schedule
from suuupra.db import Database, Transaction
from suuupra.errors import invalid
from suuupra.signatures import Verifier, public_jwks

HEARTBEAT: Final = "heartbeat"
SHARE_OVER: Final = timedelta(minutes=5)
"""Over how long shares are taken."""
MISSED: Final = 3
"""Heartbeats without answer after which a participant counts as down."""
TECHNICAL: Final = (Code.SYSTEM.value, Code.PAYER_BANK_DOWN.value, Code.PAYEE_BANK_DOWN.value)
"""Answers that are the bank's own fault; a customer without money is none."""
_FIX: Final = "send the public key as a JSON Web Key"


async def register(
    database: Database,
    rail: Rail,
    code: str,
    registration: Registration,
    *,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
) -> Registered:
    """The participant takes part as it says. Who is known already must sign with a key that is known already."""
    if code in (SWITCH, PHONE):
        raise invalid("path.code", "must not be the switch's own", "choose another code")
    keys = _keys(registration)
    encryption = _encryption(registration)
    now = rail.clock.now()
    taken = {"participant_handle_key": address_taken("body.handle", f"The handle {registration.handle}")}
    with db.conflict(taken):
        async with database.transaction() as tx:
            known = await participants.lock(tx, code)
            await _check_signature(known, code, keys, path, body, headers, now)
            public = public_jwks(keys.values())
            accepted = registration.model_copy(update={"encryption": encryption})
            await participants.save(tx, code, accepted, public, now)
            for address in registration.addresses:
                if not await participants.save_address(tx, code, address):
                    raise address_taken("body.addresses", f"The address {address.vpa}")
            await schedule.put(tx, HEARTBEAT, code, now)
    rail.directory.drop()
    return Registered(code=code, switch=SWITCH, switch_jwks=await rail.keyring.jwks())


def _keys(registration: Registration) -> Mapping[str, Key]:
    try:
        return jwks.parse(json.dumps(registration.jwks))
    except jwks.InvalidKeys as error:
        raise invalid("body.jwks", f"must be a key set: {error}", _FIX) from None


def _encryption(registration: Registration) -> dict[str, Any] | None:
    """Its public half, whatever was sent."""
    if registration.encryption is None:
        return None
    try:
        key = ECKey.import_key(registration.encryption)
        return dict(key.as_dict(private=False))
    except (JoseError, ValueError, TypeError, KeyError):
        raise invalid("body.encryption", "must be a public key on the curve P-256", _FIX) from None


async def _check_signature(
    known: Participant | None,
    code: str,
    offered: Mapping[str, Key],
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    now: datetime,
) -> None:
    trusted = offered if known is None or not known.active else jwks.parse(json.dumps(known.jwks))

    async def find(sender: str, kid: str) -> Key | None:
        return trusted.get(kid) if sender == code else None

    await Verifier(find).verify("PUT", path, body, headers, now)


async def remove(tx: Transaction, rail: Rail, code: str) -> None:
    """The participant takes part no more. What is under way with it ends as its timers say."""
    if await participants.lock(tx, code) is None:
        raise not_found("participant", code)
    await participants.remove(tx, code)
    await schedule.cancel(tx, HEARTBEAT, code)
    tx.when_committed(rail.directory.drop)


async def beat(tx: Transaction, rail: Rail, code: str) -> None:
    """Ask whether it is there, and come back for it."""
    now = rail.clock.now()
    every = rail.rules.scaled(rail.rules.heartbeat_every)
    if await participants.asked(tx, code, now):
        await rail.post(tx, code, Api.REQ_HBT, writing.heartbeat(now), expires_at=now + every)
        await schedule.put(tx, HEARTBEAT, code, now + every)


async def status(tx: Transaction, rail: Rail) -> Participants:
    """How each participant does."""
    now = rail.clock.now()
    # A leg that was just sent has not failed to be answered.
    until = now - rail.rules.scaled(rail.rules.pay_timer)
    shares = await participants.shares(tx, until - SHARE_OVER, until, TECHNICAL)
    everyone = await participants.everyone(tx)
    return Participants(
        items=[_status(rail, one, shares.get(one.code), now) for one in everyone if one.active]
    )


def _status(rail: Rail, one: Participant, share: Share | None, now: datetime) -> ParticipantStatus:
    silence = rail.rules.scaled(rail.rules.heartbeat_every) * MISSED
    state = "unknown"
    if one.beat_at is not None:
        state = "up" if now - one.beat_at <= silence else "down"
    requests = share.requests if share else 0
    return ParticipantStatus.model_validate(
        {
            "code": one.code,
            "name": one.name,
            "kind": one.kind,
            "state": state,
            "last_heartbeat_at": one.beat_at,
            "requests": requests,
            "success_share": (share.answered - share.technical) / requests if share and requests else None,
            "timeout_share": (requests - share.answered) / requests if share and requests else None,
        }
    )
