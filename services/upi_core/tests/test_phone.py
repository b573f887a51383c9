"""The page that plays the payer's phone: without script, told in sentences, safe against other sites."""

import json

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import text as sql

from services.upi_core.contract import Api
from services.upi_core.tests.merchant import CODE
from services.upi_core.tests.town import PAYER, PIN, SAME_ORIGIN, Town
from suuupra import signatures
from suuupra.db import Database
from suuupra.testing.remembered import tables_with

pytestmark = pytest.mark.integration
BROWSER = {"Accept": "text/html"}


async def page(town: Town, path: str, status: int = 200, **params: str) -> LexborHTMLParser:
    answer = await town.http.get(path, params=params or None, headers=BROWSER)
    assert answer.status_code == status, answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    return LexborHTMLParser(answer.text)


def text(tree: LexborHTMLParser) -> str:
    main = tree.css_first("main")
    assert main is not None
    return " ".join(main.text(separator=" ").split())


async def test_a_link_shows_who_is_paid_how_much_and_for_what(town: Town) -> None:
    tree = await page(town, "/phone", link=town.merchant.link(12_34_567))
    shown = text(tree)
    for part in ("Suuupra", "suuupra@asha", "₹12,345.67", "Order 12", "Verified", "Meera Iyer"):
        assert part in shown
    assert "meera@banyan · Banyan Bank" in shown, "a bank is called by its name"
    assert len(tree.css("input[name=payer]")) == 12


async def test_a_whole_payment_by_forms_alone(town: Town) -> None:
    where = await town.open(town.merchant.link())
    asked = await page(town, where)
    forms = {form.attributes["action"] for form in asked.css("form")}
    assert forms == {f"{where}/approve", f"{where}/decline"}
    assert asked.css_first("input[name=pin][inputmode=numeric]") is not None
    await town.approve(where)
    await town.settle()
    shown = text(await page(town, where))
    assert "Paid" in shown
    assert (await town.tried("A1"))[0]["rrn"] in shown


async def test_while_the_bank_works_the_page_looks_again_by_itself(town: Town) -> None:
    town.merchant.auth = None
    where = await town.open(town.merchant.link())
    await town.approve(where)
    tree = await page(town, where)
    assert tree.css_first("meta[http-equiv=refresh]") is not None
    assert not tree.css("form")


@pytest.mark.parametrize("away", [False, True])
async def test_an_encrypted_pin_is_kept_by_nobody_once_its_debit_is_over(town: Town, away: bool) -> None:
    """Neither by the switch nor by the bank; nor when the bank was away until the debit's time was over."""
    if away:
        town.mesh.away.add("bank-banyan")
    await town.approve(await town.open(town.merchant.link()))
    await town.settle()
    if away:
        (body,) = await debits(town)
        await town.later(120)
    else:
        body = next(it.content for it in town.mesh.sent if b'"type":"DEBIT"' in it.content)
    sealed = json.loads(body)["payer"]["credential"]["data"]
    for app in (town.switch, town.banks["banyan"]):
        assert await tables_with(app.state.resources.get(Database), sealed) == []
    assert [b'"txn"' in kept and b'"credential"' not in kept for kept in await debits(town)] == [True]


async def debits(town: Town) -> list[bytes]:
    """What the switch keeps of the debits that it asked for."""
    async with town.switch.state.resources.get(Database).reading() as tx:
        bodies = [bytes(body) for body in await tx.scalars(sql("SELECT body FROM message_out"))]
    return [body for body in bodies if b'"type":"DEBIT"' in body]


async def test_a_wrong_pin_says_so_and_can_be_tried_again(town: Town) -> None:
    where = await town.open(town.merchant.link())
    await town.approve(where, "9999")
    await town.settle()
    tree = await page(town, where)
    assert "The PIN was wrong." in text(tree)
    again = await town.http.post(f"{where}/again", headers=SAME_ORIGIN)
    assert again.status_code == 303
    assert again.headers["location"] != where
    await town.approve(again.headers["location"])
    await town.settle()
    assert [txn["code"] for txn in await town.tried("A1")] == ["ZM", "00"]


@pytest.mark.parametrize("pin", ["", "12", "12345678", "abcd", "１２３４"])
async def test_what_is_no_pin_is_told_and_nothing_is_sent(town: Town, pin: str) -> None:
    where = await town.open(town.merchant.link())
    answer = await town.http.post(f"{where}/approve", data={"pin": pin}, headers={**SAME_ORIGIN, **BROWSER})
    assert answer.status_code == 422
    assert "A UPI PIN has 4 to 6 digits." in answer.text
    assert await town.tried("A1") == []


