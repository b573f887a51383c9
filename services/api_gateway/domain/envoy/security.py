"""Who may pass: token verification, and the rules on top of it that Envoy's verifier does not know.

The verifier (jwt_authn) checks signature, issuer, audience and times. It takes any `typ`, ignores `crit` and has no
limit on size, so a second filter refuses those tokens (RFC 8725, 3.10 and 3.11; RFC 7515, 4.1.11). Such a refusal
leaves an RBAC filter as 403; the local reply mapper turns it into the 401 it is.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from services.api_gateway.contract import PAYLOAD_HEADER
from services.api_gateway.domain.envoy.messages import (
    HEADER,
    JWT,
    PAYLOAD,
    Message,
    claim,
    exactly,
    extension,
    one_of,
    typed,
)
from services.api_gateway.domain.envoy.options import Keys, Options
from services.api_gateway.domain.routes import Auth
from suuupra.tokens import LEEWAY_SECONDS, MAX_BYTES, TYPES

PROVIDER: Final = "platform"
KEYS_CLUSTER: Final = "gateway-jwks"
ACCESS_FILTER: Final = "suuupra.access"
TOKEN_FILTER: Final = "suuupra.token"  # noqa: S105
TOKEN_POLICY: Final = "unacceptable-token"  # noqa: S105
ALGORITHMS: Final = ("ES256", "RS256")
"""Of the signatures the services accept, those Envoy's verifier knows by the same name."""

_SCHEMES: Final = ("Bearer", "bearer", "BEARER")
"""Its name has no case (RFC 9110, 11.1), but Envoy's prefixes have: the spellings that clients use."""
_LONG: Final = {"safe_regex": {"regex": ".{1000}.*"}}
"""Tokens worth measuring: the measuring (CEL) costs as much as all else that is done with a token."""
_SOME_TEXT: Final = {"string_match": {"safe_regex": {"regex": ".+"}}}
_CACHED_TOKENS: Final = 10_000
_REQUIREMENTS: Final = {Auth.USER: "user", Auth.OPTIONAL: "optional"}


def token_filter(options: Options) -> Message:
    """Verifies the bearer token of routes that ask for one, and caches what was found valid."""
    provider = {
        "issuer": options.issuer,
        "audiences": [options.audience],
        "require_expiration": True,
        "clock_skew_seconds": LEEWAY_SECONDS,
        "from_headers": [{"name": "Authorization", "value_prefix": f"{scheme} "} for scheme in _SCHEMES],
        "forward": True,
        "forward_payload_header": PAYLOAD_HEADER,
        "payload_in_metadata": PAYLOAD,
        "header_in_metadata": HEADER,
        "normalize_payload_in_metadata": {"space_delimited_claims": ["scope"]},
        "jwt_cache_config": {"jwt_cache_size": _CACHED_TOKENS, "jwt_max_token_size": MAX_BYTES},
        **_key_source(options.keys),
    }
    verified: Message = {"provider_name": PROVIDER}
    requirements = {
        _REQUIREMENTS[Auth.USER]: verified,
        _REQUIREMENTS[Auth.OPTIONAL]: {"requires_any": {"requirements": [verified, {"allow_missing": {}}]}},
    }
    return extension(
        JWT,
        "extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        providers={PROVIDER: provider},
        requirement_map=requirements,
    )


def _key_source(keys: Keys) -> Message:
    if keys.inline is not None:
        return {"local_jwks": {"inline_string": keys.inline}}
    remote = {
        "http_uri": {"uri": keys.url, "cluster": KEYS_CLUSTER, "timeout": "2s"},
        "cache_duration": "60s",
        "async_fetch": {"failed_refetch_duration": "1s"},
        "retry_policy": {"num_retries": 2},
    }
    return {"remote_jwks": remote}


