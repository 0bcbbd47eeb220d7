"""The arguments of a tool: their schema for the model, and the check of what the model then gives."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NotRequired, Protocol, Required

from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict

from llm.messages import JsonObject
from tools.errors import InvalidArguments, InvalidTool
from tools.mistakes import explain
from tools.schema import plain_schema
from tools.signature import Signature

DEEPEST = 100
"""Levels of lists and objects in one another."""
_CONFIG = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


@dataclass(frozen=True, slots=True)
class Checked:
    """Arguments that fit."""

    values: dict[str, Any]
    """As the function takes them; what was not given is left to its defaults."""
    json: JsonObject
    """The same as JSON: checking it gives the same values again."""


class Accepted(Protocol):
    """What a tool accepts: its schema for the model, and the check by it."""

    schema: JsonObject
    """JSON Schema, as the model is given it."""

    def check(self, given: object) -> Checked:
        """The arguments validated and coerced, or `InvalidArguments` in words a model can act on."""
        ...

    def with_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values and, for what was not given, the function's defaults."""
        ...


class Arguments:
    """The arguments one typed function takes."""

    def __init__(self, signature: Signature, owner: str) -> None:
        self._defaults = signature.defaults
        self._adapter = _adapter(signature, owner)
        self.schema = self._schema(owner)
        """JSON Schema, as the model is given it."""

    def _schema(self, owner: str) -> JsonObject:
        try:
            schema = plain_schema(self._adapter.json_schema())
        except PydanticUserError as error:
            raise InvalidTool(f"the arguments of {owner} have no JSON Schema: {error.message}") from error
        for name, default in self._defaults.items():
            if default is not None:
                schema["properties"][name].update(_shown(default))
        if not _is_json(schema):
            raise InvalidTool(f"the arguments of {owner} have no JSON Schema: leave infinity out of it, and NaN")
        return {"properties": {}, **schema, "additionalProperties": False}

    def check(self, given: object) -> Checked:
        """The arguments validated and coerced, or `InvalidArguments` in words a model can act on."""
        if not isinstance(given, dict):
            raise InvalidArguments(f"the arguments must be a JSON object, not {type(given).__name__}")
        if deeper_than(given, DEEPEST):
            raise InvalidArguments(f"the arguments are nested more than {DEEPEST} levels deep")
        values = self._validate(given)
        return Checked(values, self._as_json(given, values))

    def with_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values and, for what was not given, the function's defaults."""
        return {**self._defaults, **values}

    def _validate(self, given: JsonObject) -> dict[str, Any]:
        try:
            return self._adapter.validate_python(given)
        except ValidationError as error:
            mended = self._mended(given, error)
        try:
            return self._adapter.validate_python(mended)
        except ValidationError as error:
            raise InvalidArguments(explain(error, mended, self.schema)) from None

    def _mended(self, given: JsonObject, error: ValidationError) -> JsonObject:
        """The arguments without mistakes that models often make and whose meaning is plain."""
        wrong = {str(mistake["loc"][0]) for mistake in error.errors() if mistake["loc"]}
        return {
            name: _unquoted(value) if name in wrong else value
            for name, value in given.items()
            if not (name in wrong and value is None and name in self._defaults)
        }

    def _as_json(self, given: JsonObject, values: dict[str, Any]) -> JsonObject:
        """The coerced values as JSON; what was given where they cannot be told in JSON, as with secrets."""
        try:
            written: JsonObject = self._adapter.dump_python(values, mode="json", exclude_unset=True, warnings="error")
            if self._adapter.validate_python(written) == values:
                return written
        except ValueError:
            pass
        return given


def _adapter(signature: Signature, owner: str) -> TypeAdapter[dict[str, Any]]:
    # A typed dictionary and not a model: its keys may have any name, and defaults stay the function's own.
    typed_dict: Any = TypedDict
    fields = {
        name: NotRequired[hint] if name in signature.defaults else Required[hint]
        for name, hint in signature.hints.items()
    }
    kind = typed_dict("Arguments", fields)
    kind.__pydantic_config__ = _CONFIG
    try:
        return TypeAdapter(kind)
    except PydanticSchemaGenerationError as error:
        raise InvalidTool(f"{owner} has a parameter no JSON fits: {error.message}") from error


def _shown(default: Any) -> JsonObject:
    try:
        shown = to_jsonable_python(default)
    except ValueError:
        return {}
    return {"default": shown} if _is_json(shown) else {}


def _is_json(value: Any) -> bool:
    """Whether it can be sent: infinity and its kin stand in no JSON."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _unquoted(value: Any) -> Any:
    """A list or object that was given as text; anything else as it is."""
    if not isinstance(value, str) or not value.strip().startswith(("[", "{")):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return value if deeper_than(parsed, DEEPEST) else parsed


def deeper_than(value: Any, most: int) -> bool:
    """Whether lists and objects stand in one another more than so many levels deep."""
    level = [value]
    for _ in range(most):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Any) -> list[Any]:
    children = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
    return [child for child in children if isinstance(child, dict | list)]
