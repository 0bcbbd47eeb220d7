"""Whether a schema still takes everything that an older one of the same version took.

What is read with the new one was written, perhaps years ago, by the rules of the old one. So a field may be added if it
need not be there, and a field may take more than before; nothing may be taken away, renamed, demanded or narrowed, and
no default may change, for where a field was left out the default is what it says.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llm.messages import JsonObject

_WORDS = {"title", "description", "default", "examples", "$defs", "$id", "$schema", "$comment", "deprecated"}
"""Keys that say nothing of what is taken; defaults are looked at where the field is."""
_AT_LEAST = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_AT_MOST = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_LOOKED_AT = {"type", "const", "enum", "anyOf", "$ref", "properties", "required", "items", "additionalProperties"}
_NOTHING = object()


def narrowings(old: JsonObject, new: JsonObject) -> Iterator[str]:
    """What the new schema no longer takes, in words; nothing where everything old can be read."""
    yield from _Comparison(old.get("$defs", {}), new.get("$defs", {})).of(old, new, "")


class _Comparison:
    """Two schemas, side by side."""

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self._old, self._new = old, new
        self._under_way: set[tuple[str, str]] = set()
        """Definitions that refer to themselves are compared once."""

    def of(self, old: JsonObject, new: JsonObject, place: str) -> Iterator[str]:
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if all(pair):
            if pair in self._under_way:
                return
            self._under_way.add(pair)
        yield from self._resolved(_resolve(old, self._old), _resolve(new, self._new), place)
        self._under_way.discard(pair)

    def _resolved(self, old: JsonObject, new: JsonObject, place: str) -> Iterator[str]:
        if "anyOf" in old or "anyOf" in new:
            yield from self._alternatives(old.get("anyOf", [old]), new.get("anyOf", [new]), place)
            return
        yield from _values(old, new, place)
        yield from _bounds(old, new, place)
        yield from self._fields(old, new, place)
        for key in ("items", "additionalProperties"):
            yield from self._within(old.get(key, True), new.get(key, True), f"{place}[]")

    def _alternatives(self, old: list[JsonObject], new: list[JsonObject], place: str) -> Iterator[str]:
        for one in old:
            if all(list(self.of(one, other, place)) for other in new):
                yield f"{_at(place)} no longer takes {_told(_resolve(one, self._old))}"

    def _within(self, old: Any, new: Any, place: str) -> Iterator[str]:
        if new is True or old is False:
            return
        if new is False:
            yield f"{_at(place)} takes no others any more"
            return
        yield from self.of({} if old is True else old, new, place)

    def _fields(self, old: JsonObject, new: JsonObject, place: str) -> Iterator[str]:
        before, now = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            here = f"{place}.{name}" if place else name
            if name not in now:
                yield f"{here} is gone, or renamed"
                continue
            yield from self.of(schema, now[name], here)
            yield from _defaults(schema, now[name], here)
        for name in new.get("required", []):
            if name not in old.get("required", []):
                how = "was optional and is required now" if name in before else "is new and required"
                yield f"{place}.{name} {how}".removeprefix(".")


def _resolve(schema: JsonObject, definitions: Mapping[str, Any]) -> JsonObject:
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    return {**definitions[name], **{key: value for key, value in schema.items() if key != "$ref"}} if name else schema


def _values(old: JsonObject, new: JsonObject, place: str) -> Iterator[str]:
    """Types, and the values there are."""
    before, now = _chosen(old), _chosen(new)
    if now is not None:
        gone = [value for value in before or () if value not in now]
        if before is None:
            yield f"{_at(place)} takes only {now} now"
        elif gone:
            yield f"{_at(place)} no longer takes {gone}"
    kind, other = old.get("type"), new.get("type")
    if other is not None and kind != other and (kind, other) != ("integer", "number"):
        yield f"{_at(place)} was {kind or 'anything'} and is {other} now"


def _chosen(schema: JsonObject) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _bounds(old: JsonObject, new: JsonObject, place: str) -> Iterator[str]:
    for key in new.keys() - _WORDS - _LOOKED_AT:
        before, now = old.get(key), new[key]
        wider = (
            before == now
            or (key in _AT_LEAST and before is not None and now < before)
            or (key in _AT_MOST and before is not None and now > before)
        )
        if not wider:
            yield f"{_at(place)} has {key} {now}, which was {'not there' if before is None else before}"


def _defaults(old: JsonObject, new: JsonObject, place: str) -> Iterator[str]:
    before, now = old.get("default", _NOTHING), new.get("default", _NOTHING)
    if before is not _NOTHING and now is not _NOTHING and before != now:
        yield f"{place} meant {before!r} where it was left out and means {now!r} now"


def _told(schema: JsonObject) -> str:
    return str(_chosen(schema) or schema.get("type") or schema)


def _at(place: str) -> str:
    return place or "it"
