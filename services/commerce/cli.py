"""`python -m suuupra commerce …`: what people do with the shop."""

import time
from typing import Annotated, Any, Final

import httpx
import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(highlight=False, soft_wrap=True, stderr=True)

TITLE: Final = "The Python Tutorial"
COUPON: Final = "WELCOME10"
_PAUSE: Final = 0.5
"""Seconds between two questions whether commerce has heard of the course."""

VARIANTS: Final[list[dict[str, Any]]] = [
    {
        "title": "Self-paced",
        "prices": [
            {"currency": "INR", "amount": "499.00"},
            {"currency": "USD", "amount": "6.99"},
            {"currency": "JPY", "amount": "900"},
            {"currency": "KWD", "amount": "1.750"},
        ],
    },
    {
        "title": "Cohort with a mentor",
        "capacity": 30,
        "prices": [{"currency": "INR", "amount": "2499.00"}, {"currency": "USD", "amount": "34.99"}],
    },
]


class DemoFailed(Exception):
    """The API refused, or is not there; the text says what to do."""


@app.callback()
def commerce() -> None:
    """The shop."""


@app.command()
def demo(
    token: Annotated[
        str, typer.Option(envvar="TOKEN", help="An access token with commerce:write, of an operator.")
    ],
    base_url: Annotated[str, typer.Option(help="Where the platform is.")] = "http://localhost:8080",
    title: Annotated[str, typer.Option(help="The published course to offer.")] = TITLE,
    limit: Annotated[float, typer.Option(help="Seconds to wait until commerce knows the course.")] = 60.0,
) -> None:
    """Offer the tutorial course (₹499, 18 % GST inside) and a coupon, through the public API. Twice is once."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=base_url, headers=headers, timeout=15) as client:
            product = offer(client, title, limit)
            code = coupon(client)
    except (DemoFailed, httpx.TransportError) as error:
        _err.print(f"[bold red]error:[/bold red] {error}")
        raise typer.Exit(1) from None
    for variant in product["variants"]:
        prices = ", ".join(f"{price['text']} {price['currency']}" for price in variant["prices"])
        _out.print(
            f"{product['title']} · {variant['title']}: {prices} (variant {variant['id']})", markup=False
        )
    _out.print(f"coupon {code}: 10 % off, once for each learner", markup=False)


def offer(client: httpx.Client, title: str, limit: float = 60.0) -> dict[str, Any]:
    """The product that opens the course of that title; made unless it is there. Raises DemoFailed."""
    course = _course(client, title)
    there = _answer(client.get("/v1/products", params={"course_id": course["id"]}))["items"]
    if there:
        first: dict[str, Any] = there[0]
        return first
    body = {
        "title": course["title"],
        "description": course["summary"],
        "course_id": course["id"],
        "tax_permille": 180,
        "variants": VARIANTS,
    }
    deadline = time.monotonic() + limit
    while True:
        made = client.post("/v1/products", json=body, headers={"Idempotency-Key": f"demo-{course['id']}"})
        if not _unheard_of(made) or time.monotonic() > deadline:
            return _answer(made)
        time.sleep(_PAUSE)


def coupon(client: httpx.Client) -> str:
    """The demo's coupon; made unless it is there."""
    body = {"code": COUPON, "permille": 100, "platform": True}
    made = client.post("/v1/coupons", json=body, headers={"Idempotency-Key": "demo-coupon"})
    if made.status_code != httpx.codes.CONFLICT:
        _answer(made)
    return COUPON


def _course(client: httpx.Client, title: str) -> dict[str, Any]:
    found = _answer(client.get("/v1/courses", params={"q": title}))["items"]
    course: dict[str, Any] | None = next((one for one in found if one["title"] == title), None)
    if course is None:
        raise DemoFailed(f"there is no published course {title!r}: publish it first, then run this again")
    return course


def _unheard_of(answer: httpx.Response) -> bool:
    """Whether commerce has not heard of the course yet: its event is on the way."""
    if answer.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
        return False
    return any(error["field"] == "body.course_id" for error in answer.json().get("errors", []))


def _answer(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise DemoFailed(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:500]}"
        )
    body: dict[str, Any] = answer.json()
    return body
