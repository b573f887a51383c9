"""What a person wants to hear: shown as it is, changed by a form, never over somebody else's change."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import get_args

import httpx
import pytest

from services.notifications.contract import Choice, Kind, Preferences
from services.web.domain.preferences import changed, groups
from services.web.tests.conftest import OURS, World
from services.web.tests.markup import RULES, one, tree

PATH = "/inbox/preferences"


def filled(page: httpx.Response, **other: object) -> dict[str, object]:
    """The form as it stands, with some fields otherwise."""
    root = tree(page)
    ticked = [str(it.attributes["value"]) for it in root.css("input[type=checkbox][checked]:not([disabled])")]
    language = one(root, "option[selected]").attributes["value"]
    etag = one(root, "input[name=etag]").attributes["value"]
    return {"etag": etag, "language": language, "wanted": ticked} | other


@pytest.mark.integration
async def test_choices_are_shown_as_they_are_and_linked_from_account_and_inbox(
    learner: httpx.AsyncClient, world: World
) -> None:
    world.post.wanted["orders", "email"] = False
    page = await learner.get(PATH)
    root = tree(page)
    assert len(root.css("input[type=checkbox]")) == 10
    assert "checked" not in one(root, "#orders-email").attributes
    owed = one(root, "#receipts-email").attributes
    assert {"checked", "disabled"} <= owed.keys()
    for rule in RULES:
        rule(page)
    for where in ("/account", "/inbox"):
        assert one(tree(await learner.get(where)), f"main a[href='{PATH}']").text()


@pytest.mark.integration
async def test_a_form_that_is_sent_changes_what_it_says_and_nothing_else(
    learner: httpx.AsyncClient, world: World
) -> None:
    before = dict(world.post.wanted)
    form = filled(await learner.get(PATH), language="hi")
    form["wanted"] = [it for it in form["wanted"] if it != "learning.email"]  # type: ignore[attr-defined]
    sent = await learner.post(PATH, data=form, headers=OURS)
    assert (sent.status_code, sent.headers["location"]) == (303, f"{PATH}?saved=true")
    assert world.post.wanted == before | {("learning", "email"): False}
    assert world.post.locale == "hi"
    saved = await learner.get(sent.headers["location"])
    assert one(tree(saved), "[role=status]").text(strip=True).startswith("Saved")
    assert one(tree(saved), "option[selected]").attributes["value"] == "hi"
    none = await learner.post(PATH, data=filled(saved, wanted=[], language="account"), headers=OURS)
    assert none.status_code == 303
    assert [key for key, wanted in world.post.wanted.items() if wanted] == [("receipts", "email")]
    assert world.post.locale is None


@pytest.mark.integration
async def test_what_was_changed_elsewhere_meanwhile_is_not_overwritten(
    learner: httpx.AsyncClient, world: World
) -> None:
    form = filled(await learner.get(PATH), language="hi")
    world.post.version += 1
    world.post.wanted["account", "inbox"] = False
    refused = await learner.post(PATH, data=form, headers=OURS)
    assert refused.status_code == 409
    assert "Nothing was saved" in one(tree(refused), "[role=alert]").text()
    assert "checked" not in one(tree(refused), "#account-inbox").attributes
    assert world.post.locale is None
    for rule in RULES:
        rule(refused)
    again = await learner.post(PATH, data=filled(refused, language="hi"), headers=OURS)
    assert again.status_code == 303
    assert world.post.locale == "hi"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("wrong", "ours", "foreigners"),
    [
        ({"language": "tlh"}, 422, 403),
        ({"etag": "1"}, 422, 403),
        ({"etag": ""}, 422, 403),
        ({"wanted": ["x"] * 11}, 422, 403),
        ({"wanted": "a" * 5000}, 413, 413),
    ],
)
async def test_a_form_that_is_wrong_changes_nothing(
    learner: httpx.AsyncClient, world: World, wrong: dict[str, object], ours: int, foreigners: int
) -> None:
    before = dict(world.post.wanted)
    form = filled(await learner.get(PATH), **wrong)
    assert (await learner.post(PATH, data=form, headers=OURS)).status_code == ours
    foreign = await learner.post(PATH, data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == foreigners
    assert (world.post.wanted, world.post.version) == (before, 1)


@pytest.mark.integration
async def test_while_notifications_is_away_the_page_says_so(learner: httpx.AsyncClient, world: World) -> None:
    world.network.failing["notifications"] = 503
    away = await learner.get(PATH)
    assert away.status_code == 503
    assert "Retry-After" in away.headers


@pytest.mark.integration
async def test_preferences_are_one_persons(shopper: httpx.AsyncClient) -> None:
    assert (await shopper.get(PATH)).headers["location"].startswith("/session/login?")


def _now(*choices: tuple[str, str, bool, bool]) -> Preferences:
    made = [
        Choice.model_validate(dict(zip(("category", "channel", "wanted", "required"), it, strict=True)))
        for it in choices
    ]
    return Preferences(locale=None, choices=made)


def test_only_what_differs_is_changed_and_never_what_is_owed() -> None:
    now = _now(
        ("receipts", "email", True, True), ("orders", "email", True, False), ("orders", "inbox", True, False),
        ("account", "email", False, False),
    )  # fmt: skip
    assert changed(now, ["orders.inbox", "account.email", "nonsense", "receipts.inbox"]) == [
        ("orders", "email", False),
        ("account", "email", True),
    ]


def test_every_kind_of_news_has_words_and_the_inbox_comes_first() -> None:
    found = groups(_now(("orders", "email", True, False), ("orders", "inbox", True, False)))
    assert [it.title for it in found] == ["Account", "Receipts and refunds", "Orders", "Payments", "Courses"]
    assert [box.name for box in found[2].boxes] == ["orders.inbox", "orders.email"]


TOLD_OF: Mapping[Kind, str] = {
    "welcome": "The welcome when you have joined",
    "order_paid": "Invoices with their numbers when you have paid",
    "order_refunded": "credit notes when money goes back",
    "order_expired": "an order was not paid in time",
    "order_canceled": "or was canceled",
    "payment_succeeded": "a payment has arrived",
    "payment_failed": "an attempt to pay failed",
    "entitlement_granted": "a course opens for you",
    "entitlement_revoked": "or closes",
}
"""What the page says of each kind."""


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_a_box_is_about_names_every_kind_that_it_switches(kind: Kind) -> None:
    rules = importlib.import_module("services.notifications.domain.kinds")
    now = Preferences(locale=None, choices=rules.choices({}))
    about = {box.name: group.about for group in groups(now) for box in group.boxes}
    for channel in rules.CHANNELS:
        assert TOLD_OF[kind] in about[f"{rules.CATEGORY[kind]}.{channel}"]
