"""The final answer as JSON."""

from typing import Any

import pytest

from llm.json_schema import MOST_MISTAKES
from projections.answer import check_answer, schema_problem

SCHEMA = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
}

TAKEN: list[tuple[str, Any]] = [
    ('{"n": 1}', {"n": 1}),
    ('  {"n": 1}\n', {"n": 1}),
    ('```json\n{"n": 1}\n```', {"n": 1}),
    ('```\n{"n": 1}\n```', {"n": 1}),
    ('Here it is:\n```json\n{"n": 1}\n```\nAnything else?', {"n": 1}),
    ('{"n": 1, "tags": ["```\\n"]}', {"n": 1, "tags": ["```\n"]}),
    ('{"n": 1, "tags": ["a ```\\nb\\n``` c"]}', {"n": 1, "tags": ["a ```\nb\n``` c"]}),
    ('```json\n{"n": 1, "tags": ["```"]}\n```', {"n": 1, "tags": ["```"]}),
]


@pytest.mark.parametrize(("text", "value"), TAKEN)
def test_json_is_found_bare_or_fenced(text: str, value: Any) -> None:
    """Models wrap their answers; what is meant is taken."""
    assert check_answer(text, SCHEMA) == (value, None)


NOT_JSON = ["", "one", "{'n': 1}", '{"n": NaN}', '{"n": 1e999}', '{"n": Infinity}', '{"n": 1', "```json\nno\n```"]


@pytest.mark.parametrize("text", NOT_JSON)
def test_what_is_no_json_is_told(text: str) -> None:
    """The model reads that it must answer with JSON alone."""
    value, problem = check_answer(text, SCHEMA)
    assert value is None
    assert problem is not None
    assert problem.startswith("The answer is not JSON (")
    assert problem.endswith("Answer with the JSON alone, without any other words.")


def test_every_mistake_is_named_with_its_place() -> None:
    """The model reads where each mistake is and what it is."""
    _, problem = check_answer('{"n": "1", "tags": ["a", 2]}', SCHEMA)
    assert problem == (
        "The answer does not fit the schema:\n"
        "- at $.n: '1' is not of type 'integer'\n"
        "- at $.tags[1]: 2 is not of type 'string'"
    )


def test_many_or_long_mistakes_are_told_in_part() -> None:
    """The words for the model stay short, whatever it said."""
    tags = ", ".join(["9" * 2000] * 30)
    _, problem = check_answer(f'{{"n": 1, "tags": [{tags}]}}', SCHEMA)
    assert problem is not None
    assert problem.endswith(f"- and {30 - MOST_MISTAKES} more")
    assert len(problem) < 2500


def test_what_is_nested_beyond_reason_is_a_mistake_too() -> None:
    """No answer can bring the process down."""
    value, problem = check_answer("[" * 200_000, {})
    assert value is None
    assert problem


def test_a_schema_that_reaches_out_is_not_followed() -> None:
    """Nothing is fetched: a reference to elsewhere is a mistake of the schema."""
    schema = {"$ref": "https://example.com/schema.json"}
    assert "cannot be checked" in str(check_answer("{}", schema)[1])
    assert "refers to something" in str(schema_problem(schema))


@pytest.mark.parametrize(
    "schema",
    [SCHEMA, True, {}, {"$defs": {"n": {"type": "integer"}}, "properties": {"n": {"$ref": "#/$defs/n"}}}],
)
def test_a_proper_schema_has_no_problem(schema: Any) -> None:
    """References within the schema are fine."""
    assert schema_problem(schema) is None


@pytest.mark.parametrize("schema", [{"type": "objekt"}, {"required": "n"}, 7])
def test_an_improper_schema_is_named_before_it_is_asked_for(schema: Any) -> None:
    """The mistake is the caller's, and they are told."""
    assert "this is no JSON Schema" in str(schema_problem(schema))
