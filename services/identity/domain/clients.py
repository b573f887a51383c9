"""Applications that ask for tokens, with the answers that authlib wants of them (RFC 6749, 2)."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

Kind = Literal["public", "confidential"]

CODE: Final = "authorization_code"
REFRESH: Final = "refresh_token"
CREDENTIALS: Final = "client_credentials"
GRANT_TYPES: Final = (CODE, REFRESH, CREDENTIALS)

_LOOPBACK: Final = re.compile(r"http://(?P<host>127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?P<path>/[^?#]*)?")
_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]")


def secret_hash(secret: str) -> bytes:
    """What is kept of a client's secret or of a token. One round is enough: both are 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Client:
    """A registered application."""

    id: str
    name: str
    kind: Kind
    grant_types: tuple[str, ...]
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    secret_hash: bytes | None = None
    introspects: bool = False
    """May look at tokens that were issued to others (RFC 7662, 2.1)."""

    @property
    def asks_consent(self) -> bool:
        """Anybody on the same machine can pose as a public client, so its user is asked (RFC 8252, 8.6)."""
        return self.kind == "public"

    # What authlib's grants ask.

    def get_client_id(self) -> str:
        return self.id

    def get_default_redirect_uri(self) -> None:
        """None: an address must be said, exactly, each time (RFC 9700, 4.1.3)."""

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(it for it in dict.fromkeys((scope or "").split()) if it in self.scopes)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_allowed(redirect_uri, self.redirect_uris, any_port=self.kind == "public")

    def check_client_secret(self, client_secret: str) -> bool:
        return self.secret_hash is not None and hmac.compare_digest(
            self.secret_hash, secret_hash(client_secret)
        )

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Confidential clients send their secret, public ones have none to send."""
        return (method == "none") == (self.kind == "public")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and CODE in self.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types

    @property
    def client_metadata(self) -> dict[str, Any]:
        return {"post_logout_redirect_uris": list(self.post_logout_redirect_uris)}


def redirect_allowed(asked: str, registered: tuple[str, ...], *, any_port: bool) -> bool:
    """Whether the address is registered, byte for byte.

    With `any_port` a loopback one may have any port: programs on one's own machine take what is free (RFC 8252, 7.3).
    """
    if asked in registered:
        return True
    given = _LOOPBACK.fullmatch(asked) if any_port else None
    if given is None:
        return False
    known = (_LOOPBACK.fullmatch(uri) for uri in registered)
    return any(it is not None and it.groupdict() == given.groupdict() for it in known)


def origin_of(uri: str) -> str:
    """Scheme, host and port of an address, as a policy of the browser writes them."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def redirect_fault(uri: str) -> str | None:
    """Why an address cannot be registered; None when it can."""
    try:
        parts = urlsplit(uri)
        usable = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    except ValueError:
        usable = False
    if not usable or not parts.hostname or "@" in parts.netloc or re.search(r"[\s\"<>\\^`{|}]", uri):
        return f"{uri} must be an https address, or http on this machine (127.0.0.1, [::1] or localhost)"
    return f"{uri} must have no #fragment" if "#" in uri else None


def _is_loopback(host: str) -> bool:
    return host in ("127.0.0.1", "::1", "localhost")


def id_fault(client_id: str) -> str | None:
    """Why this cannot be a client's id; None when it can. It is also the last part of its secret's path."""
    if _ID.fullmatch(client_id):
        return None
    return f"{client_id!r} must be 3 to 40 small letters, digits and dashes, beginning with a letter"
