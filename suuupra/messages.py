"""Messages between participants over HTTP, delivered at least once and taken once.

Sending: `await messenger.post(tx, …)` stores the message in the transaction of what it tells. Once that has committed
it is sent at once; without an acknowledgement it is sent again, the same bytes under the same id, with growing
pauses, by whichever process is alive. The process that has it on its way waits for how that ends, and does not send it
beside itself. A message may have an end, after which telling it would do harm.

Taking: `await take(tx, …)` in the transaction of what the message does. False means that it was taken before. The
same id with other content raises IdReused and does nothing (M4).

What nobody may keep, such as a PIN's ciphertext, is taken out of a message when it ends: `kept` says how.

The receiver acknowledges with 2xx. 400, 409, 413 and 422 refuse; so does a 2xx in which `refusal` finds why. Everything
else means «later».
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import httpx
from prometheus_client import Counter, Gauge
from sqlalchemy import text

from suuupra import failpoints, logs
from suuupra.clock import Clock
from suuupra.courier import Courier
from suuupra.db import Database, DatabaseUnavailable, Transaction
from suuupra.signatures import Signer
from suuupra.sweeping import Swept
from suuupra.telemetry import http_client

ANSWER_SECONDS: Final = 3.0
"""How long an acknowledgement may take."""
FIRST_PAUSE: Final = timedelta(seconds=2)
"""Until a message without acknowledgement is sent again; each further pause is twice as long."""
LONGEST_PAUSE: Final = timedelta(seconds=60)
POLL_SECONDS: Final = 1.0
LEAST_KEPT: Final = timedelta(days=2)
"""How long messages are remembered at the least: longer than any sender goes on."""
PARALLEL: Final = 64
GATHER_SECONDS: Final = 0.05
"""How long an acknowledgement waits for others to be noted with it: one commit is then for all."""
_REFUSED_STATUSES: Final = frozenset({400, 409, 413, 422})

_CREATE: Final = """
CREATE TABLE message_out (
    id         uuid        PRIMARY KEY,
    recipient  text        NOT NULL,
    path       text        NOT NULL,
    body       bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    next_at    timestamptz NOT NULL,
    attempts   integer     NOT NULL DEFAULT 1,
    expires_at timestamptz,
    outcome    text        CHECK (outcome IN ('delivered', 'refused', 'expired', 'withdrawn'))
) WITH (fillfactor = 80);
CREATE INDEX message_out_due ON message_out (next_at) WHERE outcome IS NULL;
CREATE INDEX message_out_old ON message_out (created_at) WHERE outcome IS NOT NULL;
COMMENT ON TABLE message_out IS 'What is told to other participants, until they have acknowledged it; kept for a while.';
COMMENT ON COLUMN message_out.next_at IS 'When it is sent again; until then a process has it in hand.';

CREATE TABLE message_in (
    sender      text        NOT NULL,
    id          uuid        NOT NULL,
    fingerprint bytea       NOT NULL,
    taken_at    timestamptz NOT NULL,
    PRIMARY KEY (sender, id)
);
CREATE INDEX message_in_old ON message_in (taken_at);
COMMENT ON TABLE message_in IS 'Messages that have had their effect.';
"""
_INSERT: Final = text("""
INSERT INTO message_out (id, recipient, path, body, created_at, next_at, expires_at)
VALUES (:id, :recipient, :path, :body, :now, :next_at, :expires_at)
""")
_AGAIN: Final = text("""
UPDATE message_out SET next_at = :next_at, attempts = 1, outcome = NULL
WHERE id = :id AND outcome IS DISTINCT FROM 'withdrawn' RETURNING id, recipient, path, body
""")
_WITHDRAW: Final = text(
    "UPDATE message_out SET outcome = 'withdrawn' WHERE id = :id AND outcome IS NULL RETURNING id, body"
)
_EXPIRE: Final = text(
    "UPDATE message_out SET outcome = 'expired' WHERE outcome IS NULL AND expires_at <= :now RETURNING id, body"
)
_CLAIM: Final = text("""
UPDATE message_out SET attempts = attempts + 1,
    next_at = CAST(:now AS timestamptz) + least(CAST(:first AS interval) * power(2, least(attempts, 10)), CAST(:longest AS interval))
