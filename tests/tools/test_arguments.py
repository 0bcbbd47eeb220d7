"""What a model gives is validated and coerced, and its mistakes are told in words it can act on."""

from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from tests.tools.conftest import Bench, MakeBench
from tools.context import ToolContext
from tools.plugins import load_tools
from tools.tool import tool
from tools.toolbox import Planned, Succeeded, Unplanned
from tools.workbench import Workbench

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


class Size(Enum):
    """What is chosen from."""

    SMALL = "s"
    LARGE = "l"


class Item(BaseModel):
    """One line of an order."""

    sku: str
    count: int = Field(default=1, ge=1)


@tool
def order(
    context: ToolContext,
    customer: str,
    items: Annotated[list[Item], Field(min_length=1)],
    size: Size = Size.SMALL,
    due: date | None = None,
    urgency: Literal["low", "high"] | int = "low",
    note: Any = "",
) -> str:
    """Order things."""
    return f"{context.tenant}: {customer} {items[0].count + 1} {size.name} {due and due.year} {urgency} {note}"


@tool
def unlock(password: SecretStr) -> str:
    """Unlock it."""
    return password.get_secret_value()


@tool(effect="read_only")
def anything(value: Any, values: dict[str, Any], path: Path) -> str:
    """Take anything."""
    return f"{value} {values} {path}"


@pytest.fixture
def bench(bench_of: MakeBench) -> Bench:
    """A bench with these tools."""
    return bench_of(order, unlock, anything)


def test_arguments_are_coerced_and_kept_as_json(bench: Bench) -> None:
    """Numbers in text, text from numbers and enumerations come out typed; defaults are left to the function."""
    plan = bench.plan("order", {"customer": 7, "items": [{"sku": "a", "count": "2"}], "size": "l", "due": "2026-01-02"})
    assert plan.arguments == {
        "customer": "7",
        "items": [{"sku": "a", "count": 2}],
        "size": "l",
        "due": "2026-01-02",
    }


async def test_the_function_gets_typed_values(bench: Bench) -> None:
    """Between the plan and the run arguments are JSON; the function sees its own types and the context."""
    result = await bench.run("order", customer="bo", items=[{"sku": "a"}], due="2026-01-02")
    assert result == Succeeded(({"type": "text", "text": "acme: bo 2 SMALL 2026 low "},))


def test_what_models_often_get_wrong_is_mended(bench: Bench) -> None:
    """A list given as text is read, and null stands for an argument that has a default."""
    plan = bench.plan("order", {"customer": "bo", "items": '[{"sku": "a"}]', "size": None})
    assert plan.arguments == {"customer": "bo", "items": [{"sku": "a"}]}


def test_mistakes_are_told_one_on_each_line(bench: Bench) -> None:
    """Every mistake names its path, what was given and what is expected; the arguments there are come last."""
    problem = bench.problem(
        "order",
        {"items": [{"sku": "a", "count": 0}], "size": "xl", "urgency": [1], "colour": "red", "due": "soon"},
    )
    assert problem.splitlines() == [
        "The arguments are not valid:",
        "- customer: required, but missing",
        "- items[0].count: should be greater than or equal to 1; given 0",
        "- size: should be 's' or 'l'; given \"xl\"",
        '- due: should be a valid date or datetime, input is too short; given "soon"',
        "- urgency: should be 'low' or 'high'; given [1]; or: should be a valid integer; given [1]",
        '- colour: no such argument; given "red"',
        (
            'Allowed arguments: customer (string, required), items (array of object, required), size ("s" | "l"), '
            'due (string | null), urgency ("low" | "high" | integer), note (any).'
        ),
    ]


def test_the_model_cannot_pass_the_context(bench: Bench) -> None:
    """The context's parameter is no argument: naming it is a mistake."""
    problem = bench.problem("order", {"customer": "a", "items": [{"sku": "a"}], "context": {"tenant": "other"}})
    assert "- context: no such argument" in problem


def test_long_values_and_many_mistakes_are_cut(bench: Bench) -> None:
    """A mistake shows the beginning of what was given, and a flood of mistakes its first ones."""
    problem = bench.problem("order", {f"wrong{i}": "x" * 1000 for i in range(50)})
    assert "and 32 more" in problem
    assert len(problem) < 4000


@pytest.mark.parametrize("given_arguments", [[], "x", None, 3])
def test_what_is_no_object_is_told_so(bench: Bench, given_arguments: Any) -> None:
    """A foreign server may send anything for arguments."""
    assert "must be a JSON object" in bench.problem("order", given_arguments)


def test_deep_nesting_is_refused(bench: Bench) -> None:
    """Nothing that comes from a model can exhaust the stack, be it given as text."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert "levels deep" in bench.problem("anything", {"value": deep, "values": {}, "path": "."})
    assert "- values" in bench.problem("anything", {"value": 1, "values": "[" * 5000 + "]" * 5000, "path": "."})


async def test_a_value_that_json_cannot_tell_stays_as_it_was_given(bench: Bench) -> None:
    """A secret reaches its tool, although it writes itself as asterisks."""
    assert await bench.run("unlock", password="xyzzy") == Succeeded(({"type": "text", "text": "xyzzy"},))


def test_the_digest_is_of_name_and_arguments(bench: Bench) -> None:
    """Equal arguments give equal digests whatever their order and spelling; others give others."""
    one = bench.plan("order", {"customer": "1", "items": [{"sku": "a", "count": 2}]})
    same = bench.plan("order", {"items": [{"count": "2", "sku": "a"}], "customer": 1})
    other = bench.plan("order", {"customer": "1", "items": [{"sku": "b", "count": 2}]})
    assert one.digest == same.digest != other.digest


ALL = (order, unlock, anything, *load_tools([]))
NAMES = [each.name for each in ALL]


@given(
    name=st.sampled_from(NAMES),
    arguments=st.one_of(
        JSON,
        st.dictionaries(
            st.sampled_from(sorted({key for each in ALL for key in each.spec.input_schema["properties"]})), JSON
        ),
    ),
)
def test_no_arguments_crash_a_plan(name: str, arguments: Any) -> None:
    """Whatever JSON a model gives, there is a plan or words; a plan of a plan's arguments is the same plan."""
    workbench = Workbench(ALL, Path())
    plan = workbench.plan(name, arguments, NAMES)
    assert isinstance(plan, Planned | Unplanned)
    title = workbench.title(name, arguments)
    assert 0 < len(title) <= 80
    assert title.isprintable()
    if isinstance(plan, Planned):
        again = workbench.plan(name, plan.arguments, NAMES)
        assert isinstance(again, Planned)
        assert again.digest == plan.digest
