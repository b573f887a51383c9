"""Who gets in. The refusals are check T3's list, at a service directly."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import APIRouter, Depends
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from suuupra.auth import MaybeUser, User, require_any_scope, require_scope
from suuupra.clock import FakeClock
from suuupra.jwks import InlineKeys
from suuupra.testing.issuer import Issuer
from suuupra.tests.http.conftest import AUDIENCE, ISSUER, Client
from suuupra.tokens import InvalidToken, Verifier

router = APIRouter()


@router.get("/me")
async def me(user: User) -> dict[str, Any]:
    return {"subject": user.subject, "roles": sorted(user.roles), "scopes": sorted(user.scopes)}


@router.get("/whoever")
async def whoever(user: MaybeUser) -> dict[str, Any]:
    return {"subject": user.subject if user else None}


@router.get("/orders", dependencies=[Depends(require_any_scope("orders:read", "ledger:read"))])
async def orders() -> dict[str, str]:
    return {}


@router.post("/courses", dependencies=[Depends(require_scope("content:write"))])
async def create_course() -> dict[str, Any]:
    return {}


Forge = Callable[..., str]


@pytest.fixture
def claims(clock: FakeClock) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "iat": now, "nbf": now, "exp": now + 600}


@pytest.fixture
def forge(issuer: Issuer, claims: dict[str, Any]) -> Forge:
    """A token by the issuer's own key, with some claims and header members changed; None leaves one out."""

    def token(header: dict[str, Any] | None = None, *, key: Any = None, **changed: Any) -> str:
        head = {"alg": "ES256", "typ": "at+jwt", "kid": issuer.key.kid} | (header or {})
        body = {name: value for name, value in (claims | changed).items() if value is not None}
        return _sign(head, json.dumps(body).encode(), key or issuer.key)

    return token


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _sign(header: dict[str, Any], payload: bytes, key: Any) -> str:
    """Sign whatever header is given, which the library would refuse to."""
    signing_input = f"{_b64(json.dumps(header).encode())}.{_b64(payload)}".encode()
    model = jws.JWSRegistry.algorithms[header["alg"]]
    return f"{signing_input.decode()}.{_b64(model.sign(signing_input, key))}"


@pytest.fixture
def verifier(issuer: Issuer, clock: FakeClock) -> Verifier:
    return Verifier(InlineKeys(json.dumps(issuer.jwks())), issuer=ISSUER, audience=AUDIENCE, clock=clock)


async def test_anonymous_caller_gets_401(make_app: Any, client: Client) -> None:
    async with client(make_app(router)) as http:
        answer = await http.get("/me")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["errors"][0]["field"] == "header.Authorization"


