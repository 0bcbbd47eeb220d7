"""A tool is a typed function."""

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from tools.context import ToolContext
from tools.errors import InvalidTool
from tools.tool import Tool, tool


class Colour(Enum):
    """An enumeration a tool may take."""

    RED = "red"
    BLUE = "blue"


class Person(BaseModel):
    """A nested model."""

    name: str
    title: str = "Dr"


class Branch(BaseModel):
    """A model that contains itself."""

    label: str
    children: list["Branch"] = []


@tool
def paint(
    city: Annotated[str, Field(description="Where", min_length=2)],
    people: list[Person],
    colour: Colour = Colour.RED,
    unit: Literal["C", "F"] | None = None,
) -> str:
    """Paint people.

    Careful: it does not wash off.

    Args:
        city: Overridden by the hint.
        people: Who is painted,
            one after the other.
        colour: In what colour.

    Returns:
        Nothing of interest.
    """
    return f"{city} {people} {colour} {unit}"


def test_a_bare_decorator_takes_name_and_description_from_the_function() -> None:
    """Name and description come from the function; sections of the docstring are left out."""
    assert paint.name == "paint"
    assert paint.description == "Paint people.\n\nCareful: it does not wash off."


def test_what_is_not_said_is_the_safe_case() -> None:
    """A bare tool is unsafe, of medium risk, and asks nobody; one of high risk asks."""
    assert (paint.effect, paint.risk, paint.approval) == ("unsafe", "medium", "never")

    @tool(risk="high")
    def launch() -> None:
        """Launch it."""

    assert launch.approval == "always"


def test_the_schema_is_valid_and_plain() -> None:
    """The schema has no references and no titles, forbids extra arguments, and tells required from optional."""
    schema = paint.spec.input_schema
    Draft202012Validator.check_schema(schema)
    assert "$defs" not in schema
    assert "$ref" not in str(schema)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["city", "people"]
    assert schema["properties"]["colour"] == {
        "description": "In what colour.",
        "enum": ["red", "blue"],
        "type": "string",
        "default": "red",
    }
    person = schema["properties"]["people"]["items"]
    assert set(person["properties"]) == {"name", "title"}, "an argument may be named title"
    assert "title" not in person


def test_descriptions_come_from_hints_first_then_from_the_docstring() -> None:
    """`Field(description=…)` wins over the docstring, whose lines are joined."""
    properties = paint.spec.input_schema["properties"]
    assert properties["city"]["description"] == "Where"
    assert properties["city"]["minLength"] == 2
    assert properties["people"]["description"] == "Who is painted, one after the other."


def test_a_model_that_contains_itself_keeps_its_definition() -> None:
    """Only a recursive definition stays a reference, and it resolves."""

    @tool
    def grow(branch: Branch, other: Branch | None = None) -> str:
        """Grow a tree."""
        return f"{branch} {other}"

    schema = grow.spec.input_schema
    Draft202012Validator.check_schema(schema)
    assert list(schema["$defs"]) == ["Branch"]
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"branch": {"label": "a", "children": [{"label": "b"}]}})
    assert not validator.is_valid({"branch": {"label": "a", "children": [{"label": 1}]}})


@pytest.mark.parametrize(
    "docstring",
    [
        "Do it.\n\n    Parameters\n    ----------\n    what : str\n        The thing.\n    ",
        "Do it.\n\n    :param what: The thing.\n    ",
        "Do it.\n\n    Args:\n        what (str): The thing.\n    ",
    ],
)
def test_every_usual_style_of_docstring_is_read(docstring: str) -> None:
    """NumPy's, Sphinx's and Google's styles describe parameters alike."""

    def do(what: str) -> str:
        return what

    do.__doc__ = docstring
    made = tool(do)
    assert made.description == "Do it."
    assert made.spec.input_schema["properties"]["what"]["description"] == "The thing."


def test_the_context_is_never_visible_to_the_model() -> None:
    """A parameter of type `ToolContext` is no argument, whatever its name and even where it is optional."""

    @tool
    def spy(what: str, whoever: ToolContext, maybe: ToolContext | None = None) -> str:
        """Spy."""
        return f"{what} {whoever} {maybe}"

    assert list(spy.spec.input_schema["properties"]) == ["what"]
    assert spy.context == ("whoever", "maybe")


