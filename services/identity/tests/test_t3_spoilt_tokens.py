"""T3 at identity itself: no spoilt token passes, whatever is done to it, at whatever takes one."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jwt
from joserfc.jwk import ECKey

from services.identity.app import create_app
from services.identity.settings import Settings
from services.identity.tests.browser import Application, Browser, bearer, claims
from services.identity.tests.conftest import MakeUser
from services.identity.tests.process import Process
from suuupra.settings import example

pytestmark = pytest.mark.integration


class Forge:
    """A genuine token with its key, taken apart and put together wrongly."""

    def __init__(self, process: Process, tokens: dict[str, Any]) -> None:
        self.key = process.ring.signing(process.clock.now()).key
        self.tokens = tokens
        self.claims = dict(claims(process.ring, tokens["access_token"]))
        self.jwks = httpx.get(f"{process.url}/.well-known/jwks.json").text

    def head(self, **changed: Any) -> dict[str, Any]:
        whole = {"alg": "ES256", "typ": "at+jwt", "kid": self.key.kid, **changed}
        return {name: value for name, value in whole.items() if value is not None}

    def signed(self, head: dict[str, Any] | None = None, key: ECKey | None = None, **changed: Any) -> str:
        """Rightly signed, as a rule."""
        told = {name: value for name, value in {**self.claims, **changed}.items() if value is not None}
        first = f"{part(head or self.head())}.{part(told)}"
        private = (key or self.key).private_key
        assert private is not None
        der = private.sign(first.encode(), ec.ECDSA(hashes.SHA256()))
        raw = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(der))
        return f"{first}.{encoded(raw)}"

    def hmac(self, key: bytes) -> str:
        """The classic: the public key, known to all, taken for a shared secret."""
        first = f"{part(self.head(alg='HS256'))}.{part(self.claims)}"
        return f"{first}.{encoded(hmac.new(key, first.encode(), hashlib.sha256).digest())}"

    def with_own_key(self, header: Callable[[ECKey], dict[str, Any]]) -> str:
        """Signed by an attacker, who brings the key along."""
        key = ECKey.generate_key("P-256", {"kid": str(self.key.kid)})
        return self.signed(self.head(**header(key)), key)


def part(content: Any) -> str:
    return encoded(json.dumps(content).encode())


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def tampered(forge: Forge) -> str:
    head, _, signature = forge.tokens["access_token"].split(".")
    return (
        f"{head}.{part({**forge.claims, 'scope': 'openid ledger:write', 'roles': ['operator']})}.{signature}"
    )


SPOILT: dict[str, Callable[[Forge], str]] = {
    "alg none": lambda f: f"{part(f.head(alg='none'))}.{part(f.claims)}.",
    "alg none, odd case": lambda f: f"{part(f.head(alg='nOnE'))}.{part(f.claims)}.",
    "alg none with the old signature": lambda f: f"{part(f.head(alg='none'))}.{part(f.claims)}.{f.tokens['access_token'].split('.')[2]}",
    "HS256 with the public PEM": lambda f: f.hmac(f.key.as_pem(private=False)),
    "HS256 with the public JWKS": lambda f: f.hmac(f.jwks.encode()),
    "another key, same kid": lambda f: f.with_own_key(lambda key: {}),
    "jwk in the header": lambda f: f.with_own_key(lambda key: {"jwk": key.as_dict(private=False)}),
    "jku in the header": lambda f: f.with_own_key(lambda key: {"jku": "https://evil.example/jwks.json"}),
    "x5u in the header": lambda f: f.with_own_key(lambda key: {"x5u": "https://evil.example/cert.pem"}),
    "x5c in the header": lambda f: f.with_own_key(lambda key: {"x5c": ["MIIB"]}),
    "kid unknown": lambda f: f.signed(f.head(kid="key-2")),
    "kid missing": lambda f: f.signed(f.head(kid=None)),
    "kid traversal": lambda f: f.signed(f.head(kid="../../../../dev/null")),
    "kid SQL": lambda f: f.signed(f.head(kid="' UNION SELECT 'x' --")),
    "kid a list": lambda f: f.signed(f.head(kid=["x"])),
    "wrong issuer": lambda f: f.signed(iss="https://evil.example"),
    "wrong audience": lambda f: f.signed(aud="another-platform"),
    "no audience": lambda f: f.signed(aud=None),
    "wrong typ": lambda f: f.signed(f.head(typ="JWT")),
    "no typ": lambda f: f.signed(f.head(typ=None)),
    "crit unknown": lambda f: f.signed(f.head(crit=["x"], x=1)),
    "b64 crit": lambda f: f.signed(f.head(crit=["b64"], b64=False)),
    "expired": lambda f: f.signed(exp=1_700_000_000),
    "no expiry": lambda f: f.signed(exp=None),
    "not yet valid": lambda f: f.signed(nbf=9_000_000_000),
    "no subject": lambda f: f.signed(sub=None),
    "empty subject": lambda f: f.signed(sub=""),
    "tampered": tampered,
    "signature cut off": lambda f: f.tokens["access_token"].rpartition(".")[0] + ".",
    "oversized": lambda f: f.signed(padding="x" * 9000),
    "three dots": lambda f: f.tokens["access_token"] + ".x",
    "an ID token": lambda f: f.tokens["id_token"],
    "a refresh token": lambda f: f.tokens["refresh_token"],
    "garbage": lambda f: "not-a-token",
    "nested deep": lambda f: f"{encoded(b'[' * 3000)}.{part(f.claims)}.AAAA",
}  # fmt: skip


TAKES_A_TOKEN = [
    *(
        (method.upper(), path)
        for path, item in create_app(example(Settings, service="identity")).openapi()["paths"].items()
        for method, operation in item.items()
        if operation.get("security")
    ),
    ("GET", "/oauth/userinfo"),
    ("POST", "/oauth/userinfo"),
]
"""What its API says of itself, and OpenID Connect's own."""


