"""What Envoy itself answers: problem+json (RFC 9457) with a sentence on what to do, or a page for a browser."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from services.api_gateway.domain.envoy.messages import Message, extension, set_header
from services.api_gateway.domain.envoy.options import Options
from services.api_gateway.domain.envoy.security import TOKEN_POLICY
from suuupra.tokens import MAX_BYTES

_REASON: Final = "%LOCAL_REPLY_BODY%"
_BY_THE_VERIFIER: Final = "jwt_authn_access_denied"
"""How Envoy's verifier marks its refusals."""


@dataclass(frozen=True)
class Reply:
    """One kind of refusal. ``rule`` is what was broken, ``fix`` what the caller can do about it."""

    status: int
    slug: str
    title: str
    detail: str
    field: str
    rule: str
    fix: str
    headers: tuple[tuple[str, str], ...] = ()

    def problem(self) -> Message:
        """The body, with Envoy's command operators in it. Same shape as the services' own problems."""
        return {
            "type": f"urn:suuupra:problem:{self.slug}",
            "title": self.title,
            "status": "%RESPONSE_CODE%",
            "detail": self.detail,
            "instance": "%PATH(NQ)%",
            "request_id": "%REQ(x-request-id)%",
            "errors": [{"field": self.field, "rule": self.rule, "fix": self.fix}],
        }


def _retry(seconds: int) -> tuple[tuple[str, str], ...]:
    return (("Retry-After", str(seconds)),)


def replies(options: Options) -> dict[int, Reply]:
    """Every status Envoy answers by itself, in one place."""
    mebibytes = options.max_body_bytes // (1024 * 1024)
    known = (
        Reply(400, "bad-request", "The request is malformed", "The request could not be read as HTTP.",
              "request", "valid HTTP: one host, no escaped slashes in the path, no underscores in header names",
              "Send one Host header, the plain path, and header names with hyphens."),
        Reply(401, "unauthenticated", "The request is not authenticated", _REASON,
              "header.Authorization", _REASON, "Send a current access token: Authorization: Bearer <token>."),
        Reply(403, "forbidden", "The token does not allow this", "The token lacks a scope or role of this route.",
              "header.Authorization", "the token holds what WWW-Authenticate asks for",
              "Ask for a token with the scope that WWW-Authenticate names.",
              (("WWW-Authenticate", "%METADATA(ROUTE:suuupra:challenge)%"),)),
        Reply(404, "not-found", "There is nothing here", "No route serves this path.",
              "path", "the path belongs to a published route", "Compare the path with the API's description."),
        Reply(405, "method-not-allowed", "The method is not allowed here", "This path has no such method.",
              "method", "the method is one of the Allow header's", "Use a method that the Allow header names."),
        Reply(408, "request-timeout", "The request took too long to arrive", "The rest of the request did not come in time.",
              "body", f"no pause is longer than {options.idle_seconds:g} s", "Send the request again, without pauses."),
        Reply(413, "too-large", "The body is too large", f"A body has at most {mebibytes} MiB.",
              "body", f"at most {options.max_body_bytes} bytes", "Send less, or in parts."),
        Reply(426, "upgrade-required", "This version of HTTP is too old", "HTTP/1.0 is not spoken here.",
              "version", "HTTP/1.1 or HTTP/2", "Send the request in HTTP/1.1.", (("Upgrade", "HTTP/1.1"),)),
        Reply(429, "too-many-requests", "Too many requests", "This caller's limit on this route is used up.",
              "caller", "at most as many requests as each limit in RateLimit-Policy says", "Wait for Retry-After seconds, then go on."),
        Reply(431, "headers-too-large", "The headers are too large",
              f"All headers together have at most {options.max_header_kib} KiB.",
              "header", f"at most {options.max_header_kib} KiB and 100 fields", "Send fewer or shorter headers and cookies."),
        Reply(501, "not-implemented", "The request asks for what is not done here",
              "The body comes in a transfer coding that is not known here.",
              "header.Transfer-Encoding", "chunked, or none at all", "Send the body with a Content-Length, or chunked."),
        Reply(502, "bad-gateway", "The service answered badly", "The service behind this route sent no valid answer.",
              "service", "the service answers in HTTP", "Try again in a moment.", _retry(1)),
        Reply(503, "unavailable", "The service is not available", "The service behind this route cannot answer right now.",
              "service", "at least one instance is ready", "Try again after Retry-After seconds.", _retry(1)),
        Reply(504, "timeout", "The service took too long", "The service did not answer within this route's time.",
              "service", "an answer comes within the route's timeout", "Try again; a safe request may be repeated at once.", _retry(1)),
    )  # fmt: skip
    return {reply.status: reply for reply in known}


