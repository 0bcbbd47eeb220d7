"""What the model reads of its tool calls: exactly one result for each, whatever became of it."""

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from eventlog.canonical import canonical_json
from eventlog.events import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalVoted,
    HumanInputExpired,
    HumanInputProvided,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
)
from llm.messages import Block, text_block
from projections.human_answers import in_words

MARK = "[perdure]"
"""Stands before every word that neither a person, nor the model, nor a tool said."""

ToolOutcome: TypeAlias = (
    ToolExecutionCompleted
    | ToolExecutionFailed
    | ToolExecutionOutcomeUnknown
    | ApprovalDenied
    | ApprovalExpired
    | HumanInputProvided
    | HumanInputExpired
)
"""The end of a tool call, one way or another."""
Edit: TypeAlias = ApprovalGranted | ApprovalVoted
"""What changed a call's arguments before it ran."""

NOT_RUN = "This call was not run."
CUT_OFF_CALL = (
    "Your reply was cut off, so this call may be incomplete and was not run. Ask for it again, in smaller pieces."
)
NOTHING = "The tool returned nothing."

_FAILURES: Mapping[str, str] = {
    "unknown_tool": "There is no such tool",
    "invalid_arguments": "The arguments are not valid",
    "timeout": "The tool did not finish in time",
    "unavailable": "The tool is not available",
    "crashed": "The process that ran the tool died",
}


def words(text: str) -> Block:
    """Words of ours in the conversation, marked as such."""
    return text_block(f"{MARK} {text}")


def is_sendable(block: Block) -> bool:
    """Whether a provider takes the block: it rejects text that is empty or blank."""
    return block.get("type") != "text" or bool(str(block.get("text", "")).strip())


def result_of(shown_id: str, outcome: ToolOutcome | None, edit: Edit | None) -> Block:
    """The result of one call; `edit` is the approval that changed its arguments, where one did."""
    if isinstance(outcome, ToolExecutionCompleted):
        content = [block for block in outcome.result if is_sendable(block)] or [words(NOTHING)]
        return _result(shown_id, _edited(edit) + content)
    if isinstance(outcome, HumanInputProvided):
        return _result(shown_id, _edited(edit) + _answered(outcome))
    return failed_result(shown_id, _explain(outcome), edit)


def failed_result(shown_id: str, problem: str, edit: Edit | None = None) -> Block:
    """The result of a call that did not do what it was to do."""
    return {**_result(shown_id, [*_edited(edit), words(problem)]), "is_error": True}


def _result(shown_id: str, content: list[Block]) -> Block:
    return {"type": "tool_result", "tool_use_id": shown_id, "content": content}


def _answered(outcome: HumanInputProvided) -> list[Block]:
    """What a person answered, in their own words after ours."""
    said = in_words(outcome.action, outcome.value, outcome.verdict)
    comment = [text_block(outcome.comment)] if outcome.comment and outcome.comment.strip() else []
    told = [words(f"{outcome.by} answered:"), text_block(said), *comment, *outcome.content]
    return [block for block in told if is_sendable(block)]


def _explain(
    outcome: ToolExecutionFailed
    | ToolExecutionOutcomeUnknown
    | ApprovalDenied
    | ApprovalExpired
    | HumanInputExpired
    | None,
) -> str:
    match outcome:
        case None:
            return NOT_RUN
        case ToolExecutionFailed():
            return f"{_FAILURES.get(outcome.kind, 'The tool failed')}: {outcome.error_message}"
        case ToolExecutionOutcomeUnknown():
            return (
                f"Nobody knows whether this call took effect: {outcome.explanation} "
                "Do not simply repeat it: find out first what happened, or ask."
            )
        case ApprovalDenied():
            return f"{outcome.approver} did not allow this call, so it was not run. Reason: {outcome.reason}"
        case HumanInputExpired():
            return "Nobody answered in time. Go on without an answer if you can, or say what you need."
        case ApprovalExpired():
            return "Nobody answered in time whether this call may run, so it was not run."
        case _:
            assert_never(outcome)


def _edited(edit: Edit | None) -> list[Block]:
    if edit is None:
        return []
    arguments = canonical_json(edit.edited_arguments).decode()
    comment = f" They said: {edit.comment}" if edit.comment else ""
    return [words(f"{edit.approver} changed the arguments of this call before it ran, to: {arguments}{comment}")]
