"""How a rail's participants do: what the switch says of them, read for the rail's status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from suuupra_operator.conditions import Finding, counted
from suuupra_operator.desired.rail import resource_of
from suuupra_operator.rail import Participant
from suuupra_operator.status import RailParticipantStatus

ADDRESS = "/internal/v1/participants"
"""Of the switch: all of them, and each below it by its code."""
SOON_SECONDS = 5.0
"""While something is on its way."""

State = Literal["up", "down", "unknown"]


@dataclass(frozen=True)
class Seen:
    """A participant as the switch sees it. Shares are None without traffic; what is not told is as if not known."""

    kind: str = ""
    state: State = "unknown"
    success_share: float | None = None
    timeout_share: float | None = None


UNSEEN = Seen()


def read(answer: Any) -> dict[str, Seen]:
    """Code → participant, from the switch's answer at ADDRESS. Nothing, when there is none."""
    return {item["code"]: _seen(item) for item in (answer or {}).get("items", [])}


def _seen(item: Mapping[str, Any]) -> Seen:
    state = item.get("state")
    return Seen(
        kind=item.get("kind", ""),
        state=state if state in ("up", "down") else "unknown",
        success_share=item.get("success_share"),
        timeout_share=item.get("timeout_share"),
    )


def told(participant: Participant, seen: Mapping[str, Seen], *, ready: bool) -> RailParticipantStatus:
    """What the status tells of one that the rail names. ``ready``: its resource is."""
    found = seen.get(participant.code, UNSEEN)
    return RailParticipantStatus(
        code=participant.code,
        name=participant.name,
        resource=resource_of(participant),
        ready=ready,
        state=found.state,
        success_share=_percent(found.success_share),
        timeout_share=_percent(found.timeout_share),
    )


def _percent(share: float | None) -> str:
    """Rounded, so that a status is not written for every payment."""
    return "" if share is None else f"{share * 100:.0f}%"


def health(found: list[RailParticipantStatus]) -> Finding:
    """Whether all are up."""
    down = [participant.code for participant in found if participant.state == "down"]
    unknown = [participant.code for participant in found if participant.state == "unknown"]
    if down:
        text = f"no heartbeat from {', '.join(down)}: kubectl describe suuupraservice bank-{down[0]}"
        return Finding("ParticipantsHealthy", False, "ParticipantDown", text)
    if unknown:
        text = f"the switch has not heard of {', '.join(unknown)} yet"
        return Finding("ParticipantsHealthy", False, "NotSeenYet", text, again=SOON_SECONDS)
    return Finding("ParticipantsHealthy", True, "Up", f"{counted(len(found), 'participant')} up")


def worst(found: list[RailParticipantStatus]) -> str:
    """The smallest success share of those that have one."""
    shares = [
        int(participant.success_share.removesuffix("%")) for participant in found if participant.success_share
    ]
    return f"{min(shares)}%" if shares else ""