_UNACCEPTABLE: Final = Reply(
    401, "unauthenticated", "The request is not authenticated", "The token is not an access token of this platform.",
    "header.Authorization", f"typ at+jwt, a signed algorithm, a sub, a client_id, no crit, at most {MAX_BYTES} bytes",
    "Send an access token of this platform: Authorization: Bearer <token>.",
    (("WWW-Authenticate", 'Bearer error="invalid_token"'),),
)  # fmt: skip


def reply_config(options: Options) -> Message:
    """The local reply configuration: the first mapper that fits wins."""
    known = replies(options)
    mappers = [
        _mapper(_detail_has(TOKEN_POLICY), _UNACCEPTABLE, status=401),
        _mapper(_all_of(_detail_has(_BY_THE_VERIFIER), _status_is(403)), _unverified(known[401]), status=401),
        *_pages(options, known),
        *(_mapper(_status_is(reply.status), reply) for reply in known.values()),
    ]
    other = Reply(
        0, "error", "The request failed", _REASON, "request", _REASON, "Try again, or report the request id."
    )
    return {"mappers": mappers, "body_format": _json(other.problem())}


def _unverified(reply: Reply) -> Reply:
    """Envoy's verifier calls a foreign audience 403; to RFC 6750 (3.1) it is one more invalid token."""
    return replace(reply, headers=_UNACCEPTABLE.headers)


def _pages(options: Options, known: dict[int, Reply]) -> Iterator[Message]:
    """Browsers get a page, except from the API."""
    for status, document in sorted(options.error_pages.items()):
        yield {
            "filter": _all_of(_status_is(status), _ACCEPTS_HTML, _NOT_THE_API),
            "body_format_override": _html(document),
            "headers_to_add": _headers(known[status]),
        }


def _mapper(condition: Message, reply: Reply, *, status: int | None = None) -> Message:
    mapper: Message = {
        "filter": condition,
        "body_format_override": _json(reply.problem()),
        "headers_to_add": _headers(reply),
    }
    return mapper if status is None else {**mapper, "status_code": status}


def _headers(reply: Reply) -> list[Message]:
    return [
        set_header("cache-control", "no-store"),
        *(set_header(name, value) for name, value in reply.headers),
    ]


def _json(body: Message) -> Message:
    return {"json_format": body, "content_type": "application/problem+json"}


def _html(document: str) -> Message:
    text = document.replace("%", "%%")  # % starts a command operator
    return {"text_format_source": {"inline_string": text}, "content_type": "text/html; charset=utf-8"}


def _status_is(status: int) -> Message:
    value = {"default_value": status, "runtime_key": "gateway.unused"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _all_of(*conditions: Message) -> Message:
    return {"and_filter": {"filters": list(conditions)}}


def _detail_has(text: str) -> Message:
    """Matches Envoy's own reason for a reply, as in ``rbac_access_denied_matched_policy[…]``."""
    return {
        "extension_filter": extension(
            "envoy.access_loggers.extension_filters.cel",
            "extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            expression=f"response.code_details.contains('{text}')",
        )
    }


def _request_header(matcher: dict[str, Any]) -> Message:
    return {"header_filter": {"header": matcher}}


_ACCEPTS_HTML: Final = _request_header({"name": "accept", "string_match": {"contains": "text/html"}})
_NOT_THE_API: Final = _request_header(
    {"name": ":path", "string_match": {"prefix": "/v1/"}, "invert_match": True}
)
