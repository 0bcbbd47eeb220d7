"""Thin events and the marks that carry them through Temporal: facts without what people and models said."""

from typing import Any, Self

from pydantic import BaseModel, model_serializer, model_validator

from eventlog.events import EVENT_TYPES, AnyEvent, LLMResponseReceived, SessionStarted, ToolCall
from eventlog.facts import Facts, content_fields, unsaid_fields
from eventlog.terms import ToolTerms
from eventlog.upcasting import upcast
from llm.messages import JsonObject


def thin_terms(terms: ToolTerms) -> ToolTerms:
    """The terms without what the process does not need."""
    return terms.model_copy(update=content_fields(ToolTerms)) if terms.capabilities is not None else terms


def thin(event: AnyEvent) -> AnyEvent:
    """The same event without its content."""
    update = dict(content_fields(type(event)))
    if isinstance(event, LLMResponseReceived):
        update["tool_calls"] = tuple(call.model_copy(update=content_fields(ToolCall)) for call in event.tool_calls)
    if isinstance(event, SessionStarted):
        update["tools"] = tuple(map(thin_terms, event.tools))
    return event.model_copy(update=update)


_TOKENS = "_tokens"
"""How the numbers in a reply's `token_usage` end, but not in its mark."""


class Mark(Facts):
    """One thin event and where it stands in its stream: all that Temporal's history holds of a fact."""

    position: int
    event: AnyEvent

    @classmethod
    def of(cls, position: int, event: AnyEvent) -> Self:
        """The mark an event leaves."""
        return cls(position=position, event=thin(event))

    @model_serializer(mode="plain")
    def _short(self) -> JsonObject:
        event = self.event.model_dump(mode="json", exclude=_left_out(self.event), exclude_defaults=True)
        if "token_usage" in event:
            event["token_usage"] = {name.removesuffix(_TOKENS): of for name, of in event["token_usage"].items()}
        shape = {} if self.event.version == 1 else {"version": self.event.version}
        return {"position": self.position, "type": self.event.type, **shape, **event}

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        """Reads what `_short` writes, and what 0.1.0 wrote: the event under a name of its own, and more of it said."""
        if not isinstance(value, dict):
            return value
        said = value.get("event", value)
        if not isinstance(said, dict) or "type" not in said:
            return value
        name, version = said["type"], said.get("version", 1)
        data = {key: each for key, each in said.items() if key not in {"position", "type", "version"}}
        event = upcast(name, version, _said_in_full(EVENT_TYPES[name], data))
        return {"position": value.get("position"), "event": {"type": name, **event}}


def _said_in_full(kind: type[BaseModel], data: JsonObject) -> JsonObject:
    """What a mark says of an event, with what it leaves out."""
    whole = {**unsaid_fields(kind), **data, **content_fields(kind)}
    if "tool_calls" in whole:
        whole["tool_calls"] = [{**content_fields(ToolCall), **call} for call in whole["tool_calls"]]
    if "token_usage" in whole:
        whole["token_usage"] = {name.removesuffix(_TOKENS) + _TOKENS: of for name, of in whole["token_usage"].items()}
    return whole


def _left_out(event: AnyEvent) -> dict[str, Any]:
    """What a mark need not say, as `model_dump` wants to be told: content, and what goes without saying."""
    unsaid = (name for name, value in unsaid_fields(type(event)).items() if getattr(event, name) == value)
    calls = {"tool_calls": {"__all__": set(content_fields(ToolCall))}}
    return {**calls, **dict.fromkeys(content_fields(type(event)), True), **dict.fromkeys(unsaid, True)}
