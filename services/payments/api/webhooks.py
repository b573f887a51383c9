"""Endpoints for webhooks and the log of deliveries, for those who integrate with the platform."""

from datetime import datetime
from functools import partial
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.payments import contract
from services.payments.api.dependencies import Db, Integrator, TheKeys
from services.payments.store import webhooks as store
from services.payments.usecases import webhooks
from services.payments.usecases.problems import DeliveryUnderWay, EndpointTaken
from suuupra.app import Now
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.etags import IfMatch, etag_of
from suuupra.idempotency import RequiredKey
from suuupra.openapi import problems
from suuupra.pagination import Page, Paging

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhooks"])


def _guarded(request: Request) -> bool:
    guarded: bool = request.app.state.settings.guarded
    return guarded


@router.post("", status_code=201, responses=problems(EndpointTaken))
async def add_endpoint(
    request: Request,
    db: Db,
    clock: Now,
    keys: TheKeys,
    caller: Integrator,
    new: contract.NewEndpoint,
    response: Response,
) -> contract.EndpointWithSecret:
    """Add an endpoint. Its secret is in this answer and never again.

    There is no Idempotency-Key: the answer would have to be kept, and the secret with it. An address is taken once.
    """
    ring = await keys.ring()
    async with db.transaction() as tx:
        made = await webhooks.create(tx, ring, caller.subject, new, clock.now(), guarded=_guarded(request))
    response.headers["Location"] = f"{router.prefix}/{made.id}"
    return _tagged(response, made)


def _tagged(response: Response, view: contract.EndpointWithSecret) -> contract.EndpointWithSecret:
    response.headers["ETag"] = etag_of(view.version)
    response.headers["Cache-Control"] = "no-store"
    return view


@router.get("")
async def list_endpoints(db: Db, caller: Integrator, paging: Paging) -> Page[contract.EndpointView]:
    """Endpoints, the newest first."""
    async with db.reading() as tx:
        rows = await store.endpoints(tx, paging.after(UUID), paging.limit + 1)
    return paging.page(rows, key=lambda row: (row.id,), view=webhooks.view)


@router.get("/{endpoint_id}")
async def read_endpoint(
    db: Db, caller: Integrator, endpoint_id: UUID, response: Response
) -> contract.EndpointView:
    """An endpoint, without its secret."""
    async with db.reading() as tx:
        view = await webhooks.read(tx, endpoint_id)
    response.headers["ETag"] = etag_of(view.version)
    return view


@router.put("/{endpoint_id}", responses=problems(EndpointTaken))
async def change_endpoint(
    request: Request,
    db: Db,
    caller: Integrator,
    match: IfMatch,
    endpoint_id: UUID,
    to: contract.EndpointChange,
    response: Response,
) -> contract.EndpointView:
    """Replace what is said of an endpoint."""
    async with db.transaction() as tx:
        view = await webhooks.change(tx, endpoint_id, match, to, guarded=_guarded(request))
    response.headers["ETag"] = etag_of(view.version)
    return view


@router.delete("/{endpoint_id}", status_code=204)
async def delete_endpoint(db: Db, caller: Integrator, match: IfMatch, endpoint_id: UUID) -> None:
    """Take an endpoint out, and its log with it."""
    async with db.transaction() as tx:
        await webhooks.delete(tx, endpoint_id, match)


@router.post("/{endpoint_id}/secret")
async def roll_secret(
    db: Db,
    clock: Now,
    keys: TheKeys,
    caller: Integrator,
    match: IfMatch,
    endpoint_id: UUID,
    response: Response,
) -> contract.EndpointWithSecret:
    """A new secret, shown in this answer and never again; for 24 hours the one before signs too."""
    ring = await keys.ring()
    async with db.transaction() as tx:
        made = await webhooks.roll_secret(tx, ring, endpoint_id, match, clock.now())
    return _tagged(response, made)


@router.get("/{endpoint_id}/deliveries")
async def list_deliveries(
    db: Db, caller: Integrator, paging: Paging, endpoint_id: UUID
) -> Page[contract.DeliveryEntry]:
    """What was, or is to be, sent to an endpoint, the newest first."""
    async with db.reading() as tx:
        await webhooks.read(tx, endpoint_id)
        rows = await store.deliveries(tx, endpoint_id, paging.after(datetime, UUID), paging.limit + 1)
    return paging.page(
        rows, key=lambda row: (row[0].created_at, row[0].id), view=lambda row: webhooks.entry(*row)
    )


@router.get("/{endpoint_id}/deliveries/{delivery_id}")
async def read_delivery(
    db: Db, caller: Integrator, endpoint_id: UUID, delivery_id: UUID
) -> contract.DeliveryView:
    """A delivery with every try."""
    async with db.reading() as tx:
        return await webhooks.delivery(tx, endpoint_id, delivery_id)


@router.post(
    "/{endpoint_id}/deliveries/{delivery_id}/redeliver",
    status_code=202,
    response_model=contract.DeliveryView,
    responses=problems(400, DeliveryUnderWay),
)
async def redeliver(
    db: Db, clock: Now, caller: Integrator, endpoint_id: UUID, delivery_id: UUID, once: RequiredKey
) -> Response:
    """Send a delivery again that was delivered or given up, under the same webhook id."""
    effect = partial(_redeliver, clock, endpoint_id, delivery_id)
    return await once.answer(db, effect, status=202)


async def _redeliver(
    clock: Clock, endpoint_id: UUID, delivery_id: UUID, tx: Transaction
) -> contract.DeliveryView:
    return await webhooks.redeliver(tx, endpoint_id, delivery_id, clock.now())