WHERE id IN (
    SELECT id FROM message_out WHERE outcome IS NULL AND next_at <= :now AND id <> ALL(CAST(:in_hand AS uuid[]))
    ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING id, recipient, path, body
""")
_NEXT: Final = text("""
SELECT min(next_at) FROM message_out WHERE outcome IS NULL AND id <> ALL(CAST(:in_hand AS uuid[]))
""")
_END: Final = text("""
UPDATE message_out m SET outcome = e.outcome, body = coalesce(e.body, m.body)
FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:bodies AS bytea[])) AS e (id, outcome, body)
WHERE m.id = e.id AND m.outcome IS NULL
""")
_KEEP: Final = text("UPDATE message_out SET body = :body WHERE id = :id")
_TAKE: Final = text("""
INSERT INTO message_in (sender, id, fingerprint, taken_at) VALUES (:sender, :id, :fingerprint, :now)
ON CONFLICT DO NOTHING
""")
_TAKEN: Final = text("SELECT fingerprint FROM message_in WHERE sender = :sender AND id = :id")
_SWEPT: Final = (Swept("message_out", "created_at", "t.outcome IS NOT NULL"), Swept("message_in", "taken_at"))

_log = logs.get_logger(__name__)
_sent = Counter(
    "suuupra_messages_sent_total", "Deliveries tried, by how they ended.", ["recipient", "outcome"]
)
_in_hand = Gauge("suuupra_messages_in_hand", "Messages that are being delivered by this process.")


class _Migrates(Protocol):
    def execute(self, sqltext: str) -> Any: ...


def create_tables(op: _Migrates) -> None:
    """Make the tables, in a migration of the service. What it makes never changes: databases were made with it."""
    op.execute(_CREATE)


def ages(kept: timedelta) -> dict[Swept, timedelta]:
    """What is swept (suuupra.sweeping) when messages are to be kept so long, at least LEAST_KEPT."""
    return dict.fromkeys(_SWEPT, max(kept, LEAST_KEPT))


class IdReused(Exception):
    """The id came before with other content."""


async def take(tx: Transaction, sender: str, message_id: UUID, body: bytes, now: datetime) -> bool:
    """Whether the message is new; then it counts as taken when `tx` commits. Raises IdReused."""
    same = {"sender": sender, "id": message_id}
    fingerprint = hashlib.sha256(body).digest()
    result: Any = await tx.execute(_TAKE, {**same, "fingerprint": fingerprint, "now": now})
    if result.rowcount:
        return True
    if bytes(await tx.scalar(_TAKEN, same) or b"") != fingerprint:
        raise IdReused(f"message {message_id} of {sender} came with other content before")
    return False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be delivered."""

    id: UUID
    recipient: str
    path: str
    body: bytes


Address = Callable[[str], Awaitable[str | None]]
"""Participant → where its messages go, or None while that is not known."""
Refusal = Callable[[bytes], str | None]
"""The body of an answer → why the message was refused for good, or None."""
Refused = Callable[[Outgoing, str], Awaitable[None]]
"""What to do about a refused message."""

Kept = Callable[[bytes], bytes]
"""The body of a message that ended → what is kept of it; what is taken out is not sent again either."""


async def _nothing(_message: Outgoing, _reason: str) -> None:
    """A refusal that nobody acts on; it is logged."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a delivery ended. `outcome`: None when it is to be sent again; `reason`: why it was refused."""

    outcome: str | None
    reason: str = ""


