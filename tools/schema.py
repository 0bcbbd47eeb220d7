"""JSON Schema as models read it best: no references that can be written out, and no titles."""

from typing import Any

from llm.messages import JsonObject

_NAMED = ("properties", "patternProperties", "$defs", "dependentSchemas")
"""Keywords whose keys are names and not keywords."""
_VALUES = ("default", "const", "enum", "examples", "example")
"""Keywords whose values are data and not schemas."""
_HERE = "#/$defs/"


def plain_schema(schema: JsonObject) -> JsonObject:
    """The same schema written out; only definitions that contain themselves stay references."""
    definitions = schema.get("$defs", {})
    body = {key: value for key, value in schema.items() if key != "$defs"}
    kept: set[str] = set()
    plain: JsonObject = _Writer(definitions, kept).write(body, ())
    done: JsonObject = {}
    while open_names := kept - done.keys():
        name = min(open_names)
        done[name] = _Writer(definitions, kept).write(definitions[name], (name,))
    return {**plain, "$defs": done} if done else plain


class _Writer:
    """Writes schemas out, and notes which definitions have to be kept."""

    def __init__(self, definitions: JsonObject, kept: set[str]) -> None:
        self._definitions = definitions
        self._kept = kept

    def write(self, node: Any, inside: tuple[str, ...]) -> Any:
        """The node without references; `inside` names the definitions it stands in."""
        if isinstance(node, list):
            return [self.write(item, inside) for item in node]
        if not isinstance(node, dict):
            return node
        if str(node.get("$ref", "")).startswith(_HERE):
            return self._resolve(node, inside)
        return {key: self._keyword(key, value, inside) for key, value in node.items() if key != "title"}

    def _keyword(self, key: str, value: Any, inside: tuple[str, ...]) -> Any:
        if key in _VALUES:
            return value
        if key in _NAMED and isinstance(value, dict):
            return {name: self.write(item, inside) for name, item in value.items()}
        return self.write(value, inside)

    def _resolve(self, node: JsonObject, inside: tuple[str, ...]) -> Any:
        name = node["$ref"].removeprefix(_HERE)
        beside = {key: self._keyword(key, value, inside) for key, value in node.items() if key not in ("$ref", "title")}
        if name in inside:
            self._kept.add(name)
            return {"$ref": node["$ref"], **beside}
        return {**self.write(self._definitions[name], (*inside, name)), **beside}
