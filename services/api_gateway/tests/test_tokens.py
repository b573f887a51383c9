"""T3 at Envoy: no spoilt token passes; each is 401 with a challenge, on a route that needs one and where it is optional."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey

from services.api_gateway.domain.routes import Endpoint, Snapshot
from services.api_gateway.tests.rig import (
    Issuer,
    Rig,
    Upstream,
    bearer,
    claimed,
    eventually,
    running,
    service,
)
from suuupra.tokens import LEEWAY_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[Rig]:
    upstream = await Upstream.start()
    routes = (claimed("/user", auth="user"), claimed("/optional", auth="optional"))
    snapshot = Snapshot((service("content", *routes),), {"content": (Endpoint("127.0.0.1", upstream.port),)})
    async with running(snapshot) as made:
        yield made
    await upstream.stop()


def part(content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def unsigned(issuer: Issuer) -> str:
    return f"{part({'alg': 'none', 'typ': 'at+jwt', 'kid': 'key-1'})}.{part(issuer.claims())}."


def hmac_with_public_key(issuer: Issuer, key: bytes) -> str:
    """The classic: the public key, known to all, taken as a shared secret."""
    head = f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'key-1'})}.{part(issuer.claims())}"
    return f"{head}.{base64.urlsafe_b64encode(hmac.new(key, head.encode(), hashlib.sha256).digest()).rstrip(b'=').decode()}"


def with_own_key(issuer: Issuer, header: Callable[[ECKey], dict[str, Any]]) -> str:
    """Signed by an attacker, who brings the key along."""
    key = ECKey.generate_key("P-256", {"kid": "key-1"})
    return Issuer(key).token(header(key))


def tampered(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{part(issuer.claims(sub='someone-else'))}.{signature}"


def with_crit(issuer: Issuer) -> str:
    """Rightly signed, and demanding an extension that nobody here knows."""
    head = f"{part({'alg': 'ES256', 'typ': 'at+jwt', 'kid': 'key-1', 'crit': ['x'], 'x': 1})}.{part(issuer.claims())}"
    assert issuer.key.private_key
    der = issuer.key.private_key.sign(head.encode(), ec.ECDSA(hashes.SHA256()))
    raw = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(der))
    return f"{head}.{base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"


SPOILT: dict[str, Callable[[Issuer], str]] = {
    "alg none": unsigned,
    "alg none, odd case": lambda i: unsigned(i).replace(part({"alg": "none", "typ": "at+jwt", "kid": "key-1"}), part({"alg": "nOnE", "typ": "at+jwt"})),
    "HS256 with the public PEM": lambda i: hmac_with_public_key(i, i.key.as_pem(private=False)),
    "HS256 with the public JWKS": lambda i: hmac_with_public_key(i, i.jwks.encode()),
    "another key, same kid": lambda i: with_own_key(i, lambda key: {}),
    "jwk in the header": lambda i: with_own_key(i, lambda key: {"jwk": key.as_dict(private=False)}),
    "jku in the header": lambda i: with_own_key(i, lambda key: {"jku": "https://evil.example/jwks.json"}),
    "x5u in the header": lambda i: with_own_key(i, lambda key: {"x5u": "https://evil.example/cert.pem"}),
    "kid unknown": lambda i: i.token({"kid": "key-2"}),
    "kid traversal": lambda i: i.token({"kid": "../../../../dev/null"}),
    "kid SQL": lambda i: i.token({"kid": "' UNION SELECT 'x' --"}),
    "wrong issuer": lambda i: i.token(iss="https://evil.example"),
    "wrong audience": lambda i: i.token(aud="another-platform"),
    "no audience": lambda i: i.token(aud=None),
    "wrong typ": lambda i: i.token({"typ": "JWT"}),
    "id token": lambda i: i.token({"typ": "id+jwt"}),
    "no typ": lambda i: i.token({"typ": None}),
    "crit unknown": lambda i: with_crit(i),
    "expired": lambda i: i.token(exp=1_700_000_000),
    "no expiry": lambda i: i.token(exp=None),
    "not yet valid": lambda i: i.token(nbf=4_000_000_000),
    "no subject": lambda i: i.token(sub=None),
    "empty subject": lambda i: i.token(sub=""),
    "no client": lambda i: i.token(client_id=None),
    "empty client": lambda i: i.token(client_id=""),
    "a number for a client": lambda i: i.token(client_id=7),
    "a list of clients": lambda i: i.token(client_id=["web", "phone"]),
    "tampered": tampered,
    "signature cut off": lambda i: i.token().rpartition(".")[0] + ".",
    "oversized": lambda i: i.token(padding="x" * 9000),
    "three dots": lambda i: i.token() + ".x",
    "garbage": lambda i: "not-a-token",
    "empty": lambda i: "",
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
async def test_t3_a_spoilt_token_is_refused(rig: Rig, name: str) -> None:
    headers = bearer(SPOILT[name](rig.issuer)) if name != "empty" else {"Authorization": "Bearer"}
    answer = await rig.http.get("/user", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 401


@pytest.mark.parametrize("name", [name for name in SPOILT if name != "empty"])
async def test_t3_an_optional_token_is_good_or_refused(rig: Rig, name: str) -> None:
    answer = await rig.http.get("/optional", headers=bearer(SPOILT[name](rig.issuer)))
    assert answer.status_code == 401


async def test_a_token_without_a_client_is_told_that_it_needs_one(rig: Rig) -> None:
    """RFC 9068, 2.2. Limits count by it, so nobody passes who has none."""
    answer = await rig.http.get("/user", headers=bearer(rig.issuer.token(client_id=None)))
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    (error,) = answer.json()["errors"]
    assert (error["field"], "a client_id" in error["rule"]) == ("header.Authorization", True)


async def test_t3_refusals_do_not_repeat_the_token(rig: Rig) -> None:
    token = rig.issuer.token(iss="https://evil.example")
    assert token.split(".")[1] not in (await rig.http.get("/user", headers=bearer(token))).text


async def test_t3_a_token_in_the_query_or_a_cookie_is_no_token(rig: Rig) -> None:
    token = rig.issuer.token()
    assert (await rig.http.get(f"/user?access_token={token}")).status_code == 401
    assert (await rig.http.get("/user", headers={"Cookie": f"access_token={token}"})).status_code == 401


async def test_t3_a_cached_token_passes_until_it_expires_and_no_longer(rig: Rig) -> None:
    """Cached or not, its time is looked at each time it comes."""
    token = rig.issuer.token(exp=int(time.time()) - LEEWAY_SECONDS + 3)
    answers: list[int] = []

    async def refused() -> bool:
        answers.append((await rig.http.get("/user", headers=bearer(token))).status_code)
        return answers[-1] != 200

    await eventually(refused)
    assert len(answers) > 2, "it passed, and came out of the cache"
    assert answers[-1] == 401


async def test_both_spellings_of_the_type_pass(rig: Rig) -> None:
    for kind in ("at+jwt", "application/at+jwt"):
        assert (
            await rig.http.get("/user", headers=bearer(rig.issuer.token({"typ": kind})))
        ).status_code == 200
