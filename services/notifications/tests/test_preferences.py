"""What people choose to hear."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.notifications.tests.conftest import Deliver
from services.notifications.tests.happenings import Learner

pytestmark = pytest.mark.integration

PATH = "/v1/notification-preferences"
As = Callable[..., httpx.AsyncClient]


def off(category: str, channel: str) -> dict[str, Any]:
    return {"category": category, "channel": channel, "wanted": False}


def wanted(preferences: dict[str, Any]) -> dict[tuple[str, str], bool]:
    return {(it["category"], it["channel"]): it["wanted"] for it in preferences["choices"]}


async def test_everything_there_is_to_choose_is_listed_before_anything_was_chosen(client_as: As) -> None:
    found = (await client_as("learner", str(Learner().id)).get(PATH)).json()
    assert len(found["choices"]) == 10
    assert found["locale"] is None
    assert [(it["category"], it["channel"]) for it in found["choices"] if it["required"]] == [
        ("receipts", "email")
    ]


async def test_a_choice_is_kept_and_the_others_stay(happen: Deliver, client_as: As) -> None:
    learner = Learner()
    me, peer = client_as("learner", str(learner.id)), client_as("learner", str(Learner().id))
    before = (await me.get(PATH)).json()
    changed = await me.patch(
        PATH, json={"choices": [off("orders", "email")], "locale": "hi"}, headers={"If-Match": "*"}
    )
    assert changed.status_code == 200, changed.text
    await happen(learner.signed_up())
    after = (await me.get(PATH)).json()
    assert after == changed.json()
    assert after["locale"] == "hi"
    assert wanted(after) == {**wanted(before), ("orders", "email"): False}
    assert (await peer.get(PATH)).json() == before
    tag = (await me.get(PATH)).headers["ETag"]
    back = await me.patch(PATH, json={"locale": "account"}, headers={"If-Match": tag})
    assert back.json()["locale"] is None
    assert wanted(back.json()) == wanted(after)


async def test_a_receipt_by_mail_cannot_be_switched_off_and_nothing_else_is_then(client_as: As) -> None:
    me = client_as("learner", str(Learner().id))
    body = {"choices": [off("orders", "email"), off("receipts", "email")]}
    refused = await me.patch(PATH, json=body, headers={"If-Match": "*"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "body.choices[1].wanted"
    assert wanted((await me.get(PATH)).json())[("orders", "email")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"locale": "fr"}, "body.locale"),
        ({"choices": [off("spam", "email")]}, "body.choices[0].category"),
        ({"choices": [off("orders", "pigeon")]}, "body.choices[0].channel"),
        ({"choices": [off("orders", "email")] * 21}, "body.choices"),
        ({"loud": True}, "body.loud"),
    ],
)
async def test_what_cannot_be_chosen_is_named(client_as: As, body: dict[str, Any], field: str) -> None:
    refused = await client_as("learner", str(Learner().id)).patch(PATH, json=body, headers={"If-Match": "*"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"].startswith(field)


async def test_an_edit_of_what_was_changed_meanwhile_is_refused(client_as: As) -> None:
    me = client_as("learner", str(Learner().id))
    tag = (await me.get(PATH)).headers["ETag"]
    assert (await me.patch(PATH, json={"locale": "hi"})).status_code == 428
    assert (await me.patch(PATH, json={"locale": "hi"}, headers={"If-Match": tag})).status_code == 200
    assert (await me.patch(PATH, json={"locale": "en"}, headers={"If-Match": tag})).status_code == 412
