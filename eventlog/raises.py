"""How much more somebody allows, on top of what was allowed before."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from eventlog.facts import Facts

_Money = Annotated[Decimal, Field(gt=0, allow_inf_nan=False, max_digits=20)]
_Count = Annotated[int, Field(gt=0, le=10**15)]


def _nothing(value: Any) -> bool:
    return not value


class Raise(Facts):
    """More of one limit or of several; what is left out stays as it is."""

    turns: _Count | None = Field(default=None, exclude_if=_nothing)
    tool_calls: _Count | None = Field(default=None, exclude_if=_nothing)
    tokens: _Count | None = Field(default=None, exclude_if=_nothing)
    runtime: Annotated[float, Field(gt=0, le=10**9)] | None = Field(default=None, exclude_if=_nothing)
    """Seconds."""
    cost: _Money | None = Field(default=None, exclude_if=_nothing)
    """US dollars."""
    calls: _Count | None = Field(default=None, exclude_if=_nothing)
    """Calls of models and tools, of a budget that threads share."""
    tools: Mapping[str, _Count] = Field(default_factory=dict, exclude_if=_nothing)
    """Calls of single tools, by name."""
    unpriced: bool = Field(default=False, exclude_if=_nothing)
    """The thread may ask models whose price nobody knows; what they cost is not counted."""
