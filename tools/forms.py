"""Whether a model's JSON Schema can be put to a person as a form.

It is a stranger's: it must be small, refer to nothing outside, and hold no regular expression, which can be written so
that holding an answer against it takes for ever.
"""

import json
from collections.abc import Iterator
from typing import Any

from llm.json_schema import schema_problem

LONGEST = 20_000
"""Characters of a form as JSON."""
_EXPRESSIONS = frozenset({"pattern", "patternProperties"})
_NAMED = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose keys are names and not keywords."""
_DATA = frozenset({"default", "const", "enum", "examples"})


def form_problem(form: Any) -> str | None:
    """Why nobody can be asked to fill in this form; None where somebody can."""
    try:
        if len(json.dumps(form)) > LONGEST:
            return f"the form is longer than {LONGEST:,} characters"
        used = sorted(_EXPRESSIONS & set(_keywords(form)))
        return f"a form cannot have {used[0]!r}: describe what is expected in words" if used else schema_problem(form)
    except RecursionError:
        return "the form is nested too deeply, or refers to itself"


def _keywords(node: Any) -> Iterator[str]:
    """Every keyword of the schema, and of those in it."""
    if isinstance(node, list):
        for each in node:
            yield from _keywords(each)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        yield key
        if key in _NAMED and isinstance(value, dict):
            yield from _keywords(list(value.values()))
        elif key not in _DATA:
            yield from _keywords(value)
