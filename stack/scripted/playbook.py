"""A mind that plays written conversations: many at once, each known by its first words."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from llm.messages import JsonObject
from stack.scripted.answers import Answer, Fault, Mind
from stack.scripted.conversation import Conversation, replies_so_far

Part: TypeAlias = Answer | Mind
"""An answer, or something that makes one of the request."""
Step: TypeAlias = Part | Sequence[Part]
"""One turn of the model. Of several parts all but the last are played once, in order, and the last for ever."""


class Playbook:
    """Answers by the conversation's first user message and the number of replies the model has given.

    `Playbook({"hello": [[Fault(429, retry_after=0.1), Reply.text("hi")], Reply.text("bye")]})` refuses the first
    request that begins with "hello", then says "hi" to as many as come, and "bye" once "hi" is in the request.
    """

    def __init__(self, conversations: Mapping[str, Sequence[Step]], otherwise: Mind | None = None) -> None:
        self._conversations = conversations
        self._otherwise = otherwise
        self._played: dict[tuple[str, int], int] = {}

    def __call__(self, body: JsonObject) -> Answer:
        """Play the part that is next."""
        opening = Conversation.of(body).opening
        steps = self._conversations.get(opening)
        if steps is None:
            return self._otherwise(body) if self._otherwise else _unwritten(opening, sorted(self._conversations))
        index = replies_so_far(body)
        if index >= len(steps):
            return Fault(400, f"the playbook has only {len(steps)} replies for the conversation {opening!r}")
        part = self._part(opening, index, steps[index])
        return part(body) if callable(part) else part

    def _part(self, opening: str, index: int, step: Step) -> Part:
        if not isinstance(step, Sequence):
            return step
        played = self._played.get((opening, index), 0)
        self._played[opening, index] = played + 1
        return step[min(played, len(step) - 1)]


def _unwritten(opening: str, known: Sequence[str]) -> Answer:
    return Fault(400, f"the playbook has no conversation that begins with {opening!r}, only: {', '.join(known)}")
