"""What a reply is: the model's last word on what it was told so far, or not yet."""

from eventlog.events import SessionStarted
from llm.messages import Block, ModelReply, text_of
from projections.answer import check_answer
from projections.evolution import CUT_OFF, ENDS_BADLY


def asked(reply: ModelReply) -> list[Block]:
    """The tool calls of a reply."""
    return [block for block in reply.content if block.get("type") == "tool_use"]


def verdict(reply: ModelReply, terms: SessionStarted, so_far: str = "") -> tuple[bool, str | None]:
    """Whether a reply is the last word, and what is wrong with it where it ought to be and is not.

    `so_far` is what was said already of an answer that this reply continues.
    """
    if reply.stop_reason in ENDS_BADLY:
        return True, None
    if asked(reply) or reply.stop_reason in CUT_OFF or reply.stop_reason == "pause_turn":
        return False, None
    text = text_of(reply.content).strip()
    if not text:
        return False, None
    if terms.mode == "chat" or terms.result_schema is None:
        return True, None
    problem = check_answer(text, terms.result_schema)[1]
    if problem is not None and so_far:
        problem = check_answer(so_far + text_of(reply.content), terms.result_schema)[1]
    return problem is None, problem
