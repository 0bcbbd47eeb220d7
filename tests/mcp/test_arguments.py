"""Schemas of strangers, and arguments held against them."""

from typing import Any

import pytest

from tools.errors import InvalidArguments, InvalidTool
from tools.mcp.arguments import JsonArguments

POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}
DOUBLING = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
REFUSED: dict[str, tuple[Any, str]] = {
    "no object": ({"type": "string"}, "not of the type object"),
    "no schema": ({"type": "object", "properties": {"a": {"type": "colour"}}}, "is no JSON Schema"),
    "argument": ({"type": "object", "properties": {"a b": {}}}, "a name that providers refuse"),
    "elsewhere": ({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}, "outside of itself"),
    "long": ({"type": "object", "description": "x" * 60_000}, "longer than 50,000"),
    "doubling": ({"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": DOUBLING}, "too large"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_schemas_that_are_refused(case: str) -> None:
    """A schema that providers refuse, or that would cost more than it may, makes no tool."""
    schema, words = REFUSED[case]
    with pytest.raises(InvalidTool, match=words):
        JsonArguments(schema)


def test_arguments_are_checked_and_passed_on_as_they_are() -> None:
    """What fits is given whole to the function; what does not is told with its place."""
    arguments = JsonArguments(
        {"type": "object", "properties": {"at": {"$ref": "#/$defs/point"}}, "$defs": {"point": POINT}}
    )
    checked = arguments.check({"at": {"x": 1}})
    assert (checked.values, checked.json) == ({"arguments": {"at": {"x": 1}}}, {"at": {"x": 1}})
    with pytest.raises(InvalidArguments, match=r"at\.x: 'one' is not of type 'integer'"):
        arguments.check({"at": {"x": "one"}})
    with pytest.raises(InvalidArguments, match="must be a JSON object, not list"):
        arguments.check([])


def test_a_pattern_costs_no_more_than_its_text() -> None:
    """A pattern that would take a backtracking matcher for ever is matched at once; an unknown one is not ours."""
    slow = JsonArguments({"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}})
    with pytest.raises(InvalidArguments, match="does not match"):
        slow.check({"a": "a" * 50 + "!"})
    unknown = JsonArguments({"type": "object", "properties": {"a": {"pattern": "(?=ahead)"}}})
    assert unknown.check({"a": "x"}).json == {"a": "x"}


def test_a_schema_may_contain_itself() -> None:
    """A tree of any depth can be described."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}
    tree = JsonArguments({**node, "$defs": {"node": node}})
    assert tree.check({"next": {"next": {"n": 1}}}).json == {"next": {"next": {"n": 1}}}
    with pytest.raises(InvalidArguments, match=r"next\.next\.n"):
        tree.check({"next": {"next": {"n": "1"}}})


def test_a_schema_that_only_contains_itself() -> None:
    """A definition that is nothing but itself is told to be of no use, and ends."""
    endless = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}
    with pytest.raises(InvalidArguments, match="cannot be applied"):
        JsonArguments(endless).check({"a": 1})
