"""The requests a scripted server received, for tests to look at."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from llm.messages import JsonObject

Outcome = Literal["open", "answered", "cut", "abandoned"]
"""How a response ended: whole, cut by the server, or left by the client before it was whole."""


@dataclass(slots=True)
class Received:
    """One request for a message, and what became of it."""

    number: int
    """1, 2, … in the order of arrival."""
    body: bytes
    """As it was sent."""
    headers: Mapping[str, str]
    """Names in lower case."""
    status: int | None = None
    """The HTTP status it was answered with."""
    outcome: Outcome = "open"
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the response has ended, in whatever way."""

    @property
    def json(self) -> JsonObject:
        """The body's JSON object."""
        value: JsonObject = json.loads(self.body)
        return value

    def end(self, outcome: Outcome) -> None:
        """The response has ended."""
        self.outcome = outcome
        self.over.set()


class Inbox:
    """All requests in the order they came."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self._changed = asyncio.Condition()

    async def add(self, body: bytes, headers: Mapping[str, str]) -> Received:
        """Keep a request, and tell whoever waits for it."""
        received = Received(len(self.requests) + 1, body, headers)
        self.requests.append(received)
        async with self._changed:
            self._changed.notify_all()
        return received

    async def arrival(self, number: int) -> Received:
        """The request of that number, as soon as it has come."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]