class Messenger:
    """Tells other participants something: a resource of the application. Its `courier` runs beside it."""

    name = "messages"

    def __init__(
        self,
        database: Database,
        signer: Callable[[], Awaitable[Signer]],
        address: Address,
        clock: Clock,
        *,
        refusal: Refusal = lambda _: None,
        refused: Refused = _nothing,
        kept: Kept = lambda body: body,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        client = http_client("", timeout=ANSWER_SECONDS, transport=transport)
        self._post = _Post(client, signer, address, clock, refusal, refused, kept)
        self._client = client
        self.courier = Courier(database, self._post, clock, parallel=PARALLEL, poll_seconds=POLL_SECONDS)
        self._post.hurry = self.courier.waited_for
        self._post.in_hand = self.courier.letters

    async def open(self) -> None:
        """Connections are made when they are needed."""

    async def close(self) -> None:
        """Let deliveries end, then let go of the connections."""
        await self.courier.settled()
        await self._client.aclose()

    async def check(self) -> None:
        """Never a reason to be unready: others may be away."""

    async def post(
        self,
        tx: Transaction,
        message_id: UUID,
        recipient: str,
        path: str,
        body: bytes,
        *,
        expires_at: datetime | None = None,
    ) -> None:
        """Send `body` to `path` of `recipient` once `tx` has committed, until it is acknowledged or `expires_at`."""
        now = self._clock.now()
        message = Outgoing(message_id, recipient, path, body)
        values = {"id": message_id, "recipient": recipient, "path": path, "body": body, "now": now}
        await tx.execute(_INSERT, {**values, "next_at": now + FIRST_PAUSE, "expires_at": expires_at})
        self._send_when_committed(tx, message)

    async def again(self, tx: Transaction, message_id: UUID) -> bool:
        """Send a message once more under its id, once `tx` has committed; False when there is none."""
        values = {"id": message_id, "next_at": self._clock.now() + FIRST_PAUSE}
        row = (await tx.execute(_AGAIN, values)).one_or_none()
        if row is not None:
            self._send_when_committed(tx, _outgoing(row))
        return row is not None

    async def withdraw(self, tx: Transaction, message_id: UUID) -> None:
        """Do not send it (again). What is under way cannot be called back."""
        await self._post.trim(tx, await tx.execute(_WITHDRAW, {"id": message_id}))

    def _send_when_committed(self, tx: Transaction, message: Outgoing) -> None:
        loop = asyncio.get_running_loop()
        tx.when_committed(lambda: loop.call_soon(self._send, message))

    def _send(self, message: Outgoing) -> None:
        """At once, unless it is on its way: should that fail it is due, and claimed like any other."""
        if all(one.id != message.id for one in self.courier.letters()):
            self.courier.submit(message)


class _Post:
    """What the courier needs to know of messages. Nobody rings for them: who makes one submits it."""

    name = "messages"
    channel = None

    def __init__(
        self,
        client: httpx.AsyncClient,
        signer: Callable[[], Awaitable[Signer]],
        address: Address,
        clock: Clock,
        refusal: Refusal,
        refused: Refused,
        kept: Kept,
    ) -> None:
        self._client = client
        self._signer = signer
        self._address = address
        self._clock = clock
        self._refusal = refusal
        self._refused = refused
        self._kept = kept
        self._ended: list[tuple[UUID, str, bytes | None]] = []
        self._ending: asyncio.Task[None] | None = None
        self.hurry = asyncio.Event()
        """Somebody waits for what is noted."""
        self.in_hand: Callable[[], Collection[Outgoing]] = list
        """What this process has on its way."""

    async def claim(self, tx: Transaction, now: datetime, limit: int) -> Sequence[Outgoing]:
        """Those whose pause is over; what nobody needs any more has ended."""
        await self.trim(tx, await tx.execute(_EXPIRE, {"now": now}))
        pauses = {"first": FIRST_PAUSE, "longest": LONGEST_PAUSE}
        values = {"now": now, "limit": limit, "in_hand": self._ids_in_hand(), **pauses}
        return [_outgoing(row) for row in await tx.execute(_CLAIM, values)]

    def _ids_in_hand(self) -> list[UUID]:
        """Not to be claimed, although the pause until they are sent again may be shorter than what they take."""
        return [message.id for message in self.in_hand()]

    async def trim(self, tx: Transaction, ended: Iterable[Any]) -> None:
        """Keep of messages that ended without an answer what is kept of all."""
        for row in list(ended):
            if (body := self._rest(bytes(row.body))) is not None:
                await tx.execute(_KEEP, {"id": row.id, "body": body})

    def _rest(self, body: bytes) -> bytes | None:
        """What is kept of it, or None when that is all."""
        rest = self._kept(body)
        return None if rest == body else rest

    async def next_due(self, tx: Transaction) -> datetime | None:
        due: datetime | None = await tx.scalar(_NEXT, {"in_hand": self._ids_in_hand()})
        return due

    async def deliver(self, message: Outgoing) -> Ending:
        """Sign and send."""
        point = message.path.rpartition("/")[2]
        failpoints.hit(f"courier.sending.{point}")
        with _in_hand.track_inprogress():
            ending = await self._send(message)
        failpoints.hit(f"courier.sent.{point}")
        _sent.labels(message.recipient, ending.outcome or "later").inc()
        return ending

    async def _send(self, message: Outgoing) -> Ending:
        try:
            base, signer = await self._address(message.recipient), await self._signer()
        except DatabaseUnavailable as error:
            _log.info("message not sent", recipient=message.recipient, error=type(error).__name__)
            return Ending(None)
        if base is None:
            return Ending(None)
        headers = signer.sign("POST", message.path, message.body, self._clock.now())
        headers["content-type"] = "application/json"
        try:
            response = await self._client.post(f"{base}{message.path}", content=message.body, headers=headers)
        except httpx.TransportError as error:
            _log.info("message not acknowledged", recipient=message.recipient, error=type(error).__name__)
            return Ending(None)
        if response.is_success:
            refused = self._refusal(response.content)
            return Ending("delivered") if refused is None else Ending("refused", refused)
        if response.status_code not in _REFUSED_STATUSES:
            return Ending(None, str(response.status_code))
        return Ending("refused", self._refusal(response.content) or str(response.status_code))

    async def settle(self, database: Database, message: Outgoing, ending: Ending, now: datetime) -> bool:
        """Note the end. One that is not noted means one more delivery; when it is, the claim has said already."""
        if ending.outcome == "refused":
            _log.warning(
                "message refused", recipient=message.recipient, path=message.path, reason=ending.reason
            )
            await self._refused(message, ending.reason)
        if ending.outcome is not None:
            await self._end(database, message, ending.outcome)
        return False

    async def _end(self, database: Database, message: Outgoing, outcome: str) -> None:
        """Many at once are one statement."""
        self._ended.append((message.id, outcome, self._rest(message.body)))
        if self._ending is None:
            self._ending = asyncio.create_task(self._note_ends(database), name="message ends")
        await asyncio.shield(self._ending)

    async def _note_ends(self, database: Database) -> None:
        try:
            await self._gathered()
            while self._ended:
                ended, self._ended = self._ended, []
                ids, outcomes, bodies = (list(column) for column in zip(*ended, strict=True))
                values = {"ids": ids, "outcomes": outcomes, "bodies": bodies}
                async with database.transaction() as tx:
                    await tx.execute(_END, values)
        finally:
            self._ending = None

    async def _gathered(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_SECONDS):
                await self.hurry.wait()


def _outgoing(row: Any) -> Outgoing:
    return Outgoing(row.id, row.recipient, row.path, bytes(row.body))
