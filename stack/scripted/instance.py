"""JSON that fits a schema: how a mind without understanding answers where JSON is asked for."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from projections.transcript import SCHEMA
from stack.scripted.conversation import Conversation

DEEPEST = 12
"""A schema that goes on inside itself is cut off here."""
MOST_ITEMS = 1000

_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "nobody@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
_CANDIDATES = (
    "a",
    "A",
    "0",
    "1",
    "aa",
    "aaa",
    "AAA",
    "00",
    "000",
    "0000",
    "1.0.0",
    "a-b",
    "a_b",
    "2026-01-01",
    "a@b.co",
)
"""Tried in turn where a string must match a pattern."""
_MEANT = {
    "properties": "object",
    "required": "object",
    "items": "array",
    "prefixItems": "array",
    "minItems": "array",
    "minLength": "string",
    "pattern": "string",
    "format": "string",
    "minimum": "number",
    "maximum": "number",
}
"""The type a keyword speaks of, where none is given."""


def schema_asked_for(conversation: Conversation) -> Any:
    """The schema the final answer must fit; None where any words will do."""
    for text in (conversation.system, conversation.asked):
        _, found, rest = text.partition(SCHEMA)
        if found:
            try:
                return json.JSONDecoder().raw_decode(rest.lstrip())[0]
            except ValueError:
                continue
    return None


def instance_of(schema: Any, words: str) -> Any:
    """A small value that fits the schema, if one is easily found; its free strings are the words."""
    return _Maker(schema, words).make(schema, 0)


@dataclass(frozen=True, slots=True)
class _Maker:
    root: Any
    words: str

    def make(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > DEEPEST:
            return self.words
        schema = self._flat(schema)
        for given in ("const", "default"):
            if given in schema:
                return schema[given]
        if schema.get("enum"):
            return schema["enum"][0]
        for choice in ("anyOf", "oneOf"):
            if schema.get(choice):
                return self.make({**_without(schema, choice), **_dict(schema[choice][0])}, depth + 1)
        return self._typed(schema, depth)

    def _flat(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema with what it refers to, and all it must also fit, put into one."""
        for _ in range(DEEPEST):
            parts = [self._referred(schema["$ref"])] if "$ref" in schema else schema.get("allOf")
            if not parts:
                break
            schema = _without(_without(schema, "$ref"), "allOf" if "$ref" not in schema else "$ref")
            for part in map(_dict, parts):
                schema = _merged(schema, part)
        return schema

    def _referred(self, reference: str) -> Any:
        found = self.root
        for part in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key, {}) if isinstance(found, dict) else {}
        return found

    def _typed(self, schema: dict[str, Any], depth: int) -> Any:
        match _type_of(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer" | "number" as kind:
                return self._number(schema, whole=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(schema)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """What is required; all there is where nothing is."""
        properties = _dict(schema.get("properties"))
        wanted = schema.get("required") or (properties if depth < DEEPEST // 2 else ())
        return {name: self.make(properties.get(name, {}), depth + 1) for name in wanted}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        heads = list(schema.get("prefixItems") or ())
        made = [self.make(head, depth + 1) for head in heads]
        missing = max(0, min(schema.get("minItems", 0), MOST_ITEMS) - len(made))
        made += [self.make(schema.get("items", {}), depth + 1) for _ in range(missing)]
        return [_varied(value, index) for index, value in enumerate(made)] if schema.get("uniqueItems") else made

    def _string(self, schema: dict[str, Any]) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        low, high = schema.get("minLength", 0), schema.get("maxLength")
        candidates = [self.words[:high].ljust(low, "."), *_CANDIDATES]
        pattern = schema.get("pattern", "")
        fitting = (text for text in candidates if len(text) >= low and (high is None or len(text) <= high))
        return next((text for text in fitting if _matches(pattern, text)), candidates[0])

    def _number(self, schema: dict[str, Any], *, whole: bool) -> int | float:
        """The last number in the words where it fits, else the smallest that does."""
        low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
        high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
        step = schema.get("multipleOf", 1 if whole else 0)
        said = re.findall(r"-?\d+(?:\.\d+)?", self.words)
        candidates = [float(number) for number in said[-1:]] + [0.0, low, low + (step or 1), high, (low + high) / 2]
        if step and math.isfinite(low):
            candidates.append((low // step + 1) * step)
        for number in candidates:
            inside = low <= number <= high and number not in (
                schema.get("exclusiveMinimum"),
                schema.get("exclusiveMaximum"),
            )
            if math.isfinite(number) and inside and (not step or math.isclose(number % step, 0, abs_tol=1e-9)):
                return int(number) if number == int(number) else number
        return 0


def _type_of(schema: dict[str, Any]) -> str:
    given = schema.get("type")
    if isinstance(given, list):
        given = next((kind for kind in given if kind != "null"), "null")
    return str(given or next((meant for key, meant in _MEANT.items() if key in schema), "string"))


def _merged(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    both = {**part, **schema}
    if "properties" in schema and "properties" in part:
        both["properties"] = {**part["properties"], **schema["properties"]}
    if "required" in schema and "required" in part:
        both["required"] = [*part["required"], *schema["required"]]
    return both


def _varied(value: Any, index: int) -> Any:
    """The value made different from its neighbours."""
    match value:
        case str():
            return f"{value}{index}" if index else value
        case int() | float() if not isinstance(value, bool):
            return value + index
        case _:
            return value


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _without(schema: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
