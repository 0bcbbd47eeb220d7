"""Accounts in memory: what the database does, in a few lines, for tests that need none."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from budgets.account import Account, Balance, Claim, Line
from budgets.book import Hold, Used


@dataclass(frozen=True, slots=True)
class _Held:
    hold: Hold
    claims: tuple[Claim, ...]
    open: bool


@dataclass(frozen=True, slots=True)
class _Refused:
    thread: str
    raised: dict[str, Decimal]
    """What had been raised of each account."""
    waits_for: str | None = None


@dataclass(frozen=True, slots=True)
class _Warned:
    share: Decimal = Decimal(0)
    by: UUID | None = None


@dataclass(slots=True)
class MemoryBook:
    """See `Book`."""

    _balances: dict[str, Balance] = field(default_factory=dict)
    _holds: dict[UUID, _Held] = field(default_factory=dict)
    _refused: dict[UUID, _Refused] = field(default_factory=dict)
    _warned: dict[str, _Warned] = field(default_factory=dict)
    _raises: set[UUID] = field(default_factory=set)

    async def reserve(self, hold: Hold, claims: Sequence[Claim]) -> tuple[Line, ...]:
        """See `Book.reserve`."""
        known = self._holds.get(hold.id)
        if known is not None and known.hold.attempt == hold.attempt:
            return tuple(self._line(hold, claim) for claim in known.claims)
        if known is not None and known.open:
            for claim in known.claims:
                self._move(claim, claim.amount if hold.lost else Decimal(0))
        lines = tuple(Line(each, self._balance(each), refused=self._refuses(each)) for each in claims)
        refused = any(line.refused for line in lines)
        if refused:
            self._holds.pop(hold.id, None)
            self._refused[hold.id] = _Refused(
                hold.thread, {line.balance.account: line.balance.raised for line in lines}
            )
            return lines
        self._refused.pop(hold.id, None)
        self._holds[hold.id] = _Held(hold, tuple(claims), open=True)
        for claim in claims:
            self._take(claim)
            self._pass(hold, claim)
        return tuple(self._line(hold, claim) for claim in claims)

    async def settle(self, id_: UUID, used: Used, attempt: str | None = None) -> bool:
        """See `Book.settle`."""
        held = self._holds.get(id_)
        if held is None or not held.open or (attempt is not None and attempt != held.hold.attempt):
            return False
        for claim in held.claims:
            self._move(claim, used.get(claim.account.measure, claim.amount))
        self._holds[id_] = replace(held, open=False)
        return True

    async def close(self, thread: str) -> int:
        """See `Book.close`."""
        theirs = [id_ for id_, held in self._holds.items() if held.hold.thread == thread]
        settled = [await self.settle(id_, {}) for id_ in theirs]
        for id_ in theirs:
            del self._holds[id_]
        self._refused = {id_: each for id_, each in self._refused.items() if each.thread != thread}
        return sum(settled)

    async def raise_cap(self, id_: UUID, account: Account, amount: Decimal) -> bool:
        """See `Book.raise_cap`."""
        if id_ in self._raises:
            return False
        self._raises.add(id_)
        balance = self._balances.get(account.name, Balance(account.name))
        self._balances[account.name] = replace(balance, raised=balance.raised + amount)
        return True

    async def wait(self, id_: UUID, account: Account) -> Decimal:
        """See `Book.wait`."""
        known = self._refused.get(id_)
        if known is None or account.name not in known.raised:
            return Decimal(0)
        since = self._balances.get(account.name, Balance(account.name)).raised - known.raised[account.name]
        self._refused[id_] = replace(known, waits_for=None if since else account.name)
        return since

    async def waiting(self, account: Account) -> tuple[str, ...]:
        """See `Book.waiting`."""
        return tuple(sorted({each.thread for each in self._refused.values() if each.waits_for == account.name}))

    async def balances(self, periods: Sequence[str]) -> tuple[Balance, ...]:
        """See `Book.balances`."""
        return tuple(self._balances[name] for name in sorted(self._balances) if Account.of(name).period in periods)

    def _balance(self, claim: Claim) -> Balance:
        return self._balances.get(claim.account.name, Balance(claim.account.name))

    def _refuses(self, claim: Claim) -> bool:
        balance = self._balance(claim)
        return balance.used + claim.amount > claim.cap + balance.raised

    def _take(self, claim: Claim) -> None:
        balance = self._balance(claim)
        self._balances[balance.account] = replace(balance, held=balance.held + claim.amount)

    def _move(self, claim: Claim, used: Decimal) -> None:
        """What was set aside is so no longer; what was used counts."""
        balance = self._balance(claim)
        self._balances[balance.account] = replace(balance, held=balance.held - claim.amount, spent=balance.spent + used)

    def _line(self, hold: Hold, claim: Claim) -> Line:
        warned = self._warned.get(claim.account.name, _Warned())
        return Line(claim, self._balance(claim), warned=warned.share if warned.by == hold.id else None)

    def _pass(self, hold: Hold, claim: Claim) -> None:
        """Remember the largest part of the cap that is used, and who came to it."""
        balance = self._balance(claim)
        allowed = claim.cap + balance.raised
        passed = max((share for share in claim.warn_at if balance.used >= share * allowed), default=Decimal(0))
        if passed > self._warned.get(balance.account, _Warned()).share:
            self._warned[balance.account] = _Warned(passed, hold.id)
