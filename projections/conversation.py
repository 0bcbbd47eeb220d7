"""What was said in a conversation, entry by entry, and how the model reads each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from eventlog.events import ApprovalGranted, ApprovalVoted, HumanInputProvided, LLMResponseReceived, UserMessageAdded
from llm.messages import Block, Role, text_block, text_of
from projections.evolution import CUT_OFF
from projections.tool_results import CUT_OFF_CALL, ToolOutcome, failed_result, is_sendable, result_of, words

REFUSED = "The model refused to answer."
EMPTY_MESSAGE = "The user sent an empty message."
WRONG = "Your answer was not taken. {problem}\nGive the whole answer again."
BROKEN_OFF = "Your reply was cut off because it was too long. Go on exactly where it stopped."
THOUGHT_TOO_LONG = "Your reply was cut off before you said anything. Think less, or do it in smaller steps."
SAID_NOTHING = "Your reply was empty. Go on with the task, or give your final answer."
GO_ON = "Go on."
SAID_NO = "It is to be made anew."

LONGEST_NAME = 64
"""Characters of a tool's name, as the provider counts them."""
_NO_PART_OF_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class Heard:
    """What a person said."""

    position: int
    content: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call of a reply."""

    id: str
    shown_id: str
    """The id the model reads: `id`, unless an earlier reply used that one too, or it is none the provider takes."""


@dataclass(slots=True)
class Reply:
    """What the model said, and what became of its tool calls; no more of the event is kept than is shown."""

    stop_reason: str
    final: bool
    """Whether it is the model's last word on what it was told so far."""
    problem: str | None
    """Why the answer is not taken, where it is not."""
    content: tuple[Block, ...]
    calls: tuple[Call, ...]
    before: str
    """The text it continues, where the reply before it broke off."""
    outcomes: dict[str, ToolOutcome] = field(default_factory=dict)
    edits: dict[str, ApprovalGranted | ApprovalVoted] = field(default_factory=dict)
    notice: str = ""
    """What the model reads after the results, besides."""
    model: str = ""
    """Whose reply it is: the name by which the model was asked."""

    def edit(self, event: ApprovalGranted | ApprovalVoted) -> None:
        """Keep who changed a call's arguments: not the last of several who allowed them, but the first."""
        known = self.edits.get(event.call_id)
        if known is None or known.edited_arguments != event.edited_arguments:
            self.edits[event.call_id] = event

    @property
    def text(self) -> str:
        """What the model said, without thinking and tool calls."""
        return text_of(self.content)

    @property
    def refused(self) -> bool:
        """Whether the provider forbids to send the reply again."""
        return self.stop_reason == "refusal"

    @property
    def cut_off(self) -> bool:
        """Whether the reply broke off, so that its calls may be incomplete."""
        return self.stop_reason in CUT_OFF

    @property
    def paused(self) -> bool:
        """Whether the provider goes on with this very reply when it is sent again."""
        return self.stop_reason == "pause_turn" and not self.calls

    @property
    def broke_off(self) -> bool:
        """Whether the model is asked to go on where it stopped."""
        return self.cut_off and not self.final and not self.calls


Entry: TypeAlias = Heard | Reply


def heard(position: int, event: UserMessageAdded) -> Heard:
    """What a person said, as an entry."""
    blocks = (text_block(event.message), *event.attachments)
    return Heard(position, tuple(block for block in blocks if is_sendable(block)) or (words(EMPTY_MESSAGE),))


def sent_back(position: int, event: HumanInputProvided) -> Heard:
    """What the reviewer of a final answer said, as an entry."""
    return Heard(position, (words(f"{event.by} did not accept your answer:"), text_block(event.comment or SAID_NO)))


def new_reply(event: LLMResponseReceived, ids: set[str], before: str) -> Reply:
    """A reply whose tool calls have ids that no earlier reply used: some servers count from 1 each time.

    A name or an id of characters that the provider does not take would have it refuse the thread for ever.
    """
    content, calls = [], []
    for block in event.content:
        if block.get("type") != "tool_use":
            content.append(block)
            continue
        call = Call(str(block.get("id")), _unused(_plain(block.get("id")), ids))
        ids.add(call.shown_id)
        calls.append(call)
        content.append({**block, "id": call.shown_id, "name": _plain(block.get("name"))[:LONGEST_NAME]})
    return Reply(event.stop_reason, event.final, event.problem, tuple(content), tuple(calls), before)


def _plain(name: object) -> str:
    return _NO_PART_OF_A_NAME.sub("_", str(name)) or "_"


def _unused(id_: str, ids: set[str]) -> str:
    if id_ not in ids:
        return id_
    return next(other for n in count(2) if (other := f"{id_}_{n}") not in ids)


def said(entry: Entry, *, followed: bool, model: str = "") -> Iterator[tuple[Role, Block]]:
    """The entry block by block, each with who says it; `followed` where another entry comes after it.

    It is read by `model`: thoughts are signed, and no model takes those of another.
    """
    if isinstance(entry, Heard):
        yield from (("user", block) for block in entry.content)
        return
    yield from (("assistant", block) for block in _spoken(entry, model))
    if not entry.refused:
        yield from (("user", block) for block in _results(entry, followed=followed))
        yield from (("user", block) for block in _nudge(entry))
        if entry.notice:
            yield "user", words(entry.notice)


def is_foreign(reply: Reply, model: str) -> bool:
    """Whether another model said it."""
    return bool(model and reply.model) and reply.model != model


def is_thought(block: Block) -> bool:
    """Whether the block is one that only its own model can read again."""
    return block.get("type") in ("thinking", "redacted_thinking")


def _spoken(reply: Reply, model: str) -> list[Block]:
    if reply.refused:
        return [words(REFUSED)]
    blocks = [block for block in reply.content if is_sendable(block)]
    if is_foreign(reply, model):
        return [block for block in blocks if not is_thought(block)]
    while blocks and not reply.paused and is_thought(blocks[-1]):
        blocks.pop()
    return blocks


def _results(reply: Reply, *, followed: bool) -> list[Block]:
    """One result for each call; none so long as no call has one and nothing was said since."""
    if reply.cut_off:
        return [failed_result(call.shown_id, CUT_OFF_CALL) for call in reply.calls]
    if not followed and not reply.outcomes:
        return []
    return [result_of(call.shown_id, reply.outcomes.get(call.id), reply.edits.get(call.id)) for call in reply.calls]


def _nudge(reply: Reply) -> list[Block]:
    """What makes the model go on where its reply leaves nothing to react to."""
    if reply.final or reply.calls or reply.paused:
        return []
    if reply.problem is not None:
        return [words(WRONG.format(problem=reply.problem))]
    if not reply.text.strip():
        return [words(THOUGHT_TOO_LONG if reply.cut_off else SAID_NOTHING)]
    return [words(BROKEN_OFF if reply.cut_off else GO_ON)]
