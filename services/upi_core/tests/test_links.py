"""UPI links: what can be paid, and what is refused with the part that is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.upi_core.contract import LinkError, UpiLink, signed_part
from services.upi_core.domain.names import masked
from services.upi_core.usecases.screens import rupees
from suuupra.money import Money

WHOLE = (
    "upi://pay?pa=suuupra@asha&pn=Suuupra&mc=8299&tr=A1&tn=Order%2012&am=499.00&cu=INR&mode=02&orgid=payments"
)


def test_a_link_is_read_as_it_was_written() -> None:
    link = UpiLink.parse(WHOLE)
    assert (link.pa, link.am, link.tr, link.tn) == ("suuupra@asha", Money(49_900, "INR"), "A1", "Order 12")
    assert UpiLink.parse(link.text()) == link


@given(
    st.integers(1, 10**9),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=30),
    st.from_regex(r"[!-~]{1,40}", fullmatch=True),
)
def test_every_link_comes_back_the_same(minor: int, note: str, reference: str) -> None:
    link = UpiLink(pa="a.b-c_d@bank", am=Money(minor, "INR"), tn=note, tr=reference, mode="16")
    assert UpiLink.parse(link.text()) == link


def test_an_address_is_the_same_in_capitals() -> None:
    assert UpiLink.parse("UPI://PAY?pa=Suuupra@ASHA".replace("UPI://PAY?", "upi://pay?")).pa == "suuupra@asha"


def test_what_is_signed_is_everything_before_the_signature() -> None:
    assert signed_part(f"{WHOLE}&sign=abc") == WHOLE


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (("am=499.00", "am=499.001"), "am"),
        (("am=499.00", "am=-1"), "am"),
        (("am=499.00", "am=0.00"), "am"),
        (("am=499.00", "am=1e3"), "am"),
        (("am=499.00", "am=" + "9" * 25), "am"),
        (("cu=INR", "cu=USD"), "cu"),
        (("cu=INR", "cu=XXQ"), "cu"),
        (("pa=suuupra@asha", "pa=suuupra"), "pa"),
        (("pa=suuupra@asha", "pa=a%00b@asha"), "pa"),
        (("pa=suuupra@asha", "pn=x"), "pn"),
        (("tr=A1", "tr=A%201"), "tr"),
        (("mode=02", "mode=99"), "mode"),
        (("mc=8299", "mc=1"), "mc"),
        (("tn=Order%2012", "tn=%00"), "tn"),
        (("tn=Order%2012", "tn=%FF"), "link"),
        (("tr=A1", "tr=A1&tr=A2"), "tr"),
        (("&am=499.00", "&sign=abc&am=499.00"), "sign"),
        (("upi://pay?", "upi://pay?sign=abc&"), "sign"),
        (("upi://pay?", "http://pay?"), "link"),
        (("tn=Order%2012", "tn=" + "x" * 2000), "link"),
    ],
)
def test_a_link_that_is_wrong_names_the_part(changed: tuple[str, str], field: str) -> None:
    with pytest.raises(LinkError) as refused:
        UpiLink.parse(WHOLE.replace(*changed))
    assert refused.value.field == field
    assert refused.value.fix


def test_an_address_is_required() -> None:
    with pytest.raises(LinkError):
        UpiLink.parse("upi://pay?am=1.00")


@pytest.mark.parametrize(
    ("minor", "text"),
    [(1, "₹0.01"), (99_900, "₹999.00"), (1_00_000, "₹1,000.00"), (12_34_567_89, "₹12,34,567.89")],
)
def test_rupees_are_grouped_as_in_india(minor: int, text: str) -> None:
    assert rupees(minor) == text


def test_persons_names_are_masked() -> None:
    assert masked("Meera Iyer") == "M**** I***"
