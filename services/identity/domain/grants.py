"""What was granted to a client, and the single-use strings it is redeemed by."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user granted to a client once; every token that comes of it carries its id and dies with it."""

    id: UUID
    client_id: str
    account_id: UUID
    session_id: UUID
    scope: str
    auth_time: datetime
    amr: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at

    @property
    def offline(self) -> bool:
        """Whether it outlives the session it was given in (OpenID Connect Core, 11)."""
        return "offline_access" in self.scope.split()


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code, with the answers that authlib wants of it."""

    hash: bytes
    grant: Grant
    redirect_uri: str
    nonce: str | None
    code_challenge: str
    expires_at: datetime
    used_at: datetime | None
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.grant.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(self.grant.auth_time.timestamp())

    def get_acr(self) -> None:
        """None: there is one way to sign in."""

    def get_amr(self) -> list[str]:
        return list(self.grant.amr)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token, with the answers that authlib wants of it."""

    hash: bytes
    grant: Grant
    expires_at: datetime
    used_at: datetime | None

    def check_client(self, client: object) -> bool:
        return getattr(client, "id", None) == self.grant.client_id

    def get_scope(self) -> str:
        return self.grant.scope


class Verdict(Enum):
    """What to do about a code or a refresh token that is presented."""

    TAKE = auto()
    REFUSE = auto()
    REVOKE = auto()
    """Refuse it, and revoke what came of it: somebody else has it too (RFC 6749, 10.5; RFC 9700, 4.14)."""


def judge_code(code: Code, now: datetime) -> Verdict:
    """A code is good once, for a minute."""
    if code.used_at is not None:
        return Verdict.REVOKE
    return Verdict.TAKE if now < code.expires_at and code.grant.live(now) else Verdict.REFUSE


def judge_refresh(token: RefreshToken, now: datetime, overlap: timedelta) -> Verdict:
    """A refresh token is good once. Within `overlap` of its use it is taken for the same client's second request.

    Two requests of one client that race are no theft: one wins, the other is refused, and what the winner got lives.
    """
    if token.used_at is not None:
        return Verdict.REFUSE if now - token.used_at <= overlap else Verdict.REVOKE
    return Verdict.TAKE if now < token.expires_at and token.grant.live(now) else Verdict.REFUSE
