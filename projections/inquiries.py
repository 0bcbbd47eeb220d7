"""The questions to people that have no answer yet, whole: whoever answers is held to them."""

from collections.abc import Mapping
from typing import TypeAlias

from eventlog.events import (
    HumanInputExpired,
    HumanInputProvided,
    HumanInputRequested,
    LLMResponseReceived,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
)
from eventlog.log import Recorded
from projections.codec import json_codec
from projections.fold import Projection

Inquiries: TypeAlias = Mapping[str, HumanInputRequested]
"""By the call whose outcome the answer is."""


def evolve(inquiries: Inquiries, recorded: Recorded) -> Inquiries:
    """The open questions, one event further."""
    match event := recorded.event:
        case HumanInputRequested():
            return {**inquiries, event.call_id: event}
        case HumanInputProvided() | HumanInputExpired() | ToolExecutionFailed() | ToolExecutionOutcomeUnknown():
            return {call: asked for call, asked in inquiries.items() if call != event.call_id}
        case LLMResponseReceived():
            return {}
        case _:
            return inquiries


def _none() -> Inquiries:
    return {}


INQUIRIES: Projection[Inquiries] = Projection("inquiries", 1, _none, evolve, json_codec(dict[str, HumanInputRequested]))
