"""Conditions on JSON: a small language, in which every question has an answer: yes, no, or that it cannot be told.

    path: amount                 where to look: names and list positions with dots between, or a list of them
    more_than: 50                what must hold there; several comparisons must all hold

Conditions are joined by `all`, `any` and `not`. `some` and `every` look at the elements of a list. What is missing,
null or of another kind cannot be told, unless `if_missing` says what it counts as.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from policy.json_values import among, equal, is_number, kind_of
from policy.patterns import Globs, compiled, fits, shown
from policy.places import Folder, has_host
from policy.truth import Truth, all_of, any_of, negated
from policy.words import Patterns, Words

DEEPEST = 20
"""Conditions within conditions."""


def _steps(given: object) -> object:
    """A path as its steps."""
    if isinstance(given, str):
        return tuple(given.split("."))
    if isinstance(given, list | tuple):
        return tuple(str(each) if type(each) is int else each for each in given)
    return given


def _scalar(value: Any) -> Any:
    if value is None:
        raise ValueError("null is what is missing too: write exists: false")
    if kind_of(value) == "number" and not is_number(value):
        raise ValueError("it must be a number that can be compared")
    return value


def _expression(text: str) -> str:
    compiled(text)
    return text


Number = Annotated[int | float, Field(allow_inf_nan=False)]
Value = Annotated[Any, AfterValidator(_scalar)]
Values = Annotated[tuple[Value, ...], BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)]
Conditions = Annotated[
    tuple["Condition", ...], BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)
]
Step = Annotated[str, Field(min_length=1)]


class Condition(Words):
    """One condition: either a join of others, or comparisons of what stands at `path`."""

    all_of: Conditions | None = Field(default=None, alias="all", min_length=1)
    """All of these hold."""
    any_of: Conditions | None = Field(default=None, alias="any", min_length=1)
    """At least one of these holds."""
    none_of: "Condition | None" = Field(default=None, alias="not")
    """This does not hold."""
    path: Annotated[tuple[Step, ...], BeforeValidator(_steps)] | None = Field(default=None, min_length=1)
    """Where to look, as in `customer.city` or `items.0.price`; left out within `some` and `every`: the element."""
    if_missing: bool | None = None
    """What the comparisons count as where there is nothing, or null."""
    exists: bool | None = None
    """Something other than null is there; with `false`: is not there."""
    equals: Value | None = None
    among: Values | None = Field(default=None, alias="in", min_length=1)
    """One of these values."""
    more_than: Number | None = None
    at_least: Number | None = None
    less_than: Number | None = None
    at_most: Number | None = None
    starts_with: str | None = Field(default=None, min_length=1)
    ends_with: str | None = Field(default=None, min_length=1)
    contains: Value | None = None
    """This text within a text, or this value among a list."""
    matches: Annotated[str, AfterValidator(_expression)] | None = None
    """A regular expression (RE2) that all of the text fits; `.` is any character, also a line's end."""
    longer_than: Annotated[int, Field(ge=0)] | None = None
    """Characters of a text, elements of a list."""
    within: str | None = Field(default=None, min_length=1)
    """A path that leads into this folder, `..` taken into account; links are not followed."""
    host: Patterns | None = None
    """A URL that leads to one of these hosts, in which `*` is any characters."""
    some: "Condition | None" = None
    """At least one element of the list fits."""
    every: "Condition | None" = None
    """All elements of the list fit, as they do where there are none."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        compares = [name for name in COMPARISONS if name in self.model_fields_set]
        joins = [word for word, name in _JOINS.items() if name in self.model_fields_set]
        if len(joins) + bool(compares or self.path or self.if_missing is not None) != 1:
            raise ValueError("a condition is one of: all, any, not, or a path with comparisons")
        if not joins and not compares:
            raise ValueError("say what must hold there: exists, equals, in, at_most, starts_with, matches, …")
        if self.exists is not None and self.if_missing is not None:
            raise ValueError("exists says already what is to be where something is missing: leave if_missing out")
        for name in (*compares, *_JOINS.values(), "if_missing"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{_word(name)} has no value")
        return self

    @property
    def depth(self) -> int:
        """How many conditions stand within each other."""
        inner = [*(self.all_of or ()), *(self.any_of or ()), self.none_of, self.some, self.every]
        return 1 + max((each.depth for each in inner if each is not None), default=0)


_JOINS = {"all": "all_of", "any": "any_of", "not": "none_of"}

Comparison: TypeAlias = Callable[[Any], Truth]


def _number(compare: Callable[[Any, Any], bool], expected: Any) -> Comparison:
    return lambda value: compare(value, expected) if is_number(value) else None


def _contains(expected: Any) -> Comparison:
    def holds(value: Any) -> Truth:
        if isinstance(value, str):
            return expected in value if isinstance(expected, str) else None
        if not isinstance(value, list | tuple):
            return None
        return any_of(equal(each, expected) for each in value)

    return holds


def _longer(expected: int) -> Comparison:
    return lambda value: len(value) > expected if kind_of(value) in ("text", "list") else None


def _text(holds: Callable[[str], Truth]) -> Comparison:
    return lambda value: holds(value) if isinstance(value, str) else None


def _elements(join: Callable[[Any], Truth], condition: Condition) -> Comparison:
    test = prepared(condition)
    return lambda value: join(map(test, value)) if isinstance(value, (list, tuple)) else None


def _matching(expected: str) -> Comparison:
    return _text(partial(fits, compiled(expected)))


def _hosted(expected: Sequence[str]) -> Comparison:
    globs = Globs([each.lower() for each in expected])
    return _text(lambda url: has_host(url, globs))


COMPARISONS: Mapping[str, Callable[[Any], Comparison]] = {
    "exists": lambda expected: lambda value: (value is not None) == expected,
    "equals": lambda expected: lambda value: equal(value, expected),
    "among": lambda expected: lambda value: among(value, expected),
    "more_than": partial(_number, lambda value, expected: value > expected),
    "at_least": partial(_number, lambda value, expected: value >= expected),
    "less_than": partial(_number, lambda value, expected: value < expected),
    "at_most": partial(_number, lambda value, expected: value <= expected),
    "starts_with": lambda expected: _text(lambda text: text.startswith(expected)),
    "ends_with": lambda expected: _text(lambda text: text.endswith(expected)),
    "contains": _contains,
    "matches": _matching,
    "longer_than": _longer,
    "within": lambda expected: _text(Folder(expected).has),
    "host": _hosted,
    "some": partial(_elements, any_of),
    "every": partial(_elements, all_of),
}
"""Every comparison by its field: given what is expected, it answers with a test of values."""


def prepared(condition: Condition) -> Comparison:
    """The condition as a function of a JSON value, with its patterns compiled."""
    if condition.all_of is not None:
        parts = [prepared(each) for each in condition.all_of]
        return lambda value: all_of(part(value) for part in parts)
    if condition.any_of is not None:
        parts = [prepared(each) for each in condition.any_of]
        return lambda value: any_of(part(value) for part in parts)
    if condition.none_of is not None:
        inner = prepared(condition.none_of)
        return lambda value: negated(inner(value))
    return _compared(condition)


def _compared(condition: Condition) -> Comparison:
    path, if_missing = condition.path or (), condition.if_missing
    tests = [make(getattr(condition, name)) for name, make in COMPARISONS.items() if name in condition.model_fields_set]
    if_there = condition.exists is None
    test = tests[0] if len(tests) == 1 else lambda value: all_of(test(value) for test in tests)

    step = path[0] if len(path) == 1 else None  # nearly always, and worth not calling `at` for

    def holds(value: Any) -> Truth:
        found = value.get(step) if step is not None and type(value) is dict else at(value, path)
        if found is None and if_there:
            return if_missing
        return test(found)

    return holds


def at(value: Any, path: Sequence[str]) -> Any:
    """What stands at the path; None where nothing does."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, (list, tuple)) and step.isdecimal() and len(step) < 10 and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def told(condition: Condition, value: Any) -> str:
    """What was compared and what came of it, for people: the part of the condition that decides."""
    truth = prepared(condition)(value)
    for joined in (condition.all_of, condition.any_of):
        if joined is not None:
            deciding = [told(each, value) for each in joined if prepared(each)(value) is truth]
            return "; ".join(deciding)
    if condition.none_of is not None:
        return f"not: {told(condition.none_of, value)}"
    path = ".".join(condition.path or ("it",))
    found = at(value, condition.path or ())
    if found is None and condition.exists is None:
        counted = "cannot be told" if truth is None else f"counts as {'met' if truth else 'not met'}"
        return f"{path} is missing: {_said(condition)} {counted}"
    verb = {True: "is met", False: "is not met", None: "cannot be told of it"}[truth]
    return f"{path} is {shown(found)}: {_said(condition)} {verb}"


def _said(condition: Condition) -> str:
    """The comparisons as they are written."""
    parts = condition.model_dump(mode="json", exclude_unset=True, exclude={"path", "if_missing"})
    return ", ".join(f"{name} {shown(value)}" for name, value in parts.items())


def _word(field: str) -> str:
    """A field as it is written in a policy."""
    return Condition.model_fields[field].alias or field
