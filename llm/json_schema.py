"""JSON held against a JSON Schema, and what is wrong with either in words."""

from typing import Any

from jsonschema import SchemaError
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

MOST_MISTAKES = 5
"""How many mistakes are told at once."""
LONGEST_MISTAKE = 300
"""Characters."""


def schema_problem(schema: Any) -> str | None:
    """Why `schema` cannot be asked for; None where it can."""
    if not isinstance(schema, bool | dict):
        return "this is no JSON Schema: it must be an object"
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)  # type: ignore[arg-type] # or a bool
        list(_validator(schema).iter_errors(None))
    except SchemaError as error:
        return f"this is no JSON Schema: {_clipped(error.message)}"
    except Unresolvable as error:
        return f"the schema refers to something that is not in it: {error.ref}"
    return None


def misfit(value: Any, schema: Any) -> str | None:
    """What is wrong with the value by the schema, in words its author can act on; None where it fits."""
    try:
        errors = sorted(_validator(schema).iter_errors(value), key=lambda error: error.json_path)
    except Unresolvable as error:
        return f"The answer cannot be checked: the schema refers to something that is not in it ({error.ref})."
    if not errors:
        return None
    told = [_mistake(error) for error in errors[:MOST_MISTAKES]]
    more = len(errors) - len(told)
    return "\n".join(["The answer does not fit the schema:", *told, *([f"- and {more} more"] if more else [])])


def _validator(schema: Any) -> Validator:
    """A validator that knows this schema only: with its own registry it fetches nothing from anywhere."""
    return validator_for(schema, default=Draft202012Validator)(schema, registry=Registry())


def _mistake(error: ValidationError) -> str:
    return f"- at {error.json_path}: {_clipped(error.message)}"


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST_MISTAKE else text[: LONGEST_MISTAKE - 1] + "…"
