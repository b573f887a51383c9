"""Small builders for messages that many parts of the configuration use."""

from typing import Any, Final

Message = dict[str, Any]

JWT: Final = "envoy.filters.http.jwt_authn"
PAYLOAD: Final = "payload"
"""Key, in the metadata of the JWT filter, of the verified claims."""
HEADER: Final = "header"
"""Key, in the metadata of the JWT filter, of the verified token's JOSE header."""


def typed(kind: str, **fields: Any) -> Message:
    """A ``google.protobuf.Any`` of the message ``kind`` (its full name without ``envoy.``)."""
    return {"@type": f"type.googleapis.com/envoy.{kind}", **fields}


def extension(name: str, kind: str, **fields: Any) -> Message:
    """A named extension with its typed configuration."""
    return {"name": name, "typed_config": typed(kind, **fields)}


def duration(seconds: float) -> str:
    """Protocol-buffer JSON of a duration: ``0.25s``."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def tcp(address: str, port: int) -> Message:
    return {"socket_address": {"address": address, "port_value": port}}


def files(path: Any) -> Message:
    """A configuration source that follows one file; Envoy reads it again when it is renamed into place."""
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def claim(*keys: str, value: Message) -> Message:
    """An RBAC principal that holds when the verified token matches: ``claim("payload", "sub", value=…)``."""
    matcher = {"filter": JWT, "path": [{"key": key} for key in keys], "value": value}
    return {"sourced_metadata": {"metadata_matcher": matcher, "metadata_source": "DYNAMIC"}}


def exactly(text: str) -> Message:
    return {"string_match": {"exact": text}}


def one_of(text: str) -> Message:
    """Matches a list that holds ``text``."""
    return {"list_match": {"one_of": exactly(text)}}


def percent(number: int) -> Message:
    return {"numerator": number, "denominator": "HUNDRED"}


def set_header(key: str, value: str) -> Message:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
