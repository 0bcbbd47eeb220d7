"""Whoever is told: an HTTP endpoint, or a function that a plugin brings."""

from typing import Protocol

from notices.notice import Notice


class Refused(Exception):
    """The target did not take the notice. The words name no secret, and no more of an address than its host."""

    def __init__(self, problem: str, *, for_good: bool = False, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.for_good = for_good
        """Whether it is no use to try again."""
        self.retry_after = retry_after
        """Seconds, where the target wants to be left alone for so long."""


class Target(Protocol):
    """One of those that are told."""

    @property
    def name(self) -> str:
        """By which deliveries to it are kept, for ever."""
        ...

    @property
    def attempts(self) -> int:
        """How often a notice is tried."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds that one attempt may take."""
        ...

    @property
    def content(self) -> bool:
        """Whether it may know what people and the model said."""
        ...

    @property
    def tokens(self) -> bool:
        """Whether it may know the tokens that answer questions."""
        ...

    def wants(self, kind: str, tenant: str) -> bool:
        """Whether it is to be told of this."""
        ...

    async def tell(self, notice: Notice) -> str:
        """Tell it, once; what it answered, in a few words. Raises `Refused`."""
        ...
