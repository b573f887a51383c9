"""UPI links: what a QR code holds and what opens a payer's app (NPCI, UPI linking specification 1.6).

    upi://pay?ver=01&mode=02&pa=suuupra@asha&pn=Suuupra&mc=8299&tr=A1&tn=Order%2012&am=499.00&cu=INR&orgid=…&sign=…

`sign` is the last parameter: the detached signature of everything before `&sign=`, made with a key of the
participant `orgid` (see suuupra.signatures.sign_text). A link with a wrong signature must not be paid.
"""

from typing import Annotated, Final, Literal, Self, get_args
from urllib.parse import parse_qsl, quote

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from suuupra import fields
from suuupra.money import Money, MoneyError

CURRENCY: Final = "INR"
"""The only currency of the rail."""
LONGEST: Final = 2000
"""Characters of a link; a QR code takes 2,953 bytes at most."""
BEGIN: Final = "upi://pay?"
SIGN: Final = "&sign="

InitiationMode = Literal["00", "01", "02", "04", "05", "10", "15", "16"]
"""00 default, 01 QR, 02 signed QR, 04 intent, 05 signed intent, 10 push, 15 dynamic QR, 16 signed dynamic QR."""
Vpa = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=255,
        pattern=r"^[a-zA-Z0-9._-]{2,189}@[a-zA-Z][a-zA-Z0-9]{1,63}$",
    ),
]
"""A virtual payment address, `asha.rao@banyan`; case does not matter."""

_KNOWN: Final = frozenset({"pa", "pn", "am", "cu", "tr", "tn", "mode", "mc", "orgid", "sign"})


class LinkError(ValueError):
    """The text is not a link that can be paid: which part of it, what it must be, and how it gets so."""

    def __init__(self, field: str, rule: str, fix: str) -> None:
        super().__init__(f"{field} {rule}; {fix}")
        self.field, self.rule, self.fix = field, rule, fix


class UpiLink(BaseModel):
    """A link. Without `am` the payer says how much."""

    model_config = ConfigDict(frozen=True)

    pa: Vpa
    pn: fields.Line = ""
    am: Money | None = None
    tr: fields.Token | None = None
    tn: fields.Line = ""
    mode: InitiationMode = "00"
    mc: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] = "0000"
    orgid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{2,40}$")] | None = None
    sign: str | None = None

    def text(self) -> str:
        """The link without its signature: what is signed."""
        amount = f"{self.am.decimal():f}" if self.am else None
        parts = {
            "pa": self.pa, "pn": self.pn, "mc": self.mc, "tr": self.tr, "tn": self.tn,
            "am": amount, "cu": CURRENCY, "mode": self.mode, "orgid": self.orgid,
        }  # fmt: skip
        return BEGIN + "&".join(f"{name}={quote(value, safe='@')}" for name, value in parts.items() if value)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a link. Raises LinkError. The signature is not judged here: `signed_part` and `sign` are for that."""
        values = _values(text.strip())
        amount = _amount(values.pop("am", None), values.pop("cu", CURRENCY))
        try:
            return cls.model_validate({**{k: v for k, v in values.items() if k in _KNOWN}, "am": amount})
        except ValidationError as error:
            raise _refused(str(error.errors()[0]["loc"][0])) from None


def signed_part(text: str) -> str:
    """What the signature of a link is over: all before its `&sign=`."""
    return text.strip().partition(SIGN)[0]


def _values(text: str) -> dict[str, str]:
    if not text.lower().startswith(BEGIN) or len(text) > LONGEST:
        raise LinkError(
            "link", f"must begin with {BEGIN} and have at most {LONGEST} characters", "scan the code again"
        )
    try:
        pairs = parse_qsl(text[len(BEGIN) :], keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise LinkError("link", "must be name=value pairs", "scan the code again") from None
    names = [name for name, _ in pairs]
    if "sign" in names[:-1]:
        raise LinkError(
            "sign", "must be the last, over all that the link says", "do not pay it; ask for a new code"
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise LinkError(twice if twice in _KNOWN else "link", "must be there once", "ask for a new code")
    return dict(pairs)


def _amount(text: str | None, currency: str) -> Money | None:
    if currency != CURRENCY:
        raise LinkError("cu", f"must be {CURRENCY}", "ask for a code in rupees")
    if text is None:
        return None
    try:
        amount = Money.parse(text, CURRENCY)
    except MoneyError as error:
        raise LinkError("am", f"must be an amount in rupees: {error}", "ask for a new code") from None
    if amount.minor <= 0:
        raise LinkError("am", "must be more than nothing", "ask for a new code")
    return amount


_RULES: Final = {
    "pa": "must be a payment address such as name@bank",
    "tr": "must be 1 to 128 visible ASCII characters",
    "mode": f"must be one of {', '.join(get_args(InitiationMode))}",
    "mc": "must be a merchant category code of four digits",
    "orgid": "must be a participant's code",
}


def _refused(field: str) -> LinkError:
    return LinkError(
        field, _RULES.get(field, "must be one line of up to 500 characters"), "ask for a new code"
    )
