"""What is taken off a request before anything looks at it, and how paths are read."""

from collections.abc import Iterator

from services.api_gateway.contract import PAYLOAD_HEADER
from services.api_gateway.domain.asking import TOLD
from services.api_gateway.domain.envoy.messages import Message, extension, set_header
from services.api_gateway.domain.envoy.options import Options

_OWN = tuple(f"x-ratelimit-{name}" for name in ("limit", "remaining", "reset"))
"""What Envoy tells of its own buckets."""
NOT_THEIRS = ["ratelimit", "ratelimit-policy", *_OWN, TOLD]
"""Taken off the answers of services before the gateway writes its own: nobody could tell whose they are."""
_ROUTE = "%METADATA(ROUTE:suuupra:"


def header_hygiene(options: Options) -> list[Message]:
    """Headers that only the platform may set are removed; X-Forwarded-* stays when a trusted proxy is in front."""
    removed = [
        _prefix("x-suuupra-"),
        _prefix("x-envoy-"),
        _exact(PAYLOAD_HEADER),
        _exact("forwarded"),
        _exact("x-real-ip"),
    ]
    removed += [] if options.trusted_hops else [_prefix("x-forwarded-")]
    return [
        extension(
            "envoy.http.early_header_mutation.header_mutation",
            "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            mutations=[{"remove_on_match": {"key_matcher": matcher}} for matcher in removed],
        )
    ]


def addresses(options: Options) -> Message:
    """Whose address counts. No caller is internal: behind a node port even strangers come from a private address."""
    nobody = {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]}
    return {
        "use_remote_address": True,
        "xff_num_trusted_hops": options.trusted_hops,
        "internal_address_config": nobody,
    }


def paths() -> Message:
    """One spelling per path: dot segments and doubled slashes resolved, escaped slashes refused with 400."""
    return {
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
    }


def answer_headers() -> Message:
    """Headers of every answer: the RateLimit fields of the standard, and nothing about the software behind.

    An empty value writes nothing. So the field is there first if this gateway counted, then gets its form, and then what
    all gateways counted together is written over it, which says more.
    """
    _, remaining, reset = _OWN
    own = f'"{_ROUTE}limit_name)%";r=%RESP({remaining})%;t=%RESP({reset})%'
    written = [
        set_header("RateLimit-Policy", f"{_ROUTE}policy)%"),
        set_header("RateLimit", f"%RESP({remaining})%"),
        {**set_header("RateLimit", own), "append_action": "OVERWRITE_IF_EXISTS"},
        set_header("RateLimit", f"%RESP({TOLD})%"),
    ]
    gone = [*_OWN, TOLD, "server", "x-powered-by"]
    mutations = [*({"append": header} for header in written), *({"remove": name} for name in gone)]
    return extension(
        "suuupra.answer-headers",
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"response_mutations": mutations},
    )


def _prefix(text: str) -> Message:
    return {"prefix": text, "ignore_case": True}


def _exact(text: str) -> Message:
    return {"exact": text, "ignore_case": True}


def compressors() -> Iterator[Message]:
    """Brotli where the client knows it, else gzip, for text of at least 1 KiB; never for event streams and parts."""
    yield _compressor("brotli", "compression.brotli.compressor.v3.Brotli", quality=4, window_bits=18)
    yield _compressor(
        "gzip", "compression.gzip.compressor.v3.Gzip", compression_level="COMPRESSION_LEVEL_3", window_bits=12
    )


def _compressor(name: str, kind: str, **fields: object) -> Message:
    return extension(
        f"suuupra.{name}",
        "extensions.filters.http.compressor.v3.Compressor",
        response_direction_config={
            "common_config": {
                "min_content_length": 1024,
                "content_type_matcher": [_prefix(kind) for kind in _COMPRESSED],
            },
            "weaken_etag_on_compress": True,
            "uncompressible_response_codes": [_PARTIAL],
        },
        compressor_library=extension(f"{name}", f"extensions.{kind}", **fields),
        choose_first=name == "brotli",
    )


_PARTIAL = 206
"""A range counts the bytes of the whole as it is stored, not those of its compressed form (RFC 9110, 14.4)."""
_COMPRESSED = (
    "text/html",
    "text/css",
    "text/plain",
    "text/javascript",
    "application/javascript",
    "application/json",
    "application/problem+json",
    "image/svg+xml",
)