async def test_caller_with_a_token_is_known_by_subject_roles_and_scopes(
    make_app: Any, client: Client, bearer: Any
) -> None:
    async with client(make_app(router)) as http:
        answer = await http.get("/me", headers=bearer("creator"))
    assert answer.json() == {
        "subject": "some-creator",
        "roles": ["creator"],
        "scopes": ["commerce:write", "content:write"],
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"sub": "a\x00b"},
        {"sub": "a\nb"},
        {"sub": "\ud800"},
        {"sub": 7},
        {"org": "a\x00b"},
        {"scope": "content:write\x00"},
        {"roles": ["creator\x00"]},
    ],
)
async def test_claims_that_no_table_could_hold_refuse_the_token(
    make_app: Any, client: Client, forge: Forge, changed: dict[str, Any]
) -> None:
    async with client(make_app(router)) as http:
        answer = await http.get("/me", headers={"authorization": f"Bearer {forge(**changed)}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(("role", "status"), [("support", 200), ("finance", 200), ("creator", 403)])
async def test_one_of_several_scopes_is_enough_and_none_is_refused_naming_all(
    make_app: Any, client: Client, bearer: Any, role: str, status: int
) -> None:
    async with client(make_app(router)) as http:
        answer = await http.get("/orders", headers=bearer(role))
    assert answer.status_code == status
    if status == 403:
        challenge = 'Bearer error="insufficient_scope", scope="ledger:read orders:read"'
        assert answer.headers["www-authenticate"] == challenge
        assert (
            answer.json()["errors"][0]["rule"] == "must be a token with the scope ledger:read or orders:read"
        )


async def test_missing_scope_gets_403_naming_it(make_app: Any, client: Client, bearer: Any) -> None:
    async with client(make_app(router)) as http:
        refused = await http.post("/courses", headers=bearer("learner"))
        allowed = await http.post("/courses", headers=bearer("creator"))
    assert (refused.status_code, allowed.status_code) == (403, 200)
    assert refused.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="content:write"'
    assert refused.json()["errors"] == [
        {
            "field": "header.Authorization",
            "rule": "must be a token with the scope content:write",
            "fix": "ask for a token that has it",
        }
    ]


async def test_optional_user_is_nobody_without_a_token_but_a_bad_token_is_refused(
    make_app: Any, client: Client
) -> None:
    async with client(make_app(router)) as http:
        nobody = await http.get("/whoever")
        refused = await http.get("/whoever", headers={"authorization": "Bearer nonsense"})
    assert nobody.json() == {"subject": None}
    assert refused.status_code == 401


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic dTpw", "token", "Bearer a b"])
async def test_other_credentials_get_401(make_app: Any, client: Client, value: str) -> None:
    async with client(make_app(router)) as http:
        assert (await http.get("/me", headers={"authorization": value})).status_code == 401


async def test_two_authorization_headers_get_401(make_app: Any, client: Client, bearer: Any) -> None:
    twice = [("authorization", bearer("creator")["authorization"])] * 2
    async with client(make_app(router)) as http:
        assert (await http.get("/me", headers=twice)).status_code == 401


async def test_openapi_shows_the_bearer_scheme_and_its_refusals(make_app: Any) -> None:
    paths = make_app(router).openapi()["paths"]
    operation = paths["/me"]["get"]
    assert operation["security"] == [{"bearer": []}]
    assert paths["/whoever"]["get"]["security"] == [{"bearer": []}, {}]
    assert {"401", "403"} <= operation["responses"].keys()


# --- T3: tokens that must be refused -----------------------------------------------------------------------------


async def test_t3_an_untouched_token_is_accepted(verifier: Verifier, forge: Forge) -> None:
    assert (await verifier.verify(forge())).subject == "someone"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "http://other.test"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other", "others"]},
        {"aud": None},
        {"aud": {AUDIENCE: 1}},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": 0},
        {"nbf": 2**40},
        {"iat": 2**40},
        {"scope": ["content:write"]},
        {"roles": "creator"},
        {"org": 1},
    ],
    ids=str,
)
async def test_t3_wrong_claims_are_refused(verifier: Verifier, forge: Forge, changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(forge(**changed))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": ""},
        {"typ": "id+jwt"},
        {"typ": 1},
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"jku": "http://evil.test/jwks.json"},
        {"x5u": "http://evil.test/cert.pem"},
        {"x5c": ["MIIB"]},
        {"kid": "../../../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": "unknown"},
        {"kid": ""},
        {"kid": None},
        {"kid": ["a"]},
        {"zip": "DEF"},
    ],
    ids=str,
)
async def test_t3_wrong_headers_are_refused(verifier: Verifier, forge: Forge, header: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(forge(header))


async def test_t3_a_key_brought_in_the_header_is_refused(verifier: Verifier, forge: Forge) -> None:
    own = ECKey.generate_key("P-256", auto_kid=True)
    header = {"jwk": own.as_dict(private=False), "kid": own.kid}
    with pytest.raises(InvalidToken):
        await verifier.verify(forge(header, key=own))


async def test_t3_another_key_under_the_issuers_kid_is_refused(verifier: Verifier, forge: Forge) -> None:
    with pytest.raises(InvalidToken, match="signature"):
        await verifier.verify(forge(key=ECKey.generate_key("P-256")))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
async def test_t3_unsigned_tokens_are_refused(
    verifier: Verifier, issuer: Issuer, claims: dict[str, Any], alg: str
) -> None:
    header = {"alg": alg, "typ": "at+jwt", "kid": issuer.key.kid}
    unsigned = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}."
    with pytest.raises(InvalidToken):
        await verifier.verify(unsigned)