async def ask(http: httpx.AsyncClient, method: str, path: str, token: str) -> httpx.Response:
    """A request that is done for whoever's token is believed."""
    change = {"name": "Mallory"} if method == "PATCH" else None
    return await http.request(method, path, headers={**bearer(token), "If-Match": "*"}, json=change)


@pytest.fixture
async def forge(provider: Process, person: Browser, shop: Application, new_user: MakeUser) -> Forge:
    user = await new_user(f"{secrets.token_hex(6)}@example.org")
    await person.sign_in(user.email)
    return Forge(provider, await shop.tokens(person))


async def test_t3_the_genuine_token_passes(forge: Forge, outside: httpx.AsyncClient) -> None:
    assert ("PATCH", "/v1/users/me") in TAKES_A_TOKEN
    for token in (forge.tokens["access_token"], forge.signed()):
        for method, path in TAKES_A_TOKEN:
            answer = await ask(outside, method, path, token)
            assert answer.status_code == 200, f"{method} {path}"


async def test_t3_a_spoilt_token_is_refused_everywhere(forge: Forge, outside: httpx.AsyncClient) -> None:
    for name, spoil in SPOILT.items():
        token = spoil(forge)
        for method, path in TAKES_A_TOKEN:
            answer = await ask(outside, method, path, token)
            assert answer.status_code == 401, f"{name} at {method} {path}"
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"
            assert forge.tokens["access_token"].split(".")[1] not in answer.text


async def test_t3_introspection_takes_no_spoilt_token_for_active(forge: Forge, web: Application) -> None:
    for name, spoil in SPOILT.items():
        if name != "a refresh token":  # which it is, and active
            assert not await web.is_active(spoil(forge)), name


async def test_t3_a_token_in_the_query_a_form_or_a_cookie_is_no_token(
    forge: Forge, outside: httpx.AsyncClient
) -> None:
    token = forge.tokens["access_token"]
    assert (await outside.get(f"/v1/users/me?access_token={token}")).status_code == 401
    assert (await outside.get("/v1/users/me", headers={"Cookie": f"access_token={token}"})).status_code == 401
    assert (await outside.post("/oauth/userinfo", data={"access_token": token})).status_code == 401
    two = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x")]
    assert (await outside.get("/v1/users/me", headers=two)).status_code == 401


async def test_t3_a_key_that_is_still_to_sign_and_one_that_has_signed_are_both_believed(
    forge: Forge, outside: httpx.AsyncClient, provider: Process
) -> None:
    published = {key["kid"] for key in json.loads(forge.jwks)["keys"]}
    assert forge.key.kid in published
    assert all("d" not in key for key in json.loads(forge.jwks)["keys"])
    token = jwt.encode(forge.head(), forge.claims, forge.key, ["ES256"])
    assert (await outside.get("/v1/users/me", headers=bearer(token))).status_code == 200
