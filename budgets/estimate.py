"""What a model call may use at most, before it is made.

A token is at least one byte, so a request never has more tokens than bytes, but for what the provider adds unseen and
for pictures and files, which are counted by what they show. Of a conversation that goes on, the provider has said
already how many tokens it was: only what came since is estimated. The reply has at most `max_tokens`. All of it is
priced at the dearest rate that may apply: as if nothing of it were in the cache.

That is far more than most calls cost: after the call, what it did cost takes its place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from llm.messages import Message, ModelRequest, TokenUsage
from projections.spending import Read

UNSEEN = 2_000
"""Tokens that a provider may add for tools and for the form of a conversation."""
PICTURE = 5_000
"""Tokens that one picture may count."""
DOCUMENT = 200_000
"""Tokens that one file may count of which only an address or a compressed form is sent, as a PDF."""


class Prices(Protocol):
    """What calls cost."""

    def cost(self, usage: TokenUsage, model: str) -> Decimal | None:
        """US dollars; None where the model's price is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call may use at most."""

    tokens: int
    cost: Decimal | None
    """US dollars; None where the model's price is not known."""


def estimated(request: ModelRequest, size: int, read: Read | None, prices: Prices) -> Estimate:
    """At most so much, for a request whose body has `size` bytes and goes on from what was read before."""
    name, reply = request.terms.name, request.terms.max_tokens
    prompt = _prompt(request, size, read)
    return Estimate(prompt + reply, _dearest(prices, name, prompt, reply))


def _prompt(request: ModelRequest, size: int, read: Read | None) -> int:
    goes_on = read is not None and read.model == request.terms.name and read.bytes <= size
    if read is None or not goes_on:
        return size + UNSEEN + _unwritten(request.messages)
    return read.tokens + size - read.bytes + UNSEEN + _unwritten(_since_the_last_reply(request.messages))


def _dearest(prices: Prices, model: str, prompt: int, reply: int) -> Decimal | None:
    ways = (
        TokenUsage(input_tokens=prompt, output_tokens=reply),
        TokenUsage(cache_write_tokens=prompt, output_tokens=reply),
    )
    costs = [prices.cost(usage, model) for usage in ways]
    known = [cost for cost in costs if cost is not None]
    return max(known) if known else None


def _since_the_last_reply(messages: Sequence[Message]) -> Sequence[Message]:
    """What the provider has not counted yet; pictures and files are never in a reply."""
    last = max((number for number, message in enumerate(messages) if message.role == "assistant"), default=-1)
    return messages[last + 1 :]


def _unwritten(messages: Sequence[Message]) -> int:
    """Tokens of pictures and files, whose bytes do not tell how many they are."""
    kinds = [kind for message in messages for block in message.content for kind in _media(block)]
    return PICTURE * kinds.count("image") + DOCUMENT * kinds.count("document")


def _media(block: Any) -> Iterator[str]:
    match block:
        case {"type": "image"}:
            yield "image"
        case {"type": "document", "source": {"type": kind}} if kind not in ("text", "content"):
            yield "document"
        case {"content": list() as inner}:
            for each in inner:
                yield from _media(each)
        case _:
            pass
