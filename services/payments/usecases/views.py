"""Payments as they are shown."""

import io
from functools import lru_cache
from typing import Final, assert_never

import segno

from services.payments import contract
from services.payments.domain.payment import (
    Asked,
    Attempt,
    AwaitingPayer,
    Closed,
    Expired,
    Failed,
    GivenUp,
    Payment,
    Pending,
    Refund,
    Refunded,
    Resting,
    Surplus,
    surplus_id,
)
from services.payments.domain.reactions import EXPIRED, EXPIRED_REASON

QUIET_ZONE: Final = 4
"""Modules of white around a QR code (ISO/IEC 18004)."""
MASK: Final = 0
"""One of eight; every reader takes each. To search for the prettiest takes four fifths of the time (33 ms, now 6)."""


def payment(it: Payment) -> contract.PaymentView:
    """A payment."""
    return contract.PaymentView(
        id=it.id,
        order_id=it.order_id,
        order_number=it.order_number,
        status=it.status.value,
        amount=it.amount,
        tax_minor=it.tax_minor,
        refunded=it.refunded,
        refunding=it.refunding,
        cancel_wanted=it.cancel_wanted is not None,
        payable_until=it.payable_until,
        created_at=it.created_at,
        updated_at=it.updated_at,
        version=it.version,
        attempts=[attempt(one) for one in it.attempts],
        refunds=[refund(it, one) for one in it.refunds],
        surpluses=[surplus(it, one) for one in it.surpluses],
    )


def surplus(of: Payment, it: Surplus) -> contract.SurplusView:
    """Money that came twice."""
    refund_ = of.surplus_refund(it.transaction)
    return contract.SurplusView(
        id=surplus_id(of.id, it.transaction),
        attempt=it.attempt,
        amount=of.amount,
        rrn=it.rrn,
        received_at=it.at,
        refund_id=refund_.id if refund_ else None,
    )


def attempt(it: Attempt) -> contract.AttemptView:
    """An attempt."""
    code, reason = _why(it)
    return contract.AttemptView(
        number=it.number,
        reference=it.reference,
        method=it.method.value,
        rail=it.rail,
        state=it.state.kind,
        deemed=isinstance(it.state, Pending) and it.state.deemed,
        started_at=it.started_at,
        expires_at=it.expires_at,
        code=code,
        reason=reason,
        upi_uri=it.link if isinstance(it.state, AwaitingPayer) else None,
    )


def _why(it: Attempt) -> tuple[str | None, str | None]:
    match it.state:
        case Failed(code=code, reason=reason):
            return code, reason
        case Expired():
            return EXPIRED, EXPIRED_REASON
        case Closed(why=why):
            return None, f"It was given up: {why.value.replace('_', ' ')}."
        case _:
            return None, None


def started(of: Payment, it: Attempt) -> contract.StartedAttempt:
    """An attempt with all that a payer needs."""
    return contract.StartedAttempt(
        payment_id=of.id,
        attempt=attempt(it),
        upi_uri=it.link,
        qr_svg=qr_svg(it.link),
        expires_at=it.expires_at,
    )


@lru_cache(maxsize=256)
def qr_svg(text: str) -> str:
    """A QR code of `text` as SVG: dark on white, which every camera reads, whatever the page's theme.

    With the least error correction (7 %): a screen has no scratches, and fewer modules are read from further away.
    """
    out = io.BytesIO()
    segno.make(text, error="l", micro=False, mask=MASK, boost_error=False).save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=True,
        border=QUIET_ZONE,
        dark="#000",
        light="#fff",
        omitsize=True,
    )
    return out.getvalue().decode()


def refund(of: Payment, it: Refund) -> contract.RefundView:
    """A refund."""
    status, code, rrn = _refund_status(it)
    return contract.RefundView(
        id=it.id,
        payment_id=of.id,
        amount=it.amount,
        tax_minor=it.tax_minor,
        reason=it.reason.value,
        status=status,
        requested_at=it.requested_at,
        code=code,
        detail=it.state.reason if isinstance(it.state, GivenUp) else None,
        rrn=rrn,
    )


def _refund_status(it: Refund) -> tuple[contract.RefundStatus, str | None, str | None]:
    match it.state:
        case Asked(unresolved=True):
            return "unresolved", None, None
        case Asked() | Resting():
            return "processing", None, None
        case Refunded(rrn=rrn):
            return "succeeded", None, rrn
        case GivenUp(code=code):
            return "failed", code, None
        case _:
            assert_never(it.state)
