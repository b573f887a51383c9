"""Access tokens that nobody may accept: each a genuine one of an issuer, spoilt in one way (check T3)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.jwk import ECKey

from suuupra.testing.issuer import Issuer


def spoilt(issuer: Issuer, subject: str | None = None) -> Mapping[str, str]:
    """What was done to it → the token, an operator's. Those of wrong claims are rightly signed."""
    genuine = issuer.mint("operator", subject)
    head, claims = (json.loads(_plain(part)) for part in genuine.split(".")[:2])
    own = ECKey.generate_key("P-256", {"kid": str(issuer.key.kid)})
    pem = issuer.key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def told(**changed: Any) -> str:
        return _signed(head, claims | changed, issuer.key)

    def headed(**changed: Any) -> str:
        return _signed(head | changed, claims, issuer.key)

    return {
        "alg none": _joined(head | {"alg": "none"}, claims) + ".",
        "alg none, the old signature": _joined(head | {"alg": "none"}, claims) + "." + genuine.split(".")[2],
        "HS256 over the public key": _mac(head | {"alg": "HS256"}, claims, pem),
        "another key under the kid": _signed(head, claims, own),
        "a key in jwk": _signed(head | {"jwk": own.as_dict(private=False)}, claims, own),
        "jku": _signed(head | {"jku": "https://evil.example/jwks.json"}, claims, own),
        "x5u": _signed(head | {"x5u": "https://evil.example/cert.pem"}, claims, own),
        "kid unknown": headed(kid="unknown"),
        "kid that traverses paths": headed(kid="../../../../dev/null"),
        "kid that injects SQL": headed(kid="' UNION SELECT 'x' --"),
        "wrong iss": told(iss="https://evil.example"),
        "wrong aud": told(aud="another-platform"),
        "wrong typ": headed(typ="JWT"),
        "crit unknown": headed(crit=["x"], x=1),
        "expired": told(exp=1_700_000_000),
        "more roles under the old signature": f"{_joined(head, claims | {'sub': 'a'})}.{genuine.split('.')[2]}",
        "too many bytes": told(padding="x" * 9000),
        "no token": "nonsense",
    }


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _plain(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _joined(head: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return f"{_coded(json.dumps(head).encode())}.{_coded(json.dumps(claims).encode())}"


def _signed(head: Mapping[str, Any], claims: Mapping[str, Any], key: ECKey) -> str:
    """Whatever the header is, which the library would refuse to sign."""
    signed = _joined(head, claims)
    return f"{signed}.{_coded(jws.JWSRegistry.algorithms['ES256'].sign(signed.encode(), key))}"


def _mac(head: Mapping[str, Any], claims: Mapping[str, Any], secret: bytes) -> str:
    signed = _joined(head, claims)
    return f"{signed}.{_coded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
