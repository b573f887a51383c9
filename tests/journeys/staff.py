"""People of the staff: made by an operator's command, for only operators give roles."""

from __future__ import annotations

import os
import secrets

import httpx

from tests.cluster.kube import WORKLOADS, Kube

from .people import PASSWORD, Learner

FINANCE = "finance@staff.example"


def support(kube: Kube) -> Learner:
    """Somebody new of support, who signs in as everybody does."""
    person = Learner(name="Sam Support", email=f"sam.{secrets.token_hex(6)}@staff.example")
    create = ("create-user", person.email, "--name", person.name, "--role", "support")
    _identity(kube, f"SUUUPRA_NEW_PASSWORD={PASSWORD}", *create)
    return person


def finance_token(kube: Kube) -> str:
    """An access token of somebody who may give money back."""
    password = os.environ.get("SUUUPRA_NEW_PASSWORD", secrets.token_urlsafe(16))
    create = ("create-user", FINANCE, "--name", "Finance", "--role", "finance", "--keep")
    _identity(kube, f"SUUUPRA_NEW_PASSWORD={password}", *create)
    return _identity(kube, "NO_COLOR=1", "token", FINANCE)


def _identity(kube: Kube, variable: str, *words: str) -> str:
    command = ("env", variable, "python", "-m", "suuupra", "identity", *words)
    return kube.run("exec", "deployment/identity", "-n", WORKLOADS, "--", *command).stdout.strip()


def refund(platform_url: str, token: str, order: str) -> None:
    """All of an order, by the API."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"refund-{order}"}
    answer = httpx.post(f"{platform_url}/v1/orders/{order}/refunds", headers=headers, timeout=10)
    assert answer.status_code == 201, answer.text
