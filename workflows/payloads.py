"""What passes through Temporal, as JSON: pydantic's way, and where pydantic gives up, Python's.

A text that was cut in the middle of an emoji ends in half a character. JSON writes it as an escape, any client may send
it, and pydantic neither reads nor writes it; but what cannot be read or written stops a workflow for good.
"""

import json
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import lru_cache
from typing import Any, Self

from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    SerializationContext,
)

_REPLACED = "\ufffd".encode()
"""What pydantic may have written in the place of half a character, in a key."""


class LenientJson(PydanticJSONPlainPayloadConverter):
    """Reads and writes every JSON there is, and leaves it to the types to refuse what they cannot hold."""

    def to_payload(self, value: Any) -> Payload | None:
        """The value as JSON; of a dataclass, what differs from its defaults: Temporal keeps it for ever."""
        value = _said(value)
        try:
            payload = super().to_payload(value)
        except PydanticSerializationError:
            payload = None
        if payload is not None and _REPLACED not in payload.data:
            return payload
        data = json.dumps(value, default=_plain).encode()
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """The value that the JSON says."""
        try:
            return super().from_payload(payload, type_hint)
        except ValueError:
            return _adapter(type_hint or Any).validate_python(json.loads(payload.data))


_CONVERTERS = tuple(
    LenientJson() if isinstance(each, JSONPlainPayloadConverter) else each
    for each in DefaultPayloadConverter.default_encoding_payload_converters
)
"""Made once: the SDK makes a converter for every task of every workflow."""


class PayloadConverter(CompositePayloadConverter):
    """Temporal's own converters, with JSON done by ours."""

    def __init__(self) -> None:
        super().__init__(*_CONVERTERS)

    def with_context(self, context: SerializationContext) -> Self:  # noqa: ARG002 - the SDK's
        """The same: what is written never depends on where it goes."""
        return self


def _said(value: Any) -> Any:
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return {each.name: said for each in fields(value) if (said := getattr(value, each.name)) != _default(each)}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, BaseModel) else to_jsonable_python(value)


@lru_cache(maxsize=64)
def _adapter(type_hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type_hint)


data_converter = DataConverter(payload_converter_class=PayloadConverter)
"""What every client and worker of ours converts with."""