async def test_a_declined_and_an_expired_request_say_so(town: Town) -> None:
    declined = await town.open(town.merchant.link(ref="A1"))
    await town.http.post(f"{declined}/decline", headers=SAME_ORIGIN)
    assert "You declined" in text(await page(town, declined))
    expired = await town.open(town.merchant.link(ref="A2"))
    town.clock.advance(16 * 60)
    assert "Expired" in text(await page(town, expired))
    await town.approve(expired)
    assert await town.tried("A2") == []


async def test_what_was_approved_when_its_payee_had_left_says_so_and_nothing_is_sent(town: Town) -> None:
    approved, declined = [await town.open(town.merchant.link(ref=ref)) for ref in ("A1", "A2")]
    left = await town.merchant.send("DELETE", f"/internal/v1/participants/{CODE}", "")
    assert left.is_success, left.text
    await town.approve(approved)
    await town.http.post(f"{declined}/decline", headers=SAME_ORIGIN)
    shown = await page(town, approved)
    assert "Not paid" in text(shown)
    assert "nobody's any more. Nothing was paid; ask the payee for a new link." in text(shown)
    assert shown.css_first("meta[http-equiv=refresh]") is None, "it does not wait for what never comes"
    assert shown.css_first(f'main a[href="/phone/accounts/{PAYER}"]') is not None
    assert "You declined" in text(await page(town, declined))
    assert [await town.tried(ref) for ref in ("A1", "A2")] == [[], []]
    async with town.switch.state.resources.get(Database).reading() as tx:
        assert (await tx.scalars(sql("SELECT 1 FROM message_out WHERE recipient = 'PHONE'"))).all() == []


async def test_the_account_page_shows_what_waits_first(town: Town) -> None:
    await town.pay(ref="A1")
    await town.open(town.merchant.link(5_000, ref="A2"))
    shown = await page(town, f"/phone/accounts/{PAYER}")
    assert "meera@banyan · Banyan Bank" in text(shown)
    assert "meera@banyan · Banyan Bank" in text(await page(town, "/phone"))
    rows = [" ".join(row.text(separator=" ").split()) for row in shown.css("a.row")]
    assert "To approve" in rows[0]
    assert "₹50.00" in rows[0]
    assert "Paid" in rows[1]


async def test_money_that_was_refunded_is_on_the_phone_as_on_the_statement(town: Town) -> None:
    where = await town.open(town.merchant.link())
    await town.approve(where)
    await town.settle()
    (paid,) = await town.tried("A1")
    assert await row(town) == "Paid"

    await refund(town, paid["id"], 10_000)
    assert await row(town) == "Partly refunded"
    shown = text(await page(town, where))
    assert "Paid, and ₹100.00 of it is back in your account." in shown
    first, *_ = (await town.story(paid["id"]))["refunds"]
    assert f"Refunded ₹100.00, UPI reference (RRN) {(await town.story(first))['rrn']}" in shown

    await refund(town, paid["id"], 39_900)
    assert await row(town) == "Refunded"
    tree = await page(town, where)
    assert "What you paid is back in your account." in text(tree)
    assert [dt.text() for dt in tree.css("dt")].count("Refunded") == 2
    assert "Refunded ₹399.00" in text(tree)


async def test_a_refund_that_failed_or_is_not_made_yet_brought_nothing_back(town: Town) -> None:
    paid = await town.pay()
    town.banks["asha"].state.bank.profile.__dict__["failure_share"] = 1.0
    await refund(town, paid["id"], 49_900)
    assert await row(town) == "Paid"
    town.banks["asha"].state.bank.profile.__dict__["failure_share"] = 0.0
    await town.merchant.say(Api.REQ_PAY, town.merchant.refund(paid["id"], PAYER, 49_900))
    assert await row(town) == "Paid"
    await town.settle()
    assert await row(town) == "Refunded"


async def refund(town: Town, txn_id: str, minor: int) -> None:
    await town.merchant.say(Api.REQ_PAY, town.merchant.refund(txn_id, PAYER, minor))
    await town.settle()


