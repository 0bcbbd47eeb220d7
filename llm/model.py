"""The port behind which a model stands. `AnthropicModel` is the adapter; tests script the server, not the port."""

from collections.abc import Callable
from typing import Protocol

from llm.messages import ModelReply, ModelRequest

Progress = Callable[[int], None]
"""Called while a reply streams in, with the number of characters that have arrived."""


class Model(Protocol):
    """Somebody who answers a request."""

    def encode(self, request: ModelRequest) -> bytes:
        """The exact HTTP body `answer` will send for this request; a pure function of it."""
        ...

    async def answer(self, request: ModelRequest, *, idempotency_key: str, progress: Progress) -> ModelReply:
        """Ask once, streaming, without retries of its own.

        Raises `ModelUnavailable` where asking again may help and `ModelRefusesRequest` where it will not.
        Cancellation closes the connection at once.
        """
        ...
