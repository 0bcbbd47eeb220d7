"""Arguments that a stranger's JSON Schema describes: checked by it, and the schema itself checked first.

A hostile schema may not cost more than a plain one: it refers to nothing outside of itself, is of bounded size also
when its references are written out, and its patterns are matched in linear time.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import re2
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from llm.messages import JsonObject
from tools.arguments import DEEPEST, Checked, deeper_than
from tools.errors import InvalidArguments, InvalidTool

LARGEST_SCHEMA = 50_000
"""Characters of JSON."""
MOST_NODES = 20_000
"""Lists and objects of a schema with its references written out."""
MOST_MISTAKES = 5
LONGEST_MISTAKE = 300
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_NOT_AT_THE_TOP = ("oneOf", "anyOf", "allOf")


class JsonArguments:
    """The arguments of a tool whose schema is not ours. The function takes them whole, as `arguments`."""

    def __init__(self, schema: JsonObject) -> None:
        """Raise `InvalidTool` with what is wrong with the schema."""
        if problem := _problem(schema):
            raise InvalidTool(problem)
        self.schema = schema

    @cached_property
    def _validator(self) -> Validator:
        return _validator(self.schema)

    def check(self, given: object) -> Checked:
        """The arguments as they are, or `InvalidArguments` in words a model can act on."""
        if not isinstance(given, dict):
            raise InvalidArguments(f"the arguments must be a JSON object, not {type(given).__name__}")
        if deeper_than(given, DEEPEST):
            raise InvalidArguments(f"the arguments are nested more than {DEEPEST} levels deep")
        try:
            mistakes = list(_first(self._validator.iter_errors(given)))
        except (Unresolvable, RecursionError) as error:
            raise InvalidArguments("the tool's schema cannot be applied to these arguments") from error
        if mistakes:
            raise InvalidArguments("; ".join(mistakes))
        return Checked(values={"arguments": given}, json=given)

    def with_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values; what was not given is left to the server."""
        return dict(values)


def _first(errors: Iterator[ValidationError]) -> Iterator[str]:
    for _, error in zip(range(MOST_MISTAKES), errors, strict=False):
        where = error.json_path.removeprefix("$").removeprefix(".")
        said = f"{where}: {error.message}" if where else error.message
        yield said if len(said) <= LONGEST_MISTAKE else f"{said[:LONGEST_MISTAKE]}…"


def _problem(schema: Any) -> str | None:
    """Why a model cannot be given the schema, or we cannot check by it; None where all is well."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return "its input schema is not of the type object"
    if len(json.dumps(schema)) > LARGEST_SCHEMA:
        return f"its input schema is longer than {LARGEST_SCHEMA:,} characters"
    if found := [word for word in _NOT_AT_THE_TOP if word in schema]:
        return f"its input schema has {found[0]} at the top, which providers refuse"
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
        return _costly(schema) or _misnamed(schema)
    except SchemaError as error:
        return f"its input schema is no JSON Schema: {error.message[:LONGEST_MISTAKE]}"
    except RecursionError:
        return "its input schema is nested too deeply"


def _misnamed(schema: JsonObject) -> str | None:
    for name in schema.get("properties", {}):
        if not _PROPERTY.fullmatch(name):
            return f"its argument {name[:64]!r} has a name that providers refuse: a-z, A-Z, 0-9, _, . and - are allowed"
    return None


def _costly(schema: JsonObject) -> str | None:
    for node in _nodes(schema):
        reference = node.get("$ref", node.get("$dynamicRef", "#"))
        if not isinstance(reference, str) or not reference.startswith("#"):
            return "its input schema refers to something outside of itself"
        if "patternProperties" in node:
            return "its input schema uses patternProperties, which are not checked here"
    if _Size(schema).of(schema, ()) > MOST_NODES:
        return "its input schema is too large with its references written out"
    return None


def _nodes(node: Any) -> Iterator[JsonObject]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(child)


class _Size:
    """Counts the nodes of a schema as if no reference were one."""

    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema
        self._known: dict[str, int] = {}

    def of(self, node: Any, inside: tuple[str, ...]) -> int:
        """The number of nodes; a definition within itself counts as one."""
        if not isinstance(node, dict | list):
            return 0
        children = node.values() if isinstance(node, dict) else node
        size = 1 + sum(self.of(child, inside) for child in children)
        reference = node.get("$ref") if isinstance(node, dict) else None
        return size + self._referred(reference, inside) if isinstance(reference, str) else size

    def _referred(self, reference: str, inside: tuple[str, ...]) -> int:
        if reference in inside:
            return 1
        if reference not in self._known:
            self._known[reference] = self.of(_at(self._schema, reference), (*inside, reference))
        return self._known[reference]


def _at(schema: Any, reference: str) -> Any:
    """What a reference like `#/$defs/Point` points to; nothing where there is nothing."""
    for part in reference.removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        schema = schema.get(name) if isinstance(schema, dict) else None
    return schema


def _matches(_: Validator, pattern: str, instance: Any, __: JsonObject) -> Iterator[ValidationError]:
    """The keyword `pattern` in linear time; one that cannot be had so is left to the server."""
    if not isinstance(instance, str):
        return
    options = re2.Options()
    options.log_errors = False
    try:
        found = re2.search(pattern, instance, options)
    except re2.error:
        return
    if found is None:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _validator(schema: JsonObject) -> Validator:
    # An empty registry: the default one fetches whatever address a schema names.
    kind = extend(validator_for(schema, default=Draft202012Validator), {"pattern": _matches})  # type: ignore[no-untyped-call]
    made: Validator = kind(schema, registry=Registry())
    return made
