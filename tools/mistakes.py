"""Mistakes in arguments, in words a model can act on: one line each, then the arguments there are."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from llm.messages import JsonObject

MOST = 20
"""Lines; the first mistakes are the ones to mend first."""
_LONGEST_VALUE = 80


def explain(error: ValidationError, given: JsonObject, schema: JsonObject) -> str:
    """What is wrong with the arguments, and what they should be."""
    lines: dict[str, list[str]] = {}
    for mistake in error.errors(include_url=False):
        path, words = _read(mistake, given)
        lines.setdefault(path, []).append(words)
    told = [f"- {path}: {'; or: '.join(dict.fromkeys(words))}" for path, words in lines.items()]
    more = [f"- and {len(told) - MOST} more"] if len(told) > MOST else []
    return "\n".join(["The arguments are not valid:", *told[:MOST], *more, allowed_arguments(schema)])


def allowed_arguments(schema: JsonObject) -> str:
    """One line that lists every argument with its type."""
    required = schema.get("required", ())
    arguments = [
        f"{name} ({kind_of(part)}{', required' if name in required else ''})"
        for name, part in schema["properties"].items()
    ]
    return f"Allowed arguments: {', '.join(arguments) or 'none'}."


def kind_of(schema: JsonObject) -> str:
    """The type a schema describes, in a word or two."""
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(kind_of(part) for part in schema[key])
    if schema.get("type") == "array":
        return f"array of {kind_of(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _read(mistake: ErrorDetails, given: JsonObject) -> tuple[str, str]:
    """The path of a mistake in what was given, and what is wrong there."""
    if mistake["type"] == "missing":
        return _path(mistake["loc"]), "required, but missing"
    path = _path(_within(given, mistake["loc"]))
    value = _short(mistake["input"])
    if mistake["type"] == "extra_forbidden":
        return path, f"no such argument; given {value}"
    if mistake["type"] == "string_unicode":
        return path, "must be text that can be written as Unicode: leave lone surrogates out"
    words = mistake["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return path, f"{words.replace('Input should', 'should', 1)}; given {value}"


def _within(given: Any, location: Sequence[int | str]) -> Sequence[int | str]:
    """The part of a location that leads through what was given: the rest names pydantic's own steps."""
    for depth, key in enumerate(location):
        known = dict(enumerate(given)) if isinstance(given, list) else given
        if not isinstance(known, dict) or key not in known:
            return location[:depth]
        given = known[key]
    return location


def _path(location: Sequence[int | str]) -> str:
    words = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in location)
    return words.removeprefix(".") or "the arguments"


def _short(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text):,} characters)"
