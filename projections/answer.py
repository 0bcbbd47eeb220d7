"""The final answer as JSON: found in what the model said, and held against the schema that was asked for."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from llm.json_schema import misfit
from llm.json_schema import schema_problem as schema_problem  # noqa: PLC0414 - offered beside `check_answer`

_FENCED = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)


def check_answer(text: str, schema: Any) -> tuple[Any, str | None]:
    """The JSON in `text`, and what is wrong with it in words the model can act on; None where it fits."""
    try:
        value = _parse(text)
        problem = misfit(value, schema)
    except RecursionError:
        return None, "The answer is nested too deeply."
    except ValueError as error:
        return None, f"The answer is not JSON ({error}). Answer with the JSON alone, without any other words."
    return (value, None) if problem is None else (None, problem)


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
