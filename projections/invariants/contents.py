"""Rules about what was said and asked for: content that stands in two places says the same in both.

The process is never told of content, so that neither Temporal's history nor the session knows it; and the request
that comes after it shows the model's words and the results, but not what was made of them.
"""

from collections.abc import Iterator, Sequence

from eventlog.canonical import canonical_text, digest_of
from eventlog.events import (
    ApprovalRequested,
    LLMResponseReceived,
    SessionCompleted,
    ToolCall,
    ToolExecutionRequested,
)
from llm.messages import Block
from projections.invariants.invariant import Invariant, Moment
from projections.transcript import TRANSCRIPT, final_answer


class CallsAreAsTheModelWroteThem(Invariant):
    """The calls that are taken from a reply are those in the model's own words."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A call that the reply does not hold, or holds otherwise."""
        event = moment.recorded.event
        if isinstance(event, LLMResponseReceived):
            for call in event.tool_calls:
                if not _holds(event.content, call):
                    yield f"call {call.id} is not the one that stands in the reply"


class ArgumentsHaveTheirDigest(Invariant):
    """What a tool is run with, and what a person is asked to allow, is what the digest beside it was made of."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """Another tool, or other arguments."""
        match event := moment.recorded.event:
            case ToolExecutionRequested() | ApprovalRequested():
                if event.digest != digest_of({"name": event.tool_name, "arguments": event.arguments}):
                    yield f"{event.type} has other arguments for call {event.call_id} than its digest was made of"
            case _:
                pass


class AnswersAreTheLastReply(Invariant):
    """A session that ends well ends with the model's last word, or with what a reviewer put in its place."""

    def __init__(self) -> None:
        self._transcript = TRANSCRIPT.initial()

    def breaks(self, moment: Moment) -> Iterator[str]:
        """Another answer."""
        match moment.recorded.event:
            case SessionCompleted(completion_reason="success", answer=answer):
                if answer != final_answer(self._transcript):
                    yield "the answer of the session is not the model's last word"
            case _:
                pass
        self._transcript = TRANSCRIPT.evolve(self._transcript, moment.recorded)


def _holds(content: Sequence[Block], call: ToolCall) -> bool:
    """Whether a reply's blocks hold this call; one without a JSON object has no arguments."""
    for block in content:
        if block.get("id") == call.id:
            given = block["input"] if isinstance(block.get("input"), dict) else {}
            same = canonical_text(given) == canonical_text(call.arguments)  # by letters: NaN is not equal to itself
            return same and block.get("name") == call.name
    return False
