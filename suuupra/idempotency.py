"""Requests that may be sent again: the same Idempotency-Key has one effect and one answer.

    @router.post("/v1/courses", status_code=201, response_model=CourseView)
    async def create(new: NewCourse, once: RequiredKey, db: Db) -> Response:
        return await once.answer(db, partial(usecases.create, new=new), headers=CourseView.location)

The answer is stored in the transaction of the effect, so there is never one without the other, whenever the process
dies. An advisory lock tells a request that is still running (409) from one that is done; it ends with its
transaction, so nothing has to be cleaned up after a crash. A Problem raised by the effect stores nothing: it changed
nothing, and the same key may try again.

Follows draft-ietf-httpapi-idempotency-key-header, with 400, 409 and 422 as it recommends.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeVar

from fastapi import Depends, Header
from pydantic import BaseModel
from sqlalchemy import Row, text
from starlette.requests import Request
from starlette.responses import Response

from suuupra import failpoints
from suuupra.auth import caller_of
from suuupra.clock import Clock
from suuupra.errors import BadRequest, Conflict, FieldError, Invalid
from suuupra.openapi import REQUIRED

if TYPE_CHECKING:
    from suuupra.db import Database, Transaction

KEPT: Final = timedelta(hours=24)
"""How long an answer is given again; after that the key is as good as new."""
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_MEANING: Final = "Names the request, for example with a UUID; a retry sends the same."
_FIX: Final = (
    "send Idempotency-Key with a value of your own making, such as a UUID, and the same one when you retry"
)

View = TypeVar("View", bound=BaseModel | None)


class KeyReused(Invalid):
    slug, title = "idempotency-key-reused", "This Idempotency-Key belongs to another request"


class StillRunning(Conflict):
    slug, title = "still-running", "The first request with this Idempotency-Key is still running"


class _Migrates(Protocol):
    def execute(self, sqltext: str) -> Any: ...


def create_table(op: _Migrates) -> None:
    """Make the table, in a service's first migration. What it makes never changes: databases were made with it."""
    op.execute(
        """
        CREATE TABLE idempotency (
            caller      text        NOT NULL,
            key         text        NOT NULL,
            fingerprint bytea       NOT NULL,
            status      smallint    NOT NULL,
            headers     jsonb       NOT NULL,
            body        bytea       NOT NULL,
            expires_at  timestamptz NOT NULL,
            PRIMARY KEY (caller, key)
        );
        CREATE INDEX idempotency_expiry ON idempotency (expires_at);
        COMMENT ON TABLE idempotency IS 'Answers to be given again to the same caller, key and request.';
        """
    )