def keys_cluster(keys: Keys) -> Message | None:
    """The upstream that publishes the issuer's keys; None when they are inline."""
    if keys.url is None:
        return None
    address = urlsplit(keys.url)
    secure = address.scheme == "https"
    host, port = address.hostname or "", address.port or (443 if secure else 80)
    endpoint = {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}
    cluster: Message = {
        "name": KEYS_CLUSTER,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": KEYS_CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    return {**cluster, "transport_socket": _tls(host)} if secure else cluster


def _tls(host: str) -> Message:
    authorities = {"trusted_ca": {"filename": "/etc/ssl/certs/ca-certificates.crt"}}
    names = [{"san_type": "DNS", "matcher": {"exact": host}}]
    return extension(
        "envoy.transport_sockets.tls",
        "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni=host,
        common_tls_context={"validation_context": {**authorities, "match_typed_subject_alt_names": names}},
    )


def acceptance_filter() -> Message:
    """Refuses verified tokens of a wrong type, algorithm or size, with `crit`, or without a subject or a client.

    RFC 9068 (2.2) requires both, and limits count by them: a token without would be counted nowhere.
    """
    present = claim(PAYLOAD, "iss", value={"present_match": True})
    wrong = [
        {
            "not_id": {
                "or_ids": {"ids": [claim(HEADER, "typ", value=exactly(kind)) for kind in sorted(TYPES)]}
            }
        },
        {"not_id": {"or_ids": {"ids": [claim(HEADER, "alg", value=exactly(name)) for name in ALGORITHMS]}}},
        claim(HEADER, "crit", value={"present_match": True}),
        *({"not_id": claim(PAYLOAD, name, value=_SOME_TEXT)} for name in ("sub", "client_id")),
    ]
    unacceptable = {"and_ids": {"ids": [present, {"or_ids": {"ids": wrong}}]}}
    any_permission = [{"any": True}]
    policies = {
        TOKEN_POLICY: {"permissions": any_permission, "principals": [unacceptable]},
        f"{TOKEN_POLICY}-size": {
            "permissions": [{"header": {"name": "authorization", "string_match": _LONG}}],
            "principals": [{"any": True}],
            "condition": _longer_than("authorization", MAX_BYTES + len("Bearer ")),
        },
    }
    rules = {"action": "DENY", "policies": policies}
    return extension(TOKEN_FILTER, "extensions.filters.http.rbac.v3.RBAC", rules=rules)


def _longer_than(header: str, size: int) -> Message:
    """CEL, as a syntax tree: ``size(request.headers[header]) > size``."""
    headers = {"select_expr": {"operand": {"ident_expr": {"name": "request"}}, "field": "headers"}}
    value = _call("_[_]", headers, {"const_expr": {"string_value": header}})
    return _call("_>_", _call("size", value), {"const_expr": {"int64_value": size}})


def _call(function: str, *arguments: Any) -> Message:
    return {"call_expr": {"function": function, "args": list(arguments)}}


def access_filter() -> Message:
    """Enforces what a route asks for; without a route's own rules it lets everything pass."""
    return extension(ACCESS_FILTER, "extensions.filters.http.rbac.v3.RBAC")


def token_rule(auth: Auth) -> Message:
    """The JWT filter's configuration on a route."""
    kind = "extensions.filters.http.jwt_authn.v3.PerRouteConfig"
    return (
        typed(kind, disabled=True) if auth is Auth.NONE else typed(kind, requirement_name=_REQUIREMENTS[auth])
    )


def access_rule(scopes: tuple[str, ...], roles: tuple[str, ...]) -> Message | None:
    """Every scope and one of the roles; None when a route asks for neither."""
    needed = [claim(PAYLOAD, "scope", value=one_of(scope)) for scope in scopes]
    if roles:
        granted = [claim(PAYLOAD, "roles", value=one_of(role)) for role in roles]
        needed.append({"or_ids": {"ids": granted}})
    if not needed:
        return None
    policy = {"permissions": [{"any": True}], "principals": [{"and_ids": {"ids": needed}}]}
    rules = {"action": "ALLOW", "policies": {"granted": policy}}
    return typed("extensions.filters.http.rbac.v3.RBACPerRoute", rbac={"rules": rules})


def challenge(scopes: tuple[str, ...]) -> str:
    """The WWW-Authenticate of a 403 (RFC 6750, 3.1)."""
    asked = f', scope="{" ".join(scopes)}"' if scopes else ""
    return f'Bearer error="insufficient_scope"{asked}'
