"""Secrets with generated credentials: the only place where a password exists in clear text."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from suuupra_operator.desired.environment import (
    cache_secret,
    database_secret,
    migration_secret,
    objects_secret,
)
from suuupra_operator.desired.subject import Manifest, Subject
from suuupra_operator.drift import written_by_others


def database_login(subject: Subject, login: str, password: str) -> Manifest:
    """The login that pods use now."""
    return _secret(subject, database_secret(subject), _login(subject, login, password))


def migration_login(subject: Subject, login: str, password: str) -> Manifest:
    """The login that the migration Job uses; its sessions act as the owner."""
    return _secret(subject, migration_secret(subject), _login(subject, login, password))


def objects_key(subject: Subject, access_key: str, secret_key: str) -> Manifest:
    """The key pair for the resource's own buckets."""
    return _secret(subject, objects_secret(subject), {"accessKey": access_key, "secretKey": secret_key})


def cache_login(subject: Subject, url: str, password: str) -> Manifest:
    """The resource's own user of Valkey."""
    return _secret(subject, cache_secret(subject), {"url": url, "password": password})


def decoded(secret: Mapping[str, object]) -> dict[str, str]:
    """Values of a Secret as text; what is not valid base64 or UTF-8 is left out, as if it were missing."""
    data = secret.get("data")
    values: dict[str, str] = {}
    for key, value in data.items() if isinstance(data, Mapping) else ():
        try:
            values[str(key)] = base64.b64decode(str(value), validate=True).decode()
        except ValueError:
            continue
    return values


def kept(secret: Mapping[str, Any]) -> dict[str, str]:
    """Credentials of a Secret as we wrote them. One that somebody wrote over is lost like one that was deleted: a
    value that came by hand is nothing that a server or a running pod knows."""
    by_hand = written_by_others(dict(secret))
    return {key: value for key, value in decoded(secret).items() if key not in by_hand}


def _login(subject: Subject, login: str, password: str) -> dict[str, str]:
    postgres = subject.platform.postgres
    address = f"{postgres.host}:{postgres.port}/{subject.database}"
    mode = "" if postgres.ssl_mode == "prefer" else f"?sslmode={postgres.ssl_mode}"
    return {
        "username": login,
        "password": password,
        "url": f"postgresql://{quote(login)}:{quote(password, safe='')}@{address}{mode}",
    }


def _secret(subject: Subject, name: str, values: Mapping[str, str]) -> Manifest:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return subject.manifest("v1", "Secret", name, "serve") | {"type": "Opaque", "data": data}
