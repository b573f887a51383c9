"""An authorization request, and what to do about it: refuse, let somebody sign in, ask them, or grant.

RFC 6749 4.1, RFC 7636, RFC 9207, OpenID Connect Core 3.1.2. What is wrong with client or address is told to the
person in front of the browser and never sent anywhere (RFC 6749, 4.1.2.1); all else goes back to the client.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from services.identity.domain.clients import Client

PROMPTS: Final = frozenset({"none", "login", "consent", "select_account", "create"})
LONGEST: Final = 6000
"""Characters of a request; proxies cut off at 8 KiB."""
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")  # RFC 7636, 4.2, of a SHA-256
_PLAIN: Final = re.compile(r"[\x20-\x7e]{0,512}")
_SECONDS: Final = re.compile(r"\d{1,9}")


class Untrusted(Exception):
    """The request names no client, or an address that is not the client's: nothing may be sent there."""

    def __init__(self, field: str, rule: str, fix: str) -> None:
        super().__init__(f"{field} {rule}")
        self.field, self.rule, self.fix = field, rule, fix


class Refused(Exception):
    """The client is told: `error` by its registered name, `description` in ASCII without quotes (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error, self.description = error, description


class Step(StrEnum):
    """What comes next."""

    SIGN_IN = "sign in"
    SIGN_UP = "sign up"
    CONSENT = "consent"
    GRANT = "grant"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in to the platform in one browser."""

    id: UUID
    account_id: UUID
    auth_time: datetime
    amr: tuple[str, ...]
    fresh_for: bytes | None
    """The request for which they signed in just now, as `mark_of` gives it: it need not be asked again."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose client and address are known to belong together."""

    query: str
    values: Mapping[str, str]
    client: Client
    redirect_uri: str
    prompts: frozenset[str]
    max_age: int | None
    """Seconds since the last sign-in that the client accepts."""

    @property
    def state(self) -> str | None:
        return self.values.get("state")

    @property
    def mark(self) -> bytes:
        return mark_of(self.query)


def parameters(query: str) -> Sequence[tuple[str, str]]:
    """The parameters of a query in their order. Raises Untrusted."""
    if len(query) > LONGEST:
        raise Untrusted("query", f"must have at most {LONGEST} characters", "send less")
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise Untrusted("query", "must be parameters in UTF-8", "encode it as a form does") from None


def client_of(pairs: Sequence[tuple[str, str]]) -> str:
    """The client that the request names. Raises Untrusted."""
    named = [value for name, value in pairs if name == "client_id"]
    if len(named) != 1 or not _PLAIN.fullmatch(named[0]):
        raise Untrusted("query.client_id", "must be given once", "send the id of a registered client")
    return named[0]


def trusted_address(pairs: Sequence[tuple[str, str]], client: Client | None) -> tuple[Client, str]:
    """The client and the address that answers may be sent to. Raises Untrusted."""
    if client is None:
        raise Untrusted(
            "query.client_id", "must be a client that is registered here", "register the client first"
        )
    asked = [value for name, value in pairs if name == "redirect_uri"]
    if len(asked) != 1 or not client.check_redirect_uri(asked[0]):
        raise Untrusted(
            "query.redirect_uri",
            "must be one of the addresses registered for the client, exactly",
            "send a registered address, or register this one",
        )
    return client, asked[0]


def parse(pairs: Sequence[tuple[str, str]], client: Client, redirect_uri: str) -> Request:
    """The request, as far as authlib does not check it. Raises Refused."""
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise Refused("invalid_request", "A parameter is given more than once.")
    values = {name: value for name, value in pairs if value}
    for name, error in _UNSUPPORTED.items():
        if name in values:
            raise Refused(error, f"The parameter {name} is not supported.")
    if values.get("response_type") != "code":
        raise Refused("unsupported_response_type", "Only response_type=code is supported.")
    if values.get("response_mode", "query") != "query":
        raise Refused("invalid_request", "Only response_mode=query is supported.")
    _check_pkce(values)
    if not _PLAIN.fullmatch(values.get("nonce", "")):
        raise Refused("invalid_request", "nonce must be at most 512 visible ASCII characters.")
    # Written anew: however its sender spelt it, from here on one request has one spelling.
    query = urlencode(pairs)
    return Request(query, values, client, redirect_uri, _prompts(values), _max_age(values))


_UNSUPPORTED: Final = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


def _check_pkce(values: Mapping[str, str]) -> None:
    if values.get("code_challenge_method") != "S256":
        raise Refused("invalid_request", "PKCE is required: send code_challenge_method=S256.")
    if not _CHALLENGE.fullmatch(values.get("code_challenge", "")):
        raise Refused("invalid_request", "code_challenge must be 43 characters of base64url (RFC 7636).")


def _prompts(values: Mapping[str, str]) -> frozenset[str]:
    prompts = frozenset(values.get("prompt", "").split())
    if not prompts <= PROMPTS:
        raise Refused("invalid_request", f"prompt takes: {', '.join(sorted(PROMPTS))}.")
    if "none" in prompts and len(prompts) > 1:
        raise Refused("invalid_request", "prompt=none stands alone.")
    return prompts


def _max_age(values: Mapping[str, str]) -> int | None:
    given = values.get("max_age")
    if given is None:
        return None
    if not _SECONDS.fullmatch(given):
        raise Refused("invalid_request", "max_age must be a number of seconds.")
    return int(given)


def decide(
    request: Request,
    session: Session | None,
    now: datetime,
    *,
    hinted: UUID | None = None,
    consented: bool = False,
) -> Step:
    """The next step. `hinted` is the user of an id_token_hint. Raises Refused, when nobody may be asked."""
    silent = "none" in request.prompts
    if session is None or _must_sign_in(request, session, now, hinted):
        if silent:
            raise Refused("login_required", "The user must sign in.")
        new = "create" in request.prompts
        return Step.SIGN_UP if new else Step.SIGN_IN
    if (request.client.asks_consent or "consent" in request.prompts) and not consented:
        if silent:
            raise Refused("consent_required", "The user must be asked.")
        return Step.CONSENT
    return Step.GRANT


def _must_sign_in(request: Request, session: Session, now: datetime, hinted: UUID | None) -> bool:
    if hinted is not None and hinted != session.account_id:
        return True
    if session.fresh_for == request.mark:
        return False
    if request.prompts & {"login", "select_account", "create"}:
        return True
    return request.max_age is not None and (now - session.auth_time).total_seconds() > request.max_age


def mark_of(query: str) -> bytes:
    """What a session remembers of the request for which somebody signed in."""
    return hashlib.sha256(query.encode()).digest()


def answer(redirect_uri: str, values: Mapping[str, str | None]) -> str:
    """Where the browser is sent: the client's address with an answer in its query (RFC 6749, 4.1.2)."""
    separator = "&" if "?" in redirect_uri else "?"
    return redirect_uri + separator + urlencode({name: it for name, it in values.items() if it is not None})