_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_FIND = text(
    "SELECT fingerprint, status, headers, body FROM idempotency"
    " WHERE caller = :caller AND key = :key AND expires_at > :now"
)
# Each answer stored sweeps a few that have expired, so that the table needs no cleaner.
_STORE = text(
    """
    WITH swept AS (
        DELETE FROM idempotency WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM idempotency WHERE expires_at <= :now AND (caller, key) <> (:caller, :key)
            LIMIT 10 FOR UPDATE SKIP LOCKED
        ))
    )
    INSERT INTO idempotency (caller, key, fingerprint, status, headers, body, expires_at)
    VALUES (:caller, :key, :fingerprint, :status, CAST(:headers AS jsonb), :body, :expires_at)
    ON CONFLICT (caller, key) DO UPDATE SET
        fingerprint = EXCLUDED.fingerprint, status = EXCLUDED.status, headers = EXCLUDED.headers,
        body = EXCLUDED.body, expires_at = EXCLUDED.expires_at
    """
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it is stored."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def response(self, *, replayed: bool = False) -> Response:
        headers = dict(self.headers)
        if replayed:
            headers["Idempotency-Replayed"] = "true"
        return Response(self.body, self.status, headers, media_type="application/json" if self.body else None)


@dataclass(frozen=True, slots=True)
class Once:
    """One request with its key; without a key, merely the transaction that it runs in."""

    key: str | None
    caller: str
    fingerprint: bytes
    clock: Clock

    async def answer(
        self,
        database: "Database",
        effect: "Callable[[Transaction], Awaitable[View]]",
        *,
        status: int = 201,
        headers: Callable[[View], Mapping[str, str]] | None = None,
    ) -> Response:
        """Run `effect` in one transaction and answer with its view; or give the answer of the first time again.

        Raises KeyReused when the key came with another request, StillRunning while the first has not ended.
        """
        async with database.transaction() as tx:
            stored = await self._claim(tx)
            if stored is not None:
                return stored.response(replayed=True)
            view = await effect(tx)
            answer = Answer(status, dict(headers(view)) if headers else {}, _json(view))
            await self._store(tx, answer)
            failpoints.hit("idempotency.effect")
        failpoints.hit("idempotency.committed")
        return answer.response()

    async def _claim(self, tx: "Transaction") -> Answer | None:
        """The stored answer, or None when this request is the first and now holds the key's lock."""
        if self.key is None:
            return None
        # The lock first and by itself: the next statement's snapshot then includes whatever the last holder stored.
        if not await tx.scalar(_LOCK, {"lock": self._lock()}):
            raise StillRunning("Ask again in a moment for its answer.", headers={"Retry-After": "1"})
        found = (await tx.execute(_FIND, {**self._identity(), "now": self.clock.now()})).one_or_none()
        return None if found is None else self._checked(found)

    def _checked(self, found: Row[Any]) -> Answer:
        if bytes(found.fingerprint) != self.fingerprint:
            error = FieldError("header.Idempotency-Key", "must be new for a new request", _FIX)
            raise KeyReused("The key came with another method, address or body before.", errors=[error])
        return Answer(found.status, found.headers, bytes(found.body))

    async def _store(self, tx: "Transaction", answer: Answer) -> None:
        if self.key is None:
            return
        now = self.clock.now()
        stored = {"status": answer.status, "headers": json.dumps(answer.headers), "body": answer.body}
        times = {"now": now, "expires_at": now + KEPT}
        await tx.execute(_STORE, {**self._identity(), **stored, **times, "fingerprint": self.fingerprint})

    def _identity(self) -> dict[str, str | None]:
        return {"caller": self.caller, "key": self.key}

    def _lock(self) -> int:
        """64 bits of the key's hash. Two keys that share them would at worst answer 409 to one another."""
        digest = hashlib.sha256(json.dumps([self.caller, self.key]).encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


def _json(view: BaseModel | None) -> bytes:
    return b"" if view is None else view.model_dump_json(by_alias=True).encode()


async def optional_key(
    request: Request,
    key: Annotated[str | None, Header(alias="Idempotency-Key", description=_MEANING)] = None,
) -> Once:
    """A dependency for unsafe calls that may be sent with an Idempotency-Key."""
    if key is not None and not _KEY.fullmatch(key):
        error = FieldError("header.Idempotency-Key", "must be 1 to 255 visible ASCII characters", _FIX)
        raise BadRequest("The Idempotency-Key cannot be used.", errors=[error])
    return Once(key, await caller_of(request), await _fingerprint(request), request.app.state.clock)


async def required_key(
    request: Request,
    key: Annotated[
        str | None, Header(alias="Idempotency-Key", description=_MEANING, json_schema_extra=REQUIRED)
    ] = None,
) -> Once:
    """A dependency for unsafe calls that must be sent with an Idempotency-Key."""
    if key is None:
        error = FieldError("header.Idempotency-Key", "is required", _FIX)
        raise BadRequest("This call must carry an Idempotency-Key.", errors=[error])
    return await optional_key(request, key)


async def _fingerprint(request: Request) -> bytes:
    """A hash of what is asked. The first part is JSON without line breaks, so no two requests share one."""
    asked = json.dumps([request.method, request.url.path, request.url.query])
    return hashlib.sha256(asked.encode() + b"\n" + await request.body()).digest()


OptionalKey = Annotated[Once, Depends(optional_key)]
RequiredKey = Annotated[Once, Depends(required_key)]
