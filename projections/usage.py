"""What a session has used: calls, tokens and money by model, calls and time by tool."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from eventlog.events import (
    ApprovalDenied,
    ApprovalExpired,
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
)
from eventlog.log import Recorded
from llm.messages import TokenUsage
from projections.codec import json_codec
from projections.fold import Projection


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """What one model was used for."""

    calls: int = 0
    """Replies."""
    failures: int = 0
    """Attempts without a reply."""
    tokens: TokenUsage = field(default_factory=TokenUsage)
    cost: Decimal = Decimal(0)
    """US dollars, of the calls whose price is known."""
    unpriced: int = 0
    """Calls whose price is not known: they were not free."""
    time_ms: int = 0


@dataclass(frozen=True, slots=True)
class ToolUsage:
    """What one tool was used for."""

    completed: int = 0
    failures: int = 0
    """Attempts that failed."""
    unknown: int = 0
    """Calls of which nobody knows whether they took effect."""
    time_ms: int = 0
    """Of the completed calls."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used up to the event at `position`."""

    position: int = -1
    models: Mapping[str, ModelUsage] = field(default_factory=dict)
    """By the name the provider answered under; failures by the name that was asked for."""
    tools: Mapping[str, ToolUsage] = field(default_factory=dict)
    refused_calls: int = 0
    """Tool calls that a person forbade or did not answer in time."""
    asked: str = ""
    """The model that is being asked."""

    @property
    def cost(self) -> Decimal:
        """US dollars, of the calls whose price is known."""
        return sum((model.cost for model in self.models.values()), Decimal(0))

    @property
    def unpriced(self) -> int:
        """Calls whose price is not known."""
        return sum(model.unpriced for model in self.models.values())

    @property
    def calls(self) -> int:
        """Replies of all models."""
        return sum(model.calls for model in self.models.values())

    @property
    def tokens(self) -> TokenUsage:
        """Tokens of all models."""
        return _sum(model.tokens for model in self.models.values())


def _sum(parts: Iterable[TokenUsage]) -> TokenUsage:
    total = dict.fromkeys(TokenUsage.model_fields, 0)
    for part in parts:
        for name in total:
            total[name] += getattr(part, name)
    return TokenUsage(**total)


def evolve(usage: Usage, recorded: Recorded) -> Usage:
    """The usage, one event further."""
    if recorded.position <= usage.position:
        return usage
    return replace(_after(usage, recorded), position=recorded.position)


def _after(usage: Usage, recorded: Recorded) -> Usage:
    match event := recorded.event:
        case LLMCallRequested():
            return replace(usage, asked=event.model.name)
        case LLMResponseReceived():
            return _with_model(usage, event.model_name, _replied(usage, event))
        case LLMCallFailed():
            model = usage.models.get(usage.asked, ModelUsage())
            return _with_model(usage, usage.asked, replace(model, failures=model.failures + 1))
        case ToolExecutionCompleted():
            tool = usage.tools.get(event.tool_name, ToolUsage())
            time_ms = tool.time_ms + event.execution_time_ms
            return _with_tool(usage, event.tool_name, replace(tool, completed=tool.completed + 1, time_ms=time_ms))
        case ToolExecutionFailed():
            tool = usage.tools.get(event.tool_name, ToolUsage())
            return _with_tool(usage, event.tool_name, replace(tool, failures=tool.failures + 1))
        case ToolExecutionOutcomeUnknown():
            tool = usage.tools.get(event.tool_name, ToolUsage())
            return _with_tool(usage, event.tool_name, replace(tool, unknown=tool.unknown + 1))
        case ApprovalDenied() | ApprovalExpired(action="deny"):
            return replace(usage, refused_calls=usage.refused_calls + 1)
        case _:  # nothing else uses anything
            return usage


def _replied(usage: Usage, event: LLMResponseReceived) -> ModelUsage:
    model = usage.models.get(event.model_name, ModelUsage())
    return replace(
        model,
        calls=model.calls + 1,
        tokens=_sum((model.tokens, event.token_usage)),
        cost=model.cost + (event.cost_usd or 0),
        unpriced=model.unpriced + (event.cost_usd is None),
        time_ms=model.time_ms + event.duration_ms,
    )


def _with_model(usage: Usage, name: str, model: ModelUsage) -> Usage:
    return replace(usage, models={**usage.models, name: model})


def _with_tool(usage: Usage, name: str, tool: ToolUsage) -> Usage:
    return replace(usage, tools={**usage.tools, name: tool})


USAGE: Projection[Usage] = Projection("usage", 1, Usage, evolve, json_codec(Usage))
