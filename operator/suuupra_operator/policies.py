"""Whether this cluster enforces NetworkPolicies, by trying: rendering them proves nothing.

The operator's own policy (charts/suuupra) lets it reach the cluster's DNS on port 53 and not its metrics on port 9153.
Where both answer, policies are decoration; where only the first does, they hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from suuupra_operator.conditions import Finding

TYPE = "NetworkPoliciesEnforced"
HOST, ALLOWED, FORBIDDEN = "kube-dns.kube-system.svc", 53, 9153
EVERY_SECONDS = 600.0
TIMEOUT_SECONDS = 3.0


@dataclass
class PolicyProbe:
    """Remembers the last try."""

    enabled: bool
    _finding: Finding = field(
        default_factory=lambda: Finding(
            TYPE, False, "NotTried", "known only to an operator that runs in the cluster"
        )
    )
    _tried: float = -EVERY_SECONDS

    def finding(self) -> Finding:
        return self._finding

    async def refresh(self) -> None:
        """Try again when the last answer is old."""
        if not self.enabled or time.monotonic() - self._tried < EVERY_SECONDS:
            return
        self._tried = time.monotonic()
        allowed, forbidden = await asyncio.gather(_reaches(ALLOWED), _reaches(FORBIDDEN))
        self._finding = _judge(allowed, forbidden)


def _judge(allowed: bool, forbidden: bool) -> Finding:
    match allowed, forbidden:
        case True, False:
            return Finding(
                TYPE, True, "Enforced", "a connection that the operator's own policy forbids is dropped"
            )
        case True, True:
            text = "NetworkPolicies are rendered, but this cluster's CNI lets through what they forbid"
            return Finding(TYPE, False, "NotEnforced", text)
        case _:
            return Finding(TYPE, False, "NotTried", f"{HOST}:{ALLOWED} does not answer")


async def _reaches(port: int) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
