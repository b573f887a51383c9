"""The environment of a pod: what the kit's settings classes read (suuupra/settings.py)."""

from __future__ import annotations

import json
from typing import Any

from suuupra_operator.desired import access, keyspace
from suuupra_operator.desired.subject import HTTP_PORT, OPS_PORT, Subject, version_of

Variable = dict[str, Any]


def environment(subject: Subject, image: str, *, secret: str | None = None) -> list[Variable]:
    """Variables of every container of the resource. ``secret`` names the database's Secret; default: the pods' login."""
    plain = _identity(subject, image) | _kafka(subject) | _auth(subject) | _calls(subject)
    plain |= _secrets(subject) | _mail(subject)
    variables = [_plain(name, value) for name, value in plain.items()]
    variables += _database(subject, secret or database_secret(subject))
    variables += _objects(subject) + _cache(subject)
    return variables + [_plain(name, value) for name, value in sorted(subject.spec.env.items())]


def database_secret(subject: Subject) -> str:
    """Secret with the login that the pods use."""
    return f"{subject.name}-db"


def migration_secret(subject: Subject) -> str:
    """Secret with the login that runs migrations as the owner."""
    return f"{subject.name}-db-owner"


def objects_secret(subject: Subject) -> str:
    """Secret with the key pair for the resource's buckets."""
    return f"{subject.name}-objects"


def cache_secret(subject: Subject) -> str:
    """Secret with the login of Valkey."""
    return f"{subject.name}-cache"


def buckets(subject: Subject) -> dict[str, str]:
    """Real bucket name by declared name."""
    return {bucket.name: f"{subject.name}-{bucket.name}" for bucket in subject.spec.buckets}


def _identity(subject: Subject, image: str) -> dict[str, str]:
    return {
        "SUUUPRA_SERVICE": subject.service,
        "SUUUPRA_NAME": subject.name,
        "SUUUPRA_VERSION": version_of(image),
        "SUUUPRA_PROFILE": subject.platform.profile,
        "SUUUPRA_PUBLIC_URL": subject.platform.public_url,
        "SUUUPRA_LOG_LEVEL": subject.platform.defaults.log_level,
        "SUUUPRA_HTTP_PORT": str(HTTP_PORT),
        "SUUUPRA_OPS_PORT": str(OPS_PORT),
    }


def _kafka(subject: Subject) -> dict[str, str]:
    if not subject.spec.works:
        return {}
    return {"SUUUPRA_KAFKA_BOOTSTRAP": subject.platform.kafka.bootstrap_servers}


def _auth(subject: Subject) -> dict[str, str]:
    auth = subject.platform.auth
    if auth is None:
        return {}
    keys = {"SUUUPRA_JWKS": auth.jwks} if auth.jwks else {"SUUUPRA_JWKS_URL": auth.jwks_url or ""}
    return {"SUUUPRA_ISSUER": auth.issuer, "SUUUPRA_AUDIENCE": auth.audience} | keys


def _calls(subject: Subject) -> dict[str, str]:
    return {
        f"SUUUPRA_URL_{called.upper().replace('-', '_')}": f"http://{called}.{subject.namespace}.svc:{HTTP_PORT}"
        for called in sorted(subject.spec.calls)
    }


def _database(subject: Subject, secret: str) -> list[Variable]:
    if subject.database is None:
        return []
    return [
        _from_secret("SUUUPRA_DATABASE_URL", secret, "url"),
        _plain("SUUUPRA_DATABASE_OWNER", f"{subject.database}_owner"),
    ]


def _objects(subject: Subject) -> list[Variable]:
    if not subject.spec.buckets:
        return []
    secret = objects_secret(subject)
    return [
        _plain("SUUUPRA_OBJECTS_ENDPOINT", subject.platform.objects.endpoint),
        _plain("SUUUPRA_OBJECTS_REGION", subject.platform.objects.region),
        _from_secret("SUUUPRA_OBJECTS_ACCESS_KEY", secret, "accessKey"),
        _from_secret("SUUUPRA_OBJECTS_SECRET_KEY", secret, "secretKey"),
        _plain("SUUUPRA_BUCKETS", json.dumps(buckets(subject), sort_keys=True)),
    ]


def _secrets(subject: Subject) -> dict[str, str]:
    """The pods' token for it is projected (`pod`)."""
    store = subject.platform.secret_store
    if subject.spec.secrets is None or store is None:
        return {}
    return {
        "SUUUPRA_OPENBAO_URL": store.address,
        "SUUUPRA_OPENBAO_ROLE": access.name_of(subject.name),
        "SUUUPRA_OPENBAO_TOKEN_PATH": f"{access.TOKEN_FOLDER}/token",
    }


def _mail(subject: Subject) -> dict[str, str]:
    server = subject.platform.mail
    if not subject.spec.mail or server is None:
        return {}
    return {
        "SUUUPRA_SMTP_HOST": server.host,
        "SUUUPRA_SMTP_PORT": str(server.port),
        "SUUUPRA_SMTP_SENDER": server.sender,
    }


def _cache(subject: Subject) -> list[Variable]:
    if not subject.spec.cache or subject.platform.valkey is None:
        return []
    return [
        _from_secret("SUUUPRA_VALKEY_URL", cache_secret(subject), "url"),
        _plain("SUUUPRA_VALKEY_PREFIX", keyspace.prefix(subject)),
    ]


def _plain(name: str, value: str) -> Variable:
    return {"name": name, "value": value}


def _from_secret(name: str, secret: str, key: str) -> Variable:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
