"""The final answer as JSON: found in what the model said, and held against the schema that was asked for."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from jsonschema import SchemaError
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

MOST_MISTAKES = 5
"""How many mistakes the model is told of at once."""
LONGEST_MISTAKE = 300
"""Characters."""

_FENCED = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)


def check_answer(text: str, schema: Any) -> tuple[Any, str | None]:
    """The JSON in `text`, and what is wrong with it in words the model can act on; None where it fits."""
    try:
        value = _parse(text)
        problem = _mistakes(value, schema)
    except RecursionError:
        return None, "The answer is nested too deeply."
    except ValueError as error:
        return None, f"The answer is not JSON ({error}). Answer with the JSON alone, without any other words."
    return (value, None) if problem is None else (None, problem)


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


def _parse(text: str) -> Any:
    problem = ValueError("it is empty")
    for candidate in _candidates(text):
        try:
            return json.loads(candidate, parse_constant=_no_number, parse_float=_number)
        except ValueError as error:
            problem = error
    raise problem


def _candidates(text: str) -> Iterator[str]:
    """What may be the answer: what stands in a fence, or else the whole text, whose mistake is then told."""
    if fenced := _FENCED.search(text):
        yield fenced[1]
    yield text.strip()


def _number(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_number(digits)


def _no_number(digits: str) -> float:
    raise ValueError(f"{digits} is no number in JSON")


def _mistakes(value: Any, schema: Any) -> str | None:
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
