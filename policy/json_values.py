"""JSON values compared without surprises: no text is a number, true is not 1, and what cannot be compared is not."""

import math
from typing import Any

from policy.truth import Truth, all_of, any_of

_KINDS = {str: "text", int: "number", float: "number", bool: "boolean", list: "list", dict: "object"}


def kind_of(value: Any) -> str:
    """The value's kind, as JSON has it."""
    return _KINDS.get(type(value)) or _kind_of(value)


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list() | tuple():
            return "list"
        case _:
            return "object"


def is_number(value: Any) -> bool:
    """Whether it can be put in order: NaN cannot, and true is no number."""
    return kind_of(value) == "number" and not (isinstance(value, float) and math.isnan(value))


def equal(one: Any, other: Any) -> Truth:
    """Whether both are the same value; None where they are of different kinds, and so cannot be told apart safely."""
    kind = kind_of(one)
    if kind != kind_of(other):
        return None
    if kind == "number":
        return bool(one == other) if is_number(one) and is_number(other) else None
    if kind == "list":
        if len(one) != len(other):
            return False
        return all_of(equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    if kind == "object":
        return all_of(equal(one[key], other[key]) for key in one) if one.keys() == other.keys() else False
    return bool(one == other)


def among(value: Any, values: Any) -> Truth:
    """Whether it is one of the values; None where it is of none of their kinds."""
    truths = [equal(value, each) for each in values]
    if False in truths and not any(truths):
        return False
    return any_of(truths)
