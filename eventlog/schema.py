"""The JSON Schema of every event as it stands in the log, and of the metadata beside it.

A schema describes the `data` of a row; the event's type is a column of its own. It has an id that never changes its
meaning: `urn:perdure:event:UserMessageAdded:1`. Fields that a schema does not name may be there: a newer writer's.
Events that plugins bring have theirs under the names they have in streams: `urn:perdure:event:acme.InvoicePaid:1`.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

import eventlog.approval_terms
import eventlog.events
import eventlog.terms
import llm.messages
from eventlog.custom import CustomEvent
from eventlog.encoding import KNOWN
from eventlog.metadata import Metadata
from eventlog.vocabulary import NO_EVENTS, Vocabulary, shape_of
from llm.messages import JsonObject

DIALECT = "https://json-schema.org/draft/2020-12/schema"

METADATA = "Metadata"
KINDS: Mapping[str, type[BaseModel]] = MappingProxyType({**KNOWN, METADATA: Metadata})
"""Everything that has a schema."""
VERSIONS: Mapping[str, int] = MappingProxyType({**{name: kind.version for name, kind in KNOWN.items()}, METADATA: 1})
"""The newest version of each; metadata has one shape for ever, to which fields may be added."""


def file_name(name: str, version: int) -> str:
    """The file a schema stands in."""
    return f"{name}.{version}.json"


def schemas(vocabulary: Vocabulary = NO_EVENTS) -> dict[str, JsonObject]:
    """The newest schema of everything that has one, by name; those of plugins' events last."""
    custom = {name: custom_schema(kind) for name, kind in sorted(vocabulary.kinds.items())}
    return {name: schema_of(name) for name in sorted(KINDS)} | custom


def versions(vocabulary: Vocabulary = NO_EVENTS) -> dict[str, int]:
    """The newest version of everything that has a schema."""
    return {**VERSIONS, **{name: kind.version for name, kind in vocabulary.kinds.items()}}


def custom_schema(kind: type[CustomEvent]) -> JsonObject:
    """The newest schema of a plugin's event."""
    found = dict(shape_of(kind))
    for part in (found, *found.get("$defs", {}).values()):
        part.pop("additionalProperties", None)
    return {"$schema": DIALECT, "$id": f"urn:perdure:event:{kind.type_name()}:{kind.version}", **found}


def schema_of(name: str) -> JsonObject:
    """The newest schema of an event, or of the metadata."""
    kind = KINDS[name]
    found = kind.model_json_schema(mode="serialization")
    _describe(found, kind)
    for part, schema in found.get("$defs", {}).items():
        _describe(schema, _PARTS[part])
    found["properties"].pop("type", None)
    role = "metadata" if name == METADATA else f"event:{name}"
    return {"$schema": DIALECT, "$id": f"urn:perdure:{role}:{VERSIONS[name]}", **found}


def _describe(schema: JsonObject, kind: type[BaseModel]) -> None:
    """Give the fields our words, take from them those pydantic makes of their names, and let others stand beside."""
    schema.pop("additionalProperties", None)
    words = dict(_words(kind))
    for name, field in schema.get("properties", {}).items():
        field.pop("title", None)
        if name in words:
            field["description"] = words[name]


def _words(kind: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """The texts under the fields of a class. Pydantic reads them too, but for each class whenever it is imported."""
    for parent in reversed(kind.__mro__):
        if parent.__module__.partition(".")[0] in {"eventlog", "llm"}:
            yield from _own_words(parent)


@cache
def _own_words(kind: type) -> tuple[tuple[str, str], ...]:
    """Those that stand in the class itself; to find them takes longer than all else."""
    [node] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    body = node.body if isinstance(node, ast.ClassDef) else []
    return tuple(_said(body))


def _said(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
            case _:
                pass


def _parts(module: Any) -> dict[str, type[BaseModel]]:
    return {name: kind for name, kind in vars(module).items() if isinstance(kind, type) and issubclass(kind, BaseModel)}


_PARTS: Mapping[str, type[BaseModel]] = {
    **_parts(llm.messages),
    **_parts(eventlog.approval_terms),
    **_parts(eventlog.terms),
    **_parts(eventlog.events),
}
"""The classes events are made of, by name."""
