"""What every use case of a bank needs at hand."""

import asyncio
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from services.bank_simulator.domain.profile import Profile
from suuupra.clock import Clock
from suuupra.keyring import Keyring
from suuupra.messages import Messenger

RAIL: Final = "UPI"
CURRENCY: Final = "INR"
_HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)
"""About 5 ms. A PIN has 10,000 to 1,000,000 values: no hash makes guessing from a stolen table slow enough, so the
limit of tries is what protects it, and what is checked on every payment must not cost more."""
_SLOTS: Final = 2


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank's means."""

    code: str
    title: str
    messenger: Messenger
    keyring: Keyring
    profile: Profile
    clock: Clock
    hashing: asyncio.Semaphore

    @classmethod
    def of(
        cls, code: str, title: str, messenger: Messenger, keyring: Keyring, profile: Profile, clock: Clock
    ) -> "Bank":
        return cls(code, title, messenger, keyring, profile, clock, asyncio.Semaphore(_SLOTS))

    async def hash_pin(self, pin: str) -> str:
        """What is kept of a PIN (argon2id)."""
        async with self.hashing:
            return await asyncio.to_thread(_HASHER.hash, pin)

    async def is_pin(self, pin_hash: str, pin: str) -> bool:
        """Whether it is the PIN, in a bounded pool: many at once must not take the machine."""
        async with self.hashing:
            return await asyncio.to_thread(_matches, pin_hash, pin)


def _matches(pin_hash: str, pin: str) -> bool:
    try:
        return _HASHER.verify(pin_hash, pin)
    except VerificationError:
        return False