def test_names_that_pydantic_reserves_are_fine() -> None:
    """Arguments may be called what models of pydantic may not."""

    @tool
    def awkward(schema: str, model_config: int, json: bool, _hidden: str = "") -> str:
        """Take awkward names."""
        return f"{schema} {model_config} {json} {_hidden}"

    assert list(awkward.spec.input_schema["properties"]) == ["schema", "model_config", "json", "_hidden"]


def test_a_tool_is_still_its_function() -> None:
    """Called, a tool does what its function does: so it is tested like one."""

    @tool(name="double-it", description="Doubles.")
    def double(number: int) -> int:
        return 2 * number

    assert double(21) == 42
    assert (double.name, double.description) == ("double-it", "Doubles.")


def test_the_digest_changes_with_what_the_model_sees() -> None:
    """The digest covers name, description and schema, and nothing else."""

    def made(description: str, **options: Any) -> Tool:
        return tool(name="x", description=description, **options)(lambda: None)

    assert made("a").terms.digest == made("a", timeout=5, effect="read_only").terms.digest
    assert made("a").terms.digest != made("b").terms.digest


def _untyped(what) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Do it."""


def _star(*what: str) -> None:
    """Do it."""


def _stars(**what: str) -> None:
    """Do it."""


def _positional(what: str, /) -> None:
    """Do it."""


def _silent() -> None:
    """Lose this docstring."""


_silent.__doc__ = None


def _default_in_field(what: int = Field(3, ge=1)) -> None:
    """Do it."""


def _default_in_hint(what: Annotated[int, Field(default=3)]) -> None:
    """Do it."""


def _boundless(what: Annotated[float, Field(examples=[float("inf")])]) -> None:
    """Do it."""


def _unreadable(what: "Missing") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Do it."""


def _unsuitable(what: type["_Opaque"], how: "_Opaque") -> None:
    """Do it."""


class _Opaque:
    """A type no JSON fits."""


def _yields() -> Iterator[str]:
    """Do it."""
    yield "a"


async def _asks(_: Any) -> bool:
    """A rule that is async, which none may be."""
    return True


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        (_untyped, {}, "'what' of _untyped has no type: write what: str"),
        (_star, {}, "must be a plain named one"),
        (_stars, {}, "must be a plain named one"),
        (_positional, {}, "must be a plain named one"),
        (_silent, {}, "has no description: write a docstring"),
        (_default_in_field, {}, "= default"),
        (_default_in_hint, {}, "= default"),
        (_boundless, {}, "leave infinity out"),
        (_unreadable, {}, "cannot be read: name 'Missing' is not defined"),
        (_unsuitable, {}, "no JSON fits"),
        (_yields, {}, "must return its whole result"),
        (_Opaque, {}, "write @tool"),
        (paint, {}, "write @tool"),
        (_silent, {"description": "x", "name": "två saker"}, "@tool(name=…)"),
        (_silent, {"description": "x", "name": "x" * 65}, "@tool(name=…)"),
        (_silent, {"description": "x", "effect": "readonly"}, "effect must be one of"),
        (_silent, {"description": "x", "risk": "huge"}, "risk must be one of"),
        (_silent, {"description": "x", "timeout": 0}, "timeout must be"),
        (_silent, {"description": "x", "timeout": float("nan")}, "timeout must be"),
        (_silent, {"description": "x", "attempts": 0}, "attempts must be"),
        (_silent, {"description": "x", "approval": "sometimes"}, "approval must be"),
        (_silent, {"description": "x", "approval": _asks}, "approval must be"),
        (_silent, {"description": "x", "title": _asks}, "title must be"),
    ],
)
def test_a_wrong_definition_is_refused_in_words(function: Any, options: dict[str, Any], said: str) -> None:
    """What cannot be a tool is refused when it is defined, with what to change."""
    with pytest.raises(InvalidTool) as refused:
        tool(**options)(function)
    assert said in str(refused.value)


def test_a_default_that_is_no_json_is_left_out_of_the_schema() -> None:
    """A default JSON cannot tell is the function's own affair."""

    @tool
    def pay(amount: Decimal = Decimal("1.50"), factory: Any = _Opaque, most: float = float("inf")) -> str:
        """Pay."""
        return f"{amount} {factory} {most}"

    properties = pay.spec.input_schema["properties"]
    assert properties["amount"]["default"] == "1.50"
    assert "default" not in properties["factory"]
    assert "default" not in properties["most"]
