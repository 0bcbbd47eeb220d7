"""The port behind which accounts are kept. What a call may use is set aside before it; what it did use counts after it.

A hold is what is set aside for one call. Its id is made of the step, so that the attempt that comes after a crash finds
the hold of the one before; `attempt` tells the two apart. All the claims of a hold are granted, or none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from budgets.account import Account, Balance, Claim, Line, Measure

Used = Mapping[Measure, Decimal]
"""What a call did use; what is not said counts as it was set aside."""
NOTHING: Used = {"cost": Decimal(0), "tokens": Decimal(0), "calls": Decimal(0)}
"""What a call used that certainly never happened."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Who sets something aside."""

    id: UUID
    """Of the step."""
    thread: str
    attempt: str
    """Which attempt at the step it is."""
    lost: bool = True
    """Whether what the attempt before had set aside counts as used: it may have called before it died."""


class Book(Protocol):
    """Keeps accounts. Every method is one transaction; none waits for anything but the rows it changes."""

    async def reserve(self, hold: Hold, claims: Sequence[Claim]) -> tuple[Line, ...]:
        """Set everything aside, or, where one of the lines says `refused`, nothing. Said twice it counts once."""
        ...

    async def settle(self, id_: UUID, used: Used, attempt: str | None = None) -> bool:
        """Count what was used in the place of what was set aside; whether there was anything to settle.

        Where an attempt is named that is not the last one, another has counted it already.
        """
        ...

    async def close(self, thread: str) -> int:
        """Count as used what the thread has still set aside; the number of such holds. Nothing of it can be undone."""
        ...

    async def raise_cap(self, id_: UUID, account: Account, amount: Decimal) -> bool:
        """Allow so much on top of an account's cap; whether this id did so for the first time."""
        ...

    async def wait(self, id_: UUID, account: Account) -> Decimal:
        """Somebody is asked for more of an account, on behalf of a hold that was refused: it waits for it from now on.

        Or, where more was allowed since the refusal, how much: it does not wait then.
        """
        ...

    async def waiting(self, account: Account) -> tuple[str, ...]:
        """The threads that wait for more of an account, in the order of their names."""
        ...

    async def balances(self, periods: Sequence[str]) -> tuple[Balance, ...]:
        """How the accounts of these periods stand, in the order of their names."""
        ...
