"""People of the staff: made by an operator's command, for only operators give roles."""

from __future__ import annotations

import secrets

import httpx

from tests.cluster.books import identity
from tests.cluster.kube import Kube

from .people import PASSWORD, Learner


def support(kube: Kube) -> Learner:
    """Somebody new of support, who signs in as everybody does."""
    person = Learner(name="Sam Support", email=f"sam.{secrets.token_hex(6)}@staff.example")
    create = ("create-user", person.email, "--name", person.name, "--role", "support")
    identity(kube, f"SUUUPRA_NEW_PASSWORD={PASSWORD}", *create)
    return person


def refund(platform_url: str, token: str, order: str) -> None:
    """All of an order, by the API."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"refund-{order}"}
    answer = httpx.post(f"{platform_url}/v1/orders/{order}/refunds", headers=headers, timeout=10)
    assert answer.status_code == 201, answer.text
