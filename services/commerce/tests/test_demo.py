"""The demo offers the tutorial course through the public API, once however often it runs."""

import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from services.commerce import cli

COURSE = {"id": "0198c5a4-7d3e-7c1a-9c55-0242ac120002", "title": cli.TITLE, "summary": "Learn it."}


class Platform:
    """A platform that has published the tutorial, and hears of it in commerce after `deaf` questions."""

    def __init__(self, deaf: int = 0) -> None:
        self.deaf = deaf
        self.products: list[dict[str, Any]] = []
        self.coupons: list[dict[str, Any]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer a-token"
        at, body = (request.method, request.url.path), json.loads(request.content or b"{}")
        if at == ("GET", "/v1/courses"):
            return httpx.Response(200, json={"items": [COURSE]})
        if at == ("GET", "/v1/products"):
            return httpx.Response(200, json={"items": self.products})
        if at == ("POST", "/v1/products") and self.deaf:
            self.deaf -= 1
            return httpx.Response(422, json={"errors": [{"field": "body.course_id"}]})
        if at == ("POST", "/v1/products"):
            prices = [{"text": "499.00", "currency": "INR"}]
            variants = [{"id": "v", "title": one["title"], "prices": prices} for one in body["variants"]]
            self.products.append({**body, "variants": variants})
            return httpx.Response(201, json=self.products[-1])
        assert at == ("POST", "/v1/coupons")
        self.coupons.append(body)
        return httpx.Response(201 if len(self.coupons) == 1 else 409, json={})


def run(platform: Platform, monkeypatch: pytest.MonkeyPatch, *options: str) -> Any:
    real = httpx.Client

    def client(**given: Any) -> httpx.Client:
        return real(transport=httpx.MockTransport(platform.answer), **given)

    monkeypatch.setattr(httpx, "Client", client)
    monkeypatch.setattr(cli, "_PAUSE", 0)
    return CliRunner().invoke(cli.app, ["demo", "--token", "a-token", *options])


def test_the_demo_offers_the_course_and_a_coupon_and_twice_is_once(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform(deaf=2)
    for _ in range(2):
        result = run(platform, monkeypatch)
        monkeypatch.undo()
        assert result.exit_code == 0, result.output
    assert len(platform.products) == 1
    assert platform.products[0]["tax_permille"] == 180
    assert "499.00 INR" in result.output
    assert cli.COUPON in result.output


def test_a_course_that_is_not_published_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(Platform(), monkeypatch, "--title", "Nothing")
    assert result.exit_code == 1
    assert "publish it first" in result.output
