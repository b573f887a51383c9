"""Signing in and out, and the session of a request. One transaction each.

A refresh token is good once. Two tabs that find the same access token at its end must not both spend it, or identity
would take the second for a thief and end the session (refresh token reuse). So whoever renews holds the session's row,
and whoever waited for the row finds the new tokens in it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from services.web import store
from services.web.clients.identity import (
    GrantRefused,
    Identity,
    IdentityAway,
    Question,
    SignedIn,
    SignInRefused,
    SignInUnknown,
)
from services.web.domain import sessions as rules
from services.web.usecases import sealing
from suuupra import logs
from suuupra.clock import Clock
from suuupra.db import Database

RENEWALS_AT_ONCE: Final = 4
"""Each holds a connection while identity answers; the others of the pool are for everybody else."""
RENEWAL_WAIT_SECONDS: Final = 3.0
LAST: Final = "last."
"""What the state of a sign-in begins with that is not asked anew: a browser that keeps no cookie would go round for ever."""

_log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Begun:
    """A sign-in under way: where the browser goes, and what its cookie says."""

    url: str
    browser: str


@dataclass(frozen=True)
class Finished:
    """A sign-in that is through: the new cookie, who it is, and where to go on."""

    secret: str
    viewer: rules.Viewer
    return_to: str


class Sessions:
    """What is needed for every session; a resource of the application."""

    name = "sessions"

    def __init__(self, database: Database, identity: Identity, clock: Clock) -> None:
        self._database = database
        self._identity = identity
        self._clock = clock
        self._renewing = asyncio.Semaphore(RENEWALS_AT_ONCE)

    async def open(self) -> None:
        """Nothing of its own."""

    async def close(self) -> None:
        """Nothing of its own."""

    async def check(self) -> None:
        """Its parts are checked by themselves."""

    async def begin(
        self,
        browser: str | None,
        return_to: str,
        *,
        create: bool = False,
        ended: bool = False,
        anew: bool = False,
    ) -> Begun:
        """Keep what the answer must match; the browser keeps its cookie if it has one, for another tab may use it.

        `anew`: in place of one that this browser knows nothing of. Should this one come back unknown too, it is the last.
        """
        browser = browser or sealing.new_secret()
        question = Question(*(sealing.new_secret() for _ in range(3)))
        if anew:
            question = replace(question, state=LAST + question.state)
        now = self._clock.now()
        row = store.LoginRow(
            state=sealing.name_of(question.state),
            browser=sealing.name_of(browser),
            nonce=question.nonce,
            verifier=question.verifier,
            return_to=rules.way_back(return_to),
            expires_at=now + rules.ATTEMPT_LASTS,
        )
        async with self._database.transaction() as tx:
            await store.add_login(tx, row, now)
        return Begun(self._identity.sign_in_url(question, create=create, ended=ended), browser)

    async def finish(self, browser: str | None, state: str, code: str) -> Finished:
        """Redeem the code of a sign-in that this browser began. The session is a new one, whatever was before."""
        taken = await self._taken(browser, state)
        question = Question(state, taken.nonce, taken.verifier)
        try:
            signed_in = await self._identity.redeem(code, question)
        except GrantRefused as error:
            raise SignInRefused("The sign-in took too long, or was used already. Start again.") from error
        secret = sealing.new_secret()
        viewer = await self._kept(secret, signed_in)
        return Finished(secret, viewer, taken.return_to)

    async def way_back_of(self, browser: str | None, state: str) -> str:
        """Where a sign-in that was broken off came from."""
        return (await self._taken(browser, state)).return_to

    async def _taken(self, browser: str | None, state: str) -> store.LoginRow:
        async with self._database.transaction() as tx:
            taken = await store.take_login(
                tx, sealing.name_of(state), sealing.name_of(browser or ""), self._clock.now()
            )
        if taken is None:
            raise SignInUnknown("This sign-in is over, or was begun in another browser. Start again.")
        return taken

    async def _kept(self, secret: str, signed_in: SignedIn) -> rules.Viewer:
        now, person = self._clock.now(), signed_in.person
        row = store.SessionRow(
            id=sealing.name_of(secret),
            user_id=person.id,
            name=person.name,
            email=person.email,
            roles=list(person.roles),
            sealed=sealing.seal(signed_in.tokens, secret),
            created_at=now,
            expires_at=rules.lasts_until(now, now),
        )
        async with self._database.transaction() as tx:
            await store.add_session(tx, row, now)
        return rules.Viewer(person, signed_in.tokens.access, now)

    async def viewer(self, secret: str) -> rules.Viewer | None:
        """Who the cookie stands for, with an access token that is good now; None when the session is over.

        IdentityAway when the token has ended and identity cannot be asked for another.
        """
        async with self._database.reading() as tx:
            row = await store.session(tx, sealing.name_of(secret))
        now = self._clock.now()
        if row is None or row.expires_at <= now:
            return None
        try:
            tokens = sealing.unseal(row.sealed, secret)
        except sealing.Unreadable:
            return None
        if not tokens.due(now):
            return _viewer(row, tokens)
        return await self._renewed(secret)

    async def _renewed(self, secret: str) -> rules.Viewer | None:
        try:
            async with asyncio.timeout(RENEWAL_WAIT_SECONDS):
                await self._renewing.acquire()
        except TimeoutError:
            raise IdentityAway from None
        try:
            return await self._renew(secret)
        finally:
            self._renewing.release()

    async def _renew(self, secret: str) -> rules.Viewer | None:
        async with self._database.transaction() as tx:
            row = await store.session(tx, sealing.name_of(secret), lock=True)
            if row is None:
                return None
            now, tokens = self._clock.now(), sealing.unseal(row.sealed, secret)
            if not tokens.due(now):
                return _viewer(row, tokens)
            try:
                renewed = await self._identity.refresh(tokens)
            except GrantRefused:
                await store.end_session(tx, row.id)
                return None
            except IdentityAway:
                if tokens.over(now):
                    raise
                return _viewer(row, tokens)
            row.sealed = sealing.seal(renewed, secret)
            row.expires_at = rules.lasts_until(row.created_at, now)
            tx.add(row)
            return _viewer(row, renewed)

    async def end(self, secret: str) -> str:
        """Forget the session, make its tokens worthless, and tell where the browser signs out at identity."""
        async with self._database.transaction() as tx:
            row = await store.session(tx, sealing.name_of(secret), lock=True)
            await store.end_session(tx, sealing.name_of(secret))
        if row is not None:
            await self._revoke(row, secret)
        return self._identity.sign_out_url()

    async def _revoke(self, row: store.SessionRow, secret: str) -> None:
        try:
            await self._identity.revoke(sealing.unseal(row.sealed, secret))
        except (IdentityAway, sealing.Unreadable) as error:
            # The session is gone from here; the tokens end by themselves.
            _log.warning("tokens could not be revoked at sign-out", reason=type(error).__name__)


def _viewer(row: store.SessionRow, tokens: rules.Tokens) -> rules.Viewer:
    person = rules.Person(row.user_id, row.name, row.email, tuple(row.roles))
    return rules.Viewer(person, tokens.access, row.created_at)