async def row(town: Town) -> str:
    """What the phone says of the only payment."""
    (badge,) = (await page(town, f"/phone/accounts/{PAYER}")).css("a.row .badge")
    return badge.text()


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("hello", "must begin with upi://pay?"),
        ("upi://pay?pa=suuupra@asha&am=1.234", "must be an amount in rupees"),
        ("upi://pay?pa=suuupra@asha&am=1.00&cu=USD", "must be INR"),
        ("upi://pay?pa=nobody@nowhere&am=1.00", "must be an address that somebody has"),
        ("upi://pay?pa=suuupra@asha&am=1.00&sign=forged", "must be the payee's own signature"),
        ("upi://pay?pa=%3Cscript%3E@x", "must be a payment address"),
    ],
)
async def test_a_link_that_cannot_be_paid_is_a_sentence_with_its_part_and_its_cure(
    town: Town, link: str, sentence: str
) -> None:
    shown = text(await page(town, "/phone", 422, link=link))
    assert sentence in shown
    assert "To mend it" in shown


async def test_a_changed_amount_breaks_the_signature(town: Town) -> None:
    forged = town.merchant.link().replace("am=499.00", "am=4.00")
    assert "own signature" in text(await page(town, "/phone", 422, link=forged))
    answer = await town.http.post(
        "/phone/requests", data={"link": forged, "payer": PAYER}, headers=SAME_ORIGIN
    )
    assert answer.status_code == 422


async def test_what_is_written_behind_a_signature_makes_it_none(town: Town) -> None:
    static = town.merchant.link(am=None, tr=None)
    assert "Not verified" not in text(await page(town, "/phone", link=static))
    shown = text(await page(town, "/phone", 422, link=f"{static}&am=9999.00"))
    assert "must be the last" in shown


async def test_another_participants_signature_does_not_do(town: Town) -> None:
    other = signatures.generate_key()
    text_of_link = town.merchant.link().partition("&sign=")[0]
    forged = f"{text_of_link}&sign={signatures.sign_text(other, text_of_link)}"
    assert "own signature" in text(await page(town, "/phone", 422, link=forged))
    assert CODE in forged


async def test_a_link_without_signature_is_shown_as_not_verified(town: Town) -> None:
    shown = text(await page(town, "/phone", link="upi://pay?pa=kabir@cedar&pn=Bank+of+Asha&am=1.00"))
    assert "Not verified" in shown
    assert "Kabir Das" in shown, "the name is the directory's, not the link's"
    assert "Bank of Asha" not in shown


async def test_a_link_without_amount_lets_the_payer_say_it(town: Town) -> None:
    link = "upi://pay?pa=kabir@cedar&tr=P1"
    assert (await page(town, "/phone", link=link)).css_first("input[name=amount]") is not None
    for wrong in ("1.234", "-5", "", "many"):
        form = {"link": link, "payer": PAYER, "amount": wrong}
        answer = await town.http.post("/phone/requests", data=form, headers=SAME_ORIGIN)
        assert answer.status_code == 422
    await town.approve(await town.open(link, amount="12.50"))
    await town.settle()
    assert (await town.tried("P1"))[0]["amount"]["minor"] == 1_250


@pytest.mark.parametrize("path", ["/phone/requests", "approve", "decline", "again"])
async def test_a_form_of_another_site_does_nothing(town: Town, path: str) -> None:
    where = await town.open(town.merchant.link())
    target = path if path.startswith("/") else f"{where}/{path}"
    form = {"pin": PIN, "link": town.merchant.link(), "payer": PAYER}
    answer = await town.http.post(target, data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    await town.settle()
    assert await town.tried("A1") == []


async def test_markup_in_a_note_is_shown_and_not_run(town: Town) -> None:
    link = town.merchant.link(note="<script>alert(1)</script>")
    answer = await town.http.get("/phone", params={"link": link}, headers=BROWSER)
    assert "<script>alert(1)" not in answer.text
    assert "&lt;script&gt;" in answer.text


async def test_the_pin_is_in_no_answer_no_message_and_no_table(town: Town) -> None:
    """Nor could the switch read it: it is encrypted for the payer's bank."""
    await town.pay(ref="A1", pin="864209")
    assert all(
        b"864209" not in request.content for request in town.mesh.sent if request.url.host != "upi-core"
    )
    shown = await town.http.get("/internal/v1/transactions", params={"ref_id": "A1"})
    assert "864209" not in shown.text
    assert "credential" not in shown.text


async def test_nobody_finds_a_request_by_guessing(town: Town) -> None:
    missing = await town.http.get("/phone/requests/0198c5a4-7d3e-7c1a-9c55-0242ac120002")
    assert missing.status_code == 404
    assert (await town.http.get("/phone/accounts/nobody@asha")).status_code == 404
