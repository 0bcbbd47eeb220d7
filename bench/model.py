"""A model in the same process that answers at once: what a turn takes beside the model's own time."""

import asyncio
from dataclasses import dataclass

from llm.body import body_of
from llm.messages import Block, ModelReply, ModelRequest, TokenUsage, text_block
from llm.model import Progress

CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What the model does in a thread; stands in the thread's first message."""

    turns: int
    """Replies with one tool call each, before the answer."""
    tool: str
    size: int = 0
    """Characters of each reply's text."""

    @property
    def message(self) -> str:
        """The message that makes the model do this."""
        return f"{self.turns} {self.tool} {self.size}"

    @classmethod
    def read(cls, message: str) -> "Plan":
        """The plan in a message."""
        turns, tool, size = message.split()
        return cls(int(turns), tool, int(size))


class InstantModel:
    """Follows the plan in a thread's first message. Its requests are written as those to Claude are."""

    def encode(self, request: ModelRequest) -> bytes:
        """The body a server would be sent."""
        return body_of(request).written

    async def answer(self, request: ModelRequest, *, idempotency_key: str, progress: Progress) -> ModelReply:  # noqa: ARG002 - the port's
        """The next reply, at once."""
        await asyncio.sleep(0)
        plan = Plan.read(request.messages[0].content[0]["text"])
        turn = len(request.messages) // 2 + 1
        content = _content(plan, turn)
        progress(plan.size)
        return ModelReply(
            message_id=f"msg_{turn:024}",
            model=request.terms.name,
            content=content,
            stop_reason="end_turn" if turn > plan.turns else "tool_use",
            usage=_usage(request, plan),
            request_id=f"req_{turn:024}",
        )


def _content(plan: Plan, turn: int) -> tuple[Block, ...]:
    said = text_block(("word " * (plan.size // 5 + 1))[: max(plan.size, 1)])
    if turn > plan.turns:
        return (said,)
    called = {"type": "tool_use", "id": f"toolu_{turn:024}", "name": plan.tool, "input": {"topic": f"part {turn}"}}
    return (said, called)


def _usage(request: ModelRequest, plan: Plan) -> TokenUsage:
    """As if all but the last turn had been read from the provider's cache."""
    turn = 2 * plan.size // CHARACTERS_A_TOKEN
    read = sum([len(message.written) for message in request.messages]) // CHARACTERS_A_TOKEN
    return TokenUsage(
        input_tokens=3,
        output_tokens=plan.size // CHARACTERS_A_TOKEN,
        cache_read_tokens=max(read - turn, 0),
        cache_write_tokens=min(turn, read),
    )
