"""What a resource's pods may do in the secret store: its policy, and the role that they log in as. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from suuupra_operator.desired.subject import Subject
from suuupra_operator.models import SuuupraServiceSpec

MOUNT = "suuupra"
"""Of the KV engine (version 2)."""
AUDIENCE = "openbao"
"""Of the tokens that pods log in with, which therefore open nothing else."""
TOKEN_FOLDER = "/var/run/secrets/openbao"  # noqa: S105 - a path
PREFIX = "suuupra-"
TOKEN_SECONDS = 3600
Role = Mapping[str, Any]
_WIDER = ("bound_service_account_namespace_selector", "token_bound_cidrs", "token_period")
"""What we never set: it lets in others, or for longer."""


def name_of(name: str) -> str:
    """Of the policy and of the role; the prefix is what the operator's own account may touch."""
    return f"{PREFIX}{name}"


def policy(name: str, granted: Iterable[str]) -> str:
    """All below its own name; of others exactly what they grant. No path has a wildcard that a resource wrote."""
    own = [
        _rule(f"{MOUNT}/data/{name}/*", "create", "read", "update", "delete"),
        _rule(f"{MOUNT}/metadata/{name}/*", "read", "list", "delete"),
    ]
    return "\n".join([*own, *(_rule(f"{MOUNT}/data/{path}", "read") for path in sorted(set(granted)))]) + "\n"


def role(subject: Subject) -> Role:
    """Whose tokens it takes: the resource's own service account, with our audience."""
    return {
        "bound_service_account_names": [subject.name],
        "bound_service_account_namespaces": [subject.namespace],
        "audience": AUDIENCE,
        "token_policies": [name_of(subject.name)],
        "token_ttl": TOKEN_SECONDS,
        "token_max_ttl": TOKEN_SECONDS,
    }


def same_role(live: Role | None, wanted: Role) -> bool:
    """Whether a role is as wanted; what the store adds to it is ignored, what somebody widened is not."""
    if live is None or live.get("token_type") == "batch" or any(live.get(key) for key in _WIDER):
        return False
    return all(_plain(live.get(key)) == _plain(value) for key, value in wanted.items())


def grants(owner: str, spec: SuuupraServiceSpec, reader: str) -> list[str]:
    """Paths of ``owner`` that it lets ``reader`` read."""
    if spec.secrets is None:
        return []
    return [f"{owner}/{grant.path}" for grant in spec.secrets.grants if reader in grant.to]


def _rule(path: str, *capabilities: str) -> str:
    listed = ", ".join(f'"{capability}"' for capability in capabilities)
    return f'path "{path}" {{ capabilities = [{listed}] }}'


def _plain(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, list) else value
