"""Signed messages: what was said is what was signed, by whom, where and when."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from joserfc.jwk import ECKey, Key
from joserfc.jws import JWSRegistry

from suuupra import jwks, signatures
from suuupra.signatures import BadSignature, Signer, Verifier

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATH = "/internal/v1/upi/ReqPay"
BODY = b'{"amount":1}'


@pytest.fixture
def key() -> ECKey:
    return signatures.generate_key()


@pytest.fixture
def verifier(key: ECKey) -> Verifier:
    async def find(sender: str, kid: str) -> Key | None:
        return key if (sender, kid) == ("asha", key.kid) else None

    return Verifier(find)


def signed(key: Key, sender: str = "asha", body: bytes = BODY) -> dict[str, str]:
    return Signer(key, sender).sign("POST", PATH, body, NOW)


async def test_a_signed_message_tells_its_sender(key: ECKey, verifier: Verifier) -> None:
    assert await verifier.verify("POST", PATH, BODY, signed(key), NOW) == "asha"


async def test_the_published_half_verifies_what_the_private_half_signed(key: ECKey) -> None:
    published = jwks.parse(json.dumps(signatures.public_jwks([key])))

    async def find(_: str, kid: str) -> Key | None:
        return published.get(kid)

    assert "d" not in signatures.public_jwks([key])["keys"][0]
    assert await Verifier(find).verify("POST", PATH, BODY, signed(key), NOW) == "asha"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", PATH, BODY),
        ("POST", PATH + "x", BODY),
        ("POST", PATH, BODY + b" "),
        ("POST", PATH, b""),
    ],
)
async def test_another_method_path_or_body_is_refused(
    key: ECKey, verifier: Verifier, method: str, path: str, body: bytes
) -> None:
    with pytest.raises(BadSignature):
        await verifier.verify(method, path, body, signed(key), NOW)


@pytest.mark.parametrize("seconds", [-121, 121, 3600])
async def test_a_message_of_another_time_is_refused(key: ECKey, verifier: Verifier, seconds: int) -> None:
    with pytest.raises(BadSignature):
        await verifier.verify("POST", PATH, BODY, signed(key), NOW + timedelta(seconds=seconds))


async def test_time_and_sender_cannot_be_changed(key: ECKey, verifier: Verifier) -> None:
    for header, value in (
        (signatures.TIME, "1767225700"),
        (signatures.TIME, "999999999999"),
        (signatures.TIME, "0"),
        (signatures.SENDER, "banyan"),
    ):
        with pytest.raises(BadSignature):
            await verifier.verify("POST", PATH, BODY, {**signed(key), header: value}, NOW)


async def test_a_key_that_the_sender_did_not_register_is_refused(verifier: Verifier) -> None:
    with pytest.raises(BadSignature):
        await verifier.verify("POST", PATH, BODY, signed(signatures.generate_key()), NOW)


def _forged(
    headers: Mapping[str, str], protected: Mapping[str, object], sign: Callable[[bytes], bytes]
) -> dict[str, str]:
    """Put together by hand, as an attacker does: the library refuses to."""
    payload = signatures._payload("POST", PATH, "asha", headers[signatures.TIME], BODY)
    first = _base64(json.dumps(protected).encode())
    signature = _base64(sign(f"{first}.{_base64(payload)}".encode()))
    return {**headers, signatures.SIGNATURE: f"{first}..{signature}"}


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_what_is_put_together_by_hand_and_right_is_taken(key: ECKey, verifier: Verifier) -> None:
    protected = {"alg": "ES256", "kid": key.kid, "typ": signatures.TYPE}
    right = _forged(signed(key), protected, partial(JWSRegistry().get_alg("ES256").sign, key=key))
    assert await verifier.verify("POST", PATH, BODY, right, NOW) == "asha"


async def test_t3_symmetric_and_absent_algorithms_are_refused(key: ECKey, verifier: Verifier) -> None:
    public = key.as_pem(private=False)
    protected = {"alg": "HS256", "kid": key.kid, "typ": signatures.TYPE}
    forged = _forged(signed(key), protected, lambda text: hmac.digest(public, text, "sha256"))
    with pytest.raises(BadSignature):
        await verifier.verify("POST", PATH, BODY, forged, NOW)
    none = {**signed(key), signatures.SIGNATURE: "eyJhbGciOiJub25lIn0.."}
    with pytest.raises(BadSignature):
        await verifier.verify("POST", PATH, BODY, none, NOW)


@pytest.mark.parametrize("extra", [{"crit": ["exp"]}, {"jwk": {}}, {"jku": "http://elsewhere"}])
async def test_t3_headers_that_bring_keys_or_rules_are_refused(
    key: ECKey, verifier: Verifier, extra: dict[str, object]
) -> None:
    protected = {"alg": "ES256", "kid": key.kid, "typ": signatures.TYPE, **extra}
    sign = partial(JWSRegistry().get_alg("ES256").sign, key=key)
    with pytest.raises(BadSignature):
        await verifier.verify("POST", PATH, BODY, _forged(signed(key), protected, sign), NOW)


@pytest.mark.parametrize(
    "signature", ["", "x", "..", "a..b", "YQ..b", "W10..x", "é..x", "eyJraWQiOnt9fQ..x", "a" * 2000]
)
async def test_what_is_no_signature_is_refused(key: ECKey, verifier: Verifier, signature: str) -> None:
    with pytest.raises(BadSignature):
        await verifier.verify("POST", PATH, BODY, {**signed(key), signatures.SIGNATURE: signature}, NOW)


async def test_without_headers_it_is_refused(verifier: Verifier) -> None:
    with pytest.raises(BadSignature) as refused:
        await verifier.verify("POST", PATH, BODY, {}, NOW)
    assert refused.value.status == 401
    assert refused.value.errors[0].field == "header.Message-Signature"


def test_a_text_is_signed_by_a_key_that_its_reader_knows(key: ECKey) -> None:
    signature = signatures.sign_text(key, "upi://pay?pa=a@b")
    known: dict[str, Key] = {str(key.kid): key}
    assert signatures.verify_text(known, "upi://pay?pa=a@b", signature)
    assert not signatures.verify_text(known, "upi://pay?pa=a@c", signature)
    assert not signatures.verify_text({}, "upi://pay?pa=a@b", signature)
    assert not signatures.verify_text(known, "upi://pay?pa=a@b", "nonsense")


async def test_a_signed_text_does_not_pass_for_a_message(key: ECKey, verifier: Verifier) -> None:
    headers = signed(key)
    text = signatures._payload("POST", PATH, "asha", headers[signatures.TIME], BODY).decode()
    forged = {**headers, signatures.SIGNATURE: signatures.sign_text(key, text)}
    with pytest.raises(BadSignature):
        await verifier.verify("POST", PATH, BODY, forged, NOW)