@pytest.mark.parametrize("form", [(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), (Encoding.X962, None)])
async def test_t3_hs256_with_the_public_key_as_secret_is_refused(
    verifier: Verifier,
    issuer: Issuer,
    claims: dict[str, Any],
    form: tuple[Encoding, PublicFormat | None],
) -> None:
    encoding, shape = form
    secret = issuer.key.public_key.public_bytes(encoding, shape or PublicFormat.UncompressedPoint)
    header = {"alg": "HS256", "typ": "at+jwt", "kid": issuer.key.kid}
    signing_input = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    with pytest.raises(InvalidToken):
        await verifier.verify(f"{signing_input}.{_b64(mac)}")


async def test_t3_oversized_tokens_are_refused_unread(verifier: Verifier, forge: Forge) -> None:
    with pytest.raises(InvalidToken, match="more than 8192 bytes"):
        await verifier.verify(forge(pad="x" * 9000))


async def test_t3_a_flipped_bit_anywhere_is_refused(verifier: Verifier, forge: Forge) -> None:
    token = forge()
    for position in range(0, len(token), 17):
        changed = "A" if token[position] != "A" else "B"
        with pytest.raises(InvalidToken):
            await verifier.verify(token[:position] + changed + token[position + 1 :])


@given(
    st.text(max_size=200)
    | st.lists(st.binary(max_size=60), min_size=3, max_size=3).map(lambda p: ".".join(map(_b64, p)))
)
async def test_t3_nonsense_is_refused_in_words(text: str) -> None:
    verifier = Verifier(_NoKeys(), issuer=ISSUER, audience=AUDIENCE, clock=FakeClock())
    with pytest.raises(InvalidToken):
        await verifier.verify(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), inner)
        ),
        max_leaves=20,
    )
)
async def test_t3_headers_of_any_json_are_refused_in_words(header: Any) -> None:
    verifier = Verifier(_NoKeys(), issuer=ISSUER, audience=AUDIENCE, clock=FakeClock())
    with pytest.raises(InvalidToken):
        await verifier.verify(f"{_b64(json.dumps(header).encode())}.{_b64(b'{}')}.{_b64(b'x' * 64)}")


class _NoKeys:
    async def find(self, kid: str) -> None:
        return None

    async def open(self) -> None: ...

    async def close(self) -> None: ...


# --- time and algorithms --------------------------------------------------------------------------------------


async def test_token_is_refused_once_it_has_expired_also_when_it_was_accepted_before(
    verifier: Verifier, forge: Forge, clock: FakeClock
) -> None:
    token = forge()
    await verifier.verify(token)
    clock.advance(600 + 30)
    with pytest.raises(InvalidToken, match="expired"):
        await verifier.verify(token)


async def test_token_may_live_for_ever_without_breaking_arithmetic(verifier: Verifier, forge: Forge) -> None:
    assert await verifier.verify(forge(exp=10**400))


async def test_clocks_may_differ_by_half_a_minute(verifier: Verifier, forge: Forge, clock: FakeClock) -> None:
    now = int(clock.now().timestamp())
    await verifier.verify(forge(exp=now - 29))
    await verifier.verify(forge(nbf=now + 29, iat=now + 29))


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", RSAKey.generate_key(2048, auto_kid=True)),
        ("Ed25519", OKPKey.generate_key("Ed25519", auto_kid=True)),
    ],
)
async def test_other_public_key_algorithms_are_accepted(
    forge: Forge, clock: FakeClock, algorithm: str, key: Any
) -> None:
    published = json.dumps({"keys": [key.as_dict(private=False)]})
    verifier = Verifier(InlineKeys(published), issuer=ISSUER, audience=AUDIENCE, clock=clock)
    assert await verifier.verify(forge({"alg": algorithm, "kid": key.kid}, key=key))


async def test_key_published_for_another_algorithm_is_not_used(forge: Forge, clock: FakeClock) -> None:
    key = RSAKey.generate_key(2048, auto_kid=True)
    published = json.dumps({"keys": [key.as_dict(private=False, alg="PS256")]})
    verifier = Verifier(InlineKeys(published), issuer=ISSUER, audience=AUDIENCE, clock=clock)
    with pytest.raises(InvalidToken):
        await verifier.verify(forge({"alg": "RS256", "kid": key.kid}, key=key))
