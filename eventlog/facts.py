"""What events and their parts are made of, and what of them is content.

Fields marked as content are what people and models said: they live in the log only, and no mark has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from llm.messages import Block, JsonObject


@dataclass(frozen=True, slots=True)
class ContentMark:
    """Says of a field that it holds content, and what stands in its place in a thin event."""

    empty: object


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Says of a field that its mark does not write it where it holds this: Temporal keeps every byte for ever."""

    value: object


Text = Annotated[str, ContentMark("")]
Detail = Annotated[int, ContentMark(0)]
Words = Annotated[str | None, ContentMark(None)]
Blocks = Annotated[tuple[Block, ...], ContentMark(())]
Arguments = Annotated[JsonObject, ContentMark({})]
MaybeJson = Annotated[Any, ContentMark(None)]


class Facts(BaseModel):
    """A frozen part of an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(Facts):
    """One fact. Subclasses are named in the past tense and tagged with their own name."""

    version: ClassVar[int] = 1
    """The version of this class's shape; written into the metadata."""


@cache
def content_fields(kind: type[BaseModel]) -> Mapping[str, object]:
    """The fields of a class that hold content, with what replaces them."""
    return {
        name: mark.empty
        for name, field in kind.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, ContentMark)
    }


@cache
def unsaid_fields(kind: type[BaseModel]) -> Mapping[str, object]:
    """The fields of a class that a mark leaves out where they hold these values."""
    return {
        name: mark.value
        for name, field in kind.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Unsaid)
    }
