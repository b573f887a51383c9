"""Endpoints for webhooks, and the log of their deliveries."""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from services.payments import contract
from services.payments.clients.keys import KeyRing
from services.payments.domain.webhooks import Forbidden, check_address
from services.payments.store import webhooks as store
from services.payments.store.tables import DeliveryRow, EndpointRow
from services.payments.usecases.problems import DeliveryUnderWay, EndpointTaken
from suuupra.db import Transaction
from suuupra.errors import FieldError, invalid, not_found
from suuupra.etags import Precondition
from suuupra.ids import new_id

SECRET_BYTES: Final = 32
OVERLAP: Final = timedelta(hours=24)
"""How long a secret that was replaced still signs beside the new one, so that receivers can change over."""


async def create(
    tx: Transaction, ring: KeyRing, by: str, new: contract.NewEndpoint, now: datetime, *, guarded: bool
) -> contract.EndpointWithSecret:
    """A new endpoint with its secret, which is shown here and never again."""
    await _check(tx, new.url, None, guarded=guarded)
    secret = new_secret()
    row = EndpointRow(
        id=new_id(),
        url=new.url,
        events=sorted(set(new.events)),
        description=new.description,
        enabled=True,
        secrets=[{"sealed": ring.seal(secret)}],
        created_by=by,
        created_at=now,
        version=1,
    )
    tx.add(row)
    await tx.flush()
    return contract.EndpointWithSecret(**view(row).model_dump(), secret=secret)


def new_secret() -> str:
    """A Standard Webhooks secret."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


async def _check(tx: Transaction, url: str, own: UUID | None, *, guarded: bool) -> None:
    try:
        check_address(url, guarded=guarded)
    except Forbidden as rule:
        raise invalid("body.url", str(rule), "send a public https address") from rule
    if await store.taken(tx, url, own):
        error = FieldError("body.url", "must be new", "change the endpoint that is there")
        raise EndpointTaken("There is an endpoint with this address.", errors=[error])


async def locked(tx: Transaction, endpoint_id: UUID, match: Precondition) -> EndpointRow:
    """An endpoint, to be changed by somebody who has seen it as it is."""
    row = await store.lock_endpoint(tx, endpoint_id)
    if row is None:
        raise not_found("webhook endpoint", endpoint_id)
    match.require(row.version)
    return row


async def change(
    tx: Transaction, endpoint_id: UUID, match: Precondition, to: contract.EndpointChange, *, guarded: bool
) -> contract.EndpointView:
    """Replace what is said of an endpoint. One that is switched off gives up what waits for it."""
    row = await locked(tx, endpoint_id, match)
    await _check(tx, to.url, endpoint_id, guarded=guarded)
    row.url, row.events, row.description = to.url, sorted(set(to.events)), to.description
    row.enabled, row.version = to.enabled, row.version + 1
    row.disabled_reason = None if to.enabled else "switched off"
    if not to.enabled:
        await store.stop(tx, endpoint_id)
    await tx.flush()
    return view(row)


async def delete(tx: Transaction, endpoint_id: UUID, match: Precondition) -> None:
    """Take an endpoint out, and its log with it."""
    await tx.delete(await locked(tx, endpoint_id, match))


async def roll_secret(
    tx: Transaction, ring: KeyRing, endpoint_id: UUID, match: Precondition, now: datetime
) -> contract.EndpointWithSecret:
    """A new secret, shown here and never again; the one before signs for `OVERLAP` more."""
    row = await locked(tx, endpoint_id, match)
    secret, until = new_secret(), (now + OVERLAP).isoformat()
    before = [{**row.secrets[0], "until": until}]
    row.secrets = [{"sealed": ring.seal(secret)}, *before]
    row.version += 1
    await tx.flush()
    return contract.EndpointWithSecret(**view(row).model_dump(), secret=secret)


def usable(kept: list[dict[str, Any]], now: datetime) -> list[str]:
    """The sealed secrets that sign now, the newest first."""
    return [it["sealed"] for it in kept if "until" not in it or now < datetime.fromisoformat(it["until"])]


async def read(tx: Transaction, endpoint_id: UUID) -> contract.EndpointView:
    """An endpoint."""
    row = await store.endpoint(tx, endpoint_id)
    if row is None:
        raise not_found("webhook endpoint", endpoint_id)
    return view(row)


def view(row: EndpointRow) -> contract.EndpointView:
    """An endpoint as it is shown."""
    return contract.EndpointView(
        id=row.id,
        url=row.url,
        events=cast("list[contract.EventType]", row.events),
        description=row.description,
        enabled=row.enabled,
        disabled_reason=row.disabled_reason,
        created_at=row.created_at,
        version=row.version,
    )


def entry(row: DeliveryRow, type_: str) -> contract.DeliveryEntry:
    """A delivery in a list."""
    return contract.DeliveryEntry(
        id=row.id,
        webhook_id=row.message_id,
        type=cast("contract.EventType", type_),
        state=cast("contract.DeliveryState", row.state),
        created_at=row.created_at,
        next_try_at=row.next_at,
        attempts=row.attempts,
    )


async def delivery(tx: Transaction, endpoint_id: UUID, delivery_id: UUID) -> contract.DeliveryView:
    """A delivery with every try."""
    found = await store.delivery(tx, endpoint_id, delivery_id)
    if found is None:
        raise not_found("delivery", delivery_id)
    row, message = found
    about = entry(row, message.type).model_dump(exclude={"attempts"})
    tries = [
        contract.DeliveryTry(at=it.at, status=it.status, error=it.error, milliseconds=it.milliseconds)
        for it in await store.tries(tx, delivery_id)
    ]
    return contract.DeliveryView(**about, endpoint_id=endpoint_id, tries=tries)


async def redeliver(
    tx: Transaction, endpoint_id: UUID, delivery_id: UUID, now: datetime
) -> contract.DeliveryView:
    """Send it again, under the same webhook id, with all its tries before it. Raises DeliveryUnderWay."""
    row = await store.lock_delivery(tx, endpoint_id, delivery_id)
    endpoint = await store.endpoint(tx, endpoint_id)
    if row is None or endpoint is None:
        raise not_found("delivery", delivery_id)
    if row.state == "waiting":
        rule = "must have been delivered or given up"
        error = FieldError("path.delivery_id", rule, "wait: it is tried by itself")
        raise DeliveryUnderWay("It is still on its way, and tried by itself.", errors=[error])
    if not endpoint.enabled:
        error = FieldError("path.endpoint_id", "must be an endpoint that is enabled", "enable it first")
        raise DeliveryUnderWay("The endpoint is switched off.", errors=[error])
    row.state, row.attempts, row.begun_at, row.next_at = "waiting", 0, now, now
    await store.ring(tx)
    await tx.flush()
    return await delivery(tx, endpoint_id, delivery_id)
