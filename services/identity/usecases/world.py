"""What the protocol is carried out with: one transaction, the keys, the time, and the rules of this platform."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from services.identity.domain import jwts
from services.identity.domain.accounts import Account, access_claims, granted, may_have, person_claims
from services.identity.domain.grants import Code, Grant
from services.identity.domain.keys import Ring
from services.identity.settings import Settings
from suuupra.ids import new_id


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say about tokens."""

    issuer: str
    audience: str
    access_life: timedelta
    code_life: timedelta
    grant_life: timedelta
    overlap: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            issuer=settings.issuer_url,
            audience=settings.audience,
            access_life=timedelta(seconds=settings.access_seconds),
            code_life=timedelta(seconds=settings.code_seconds),
            grant_life=settings.grant_life,
            overlap=timedelta(seconds=settings.refresh_overlap_seconds),
        )


@dataclass(frozen=True, slots=True)
class World:
    """One request's surroundings. Its session is the transaction's, inside `run_sync`."""

    session: Session
    ring: Ring
    now: datetime
    rules: Rules

    def access_token(self, client_id: str, scope: str, account: Account | None, grant: Grant | None) -> str:
        """An access token (RFC 9068) for a user, or for the client itself."""
        issued = int(self.now.timestamp())
        claims = {
            "iss": self.rules.issuer,
            "aud": self.rules.audience,
            "sub": str(account.id) if account else client_id,
            "client_id": client_id,
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(self.rules.access_life.total_seconds()),
            "jti": str(new_id()),
            "scope": scope,
            **(access_claims(account) if account else {"roles": []}),
        }
        if grant is not None:
            claims |= {"grant_id": str(grant.id), "auth_time": int(grant.auth_time.timestamp())}
        return jwts.sign(self.ring.signing(self.now), claims, jwts.ACCESS)

    def id_token(
        self, account: Account, grant: Grant, scope: str, access_token: str, code: Code | None
    ) -> str:
        """What a client is told about the sign-in (OpenID Connect Core, 2)."""
        issued = int(self.now.timestamp())
        told = person_claims(account, scope)
        told.pop("organisations", None)  # userinfo tells all of them; a token must stay short
        claims = {
            **told,
            "iss": self.rules.issuer,
            "aud": grant.client_id,
            "iat": issued,
            "exp": issued + int(self.rules.access_life.total_seconds()),
            "auth_time": int(grant.auth_time.timestamp()),
            "amr": list(grant.amr),
            "sid": str(grant.session_id),
            "at_hash": jwts.half_hash(access_token),
        }
        if code is not None and code.nonce is not None:
            claims["nonce"] = code.nonce
        return jwts.sign(self.ring.signing(self.now), claims, jwts.ID)

    def scope_of(self, account: Account, scope: str) -> str:
        """What of a scope the user may still have: roles come and go."""
        return granted(scope, may_have(account.roles))

    def new_grant(
        self,
        client_id: str,
        account: Account,
        session_id: UUID,
        scope: str,
        signed_in: tuple[datetime, tuple[str, ...]],
    ) -> Grant:
        """What a user grants now. `signed_in`: when, and by what means."""
        auth_time, amr = signed_in
        return Grant(
            id=new_id(),
            client_id=client_id,
            account_id=account.id,
            session_id=session_id,
            scope=self.scope_of(account, scope),
            auth_time=auth_time,
            amr=amr,
            created_at=self.now,
            expires_at=self.now + self.rules.grant_life,
        )
