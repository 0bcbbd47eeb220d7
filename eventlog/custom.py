"""Events of your own: a fact of your trade as a class, kept in the stream of the thread it happened in.

    class InvoicePaid(CustomEvent):
        \"\"\"An invoice was paid.\"\"\"

        namespace = "acme"
        invoice: str
        amount: Decimal

In the stream it is `acme.InvoicePaid`, and its fields are the data. Perdure itself knows such an event only as an
`UnknownEvent`, which every process reads, shows and exports, with or without the class; what to do next never depends
on one. Where the class is at hand, `InvoicePaid.read(recorded)` gives the event back as it was written, or as its
upcasters make it of an older shape.
"""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeAlias

from pydantic import ConfigDict, ValidationError
from pydantic_core import PydanticSerializationError

from eventlog.events import UnknownEvent
from eventlog.facts import Facts
from eventlog.log import Recorded
from llm.messages import JsonObject

LARGEST = 256 * 1024
"""Bytes of JSON one custom event may have."""

NAME = re.compile(r"(?P<namespace>[a-z][a-z0-9_]*)\.(?P<name>[A-Za-z]\w*)", re.ASCII)
"""How custom events are called in the stream."""
_OURS = frozenset({"perdure"})
_TAKEN = frozenset({"namespace", "version", "upcasts"})
"""What a class says of itself, and so cannot be a field."""

Upcast: TypeAlias = Callable[[JsonObject], JsonObject]
"""Makes of the data of one version that of the next."""


class InvalidEvent(TypeError):
    """A class of custom events is defined wrongly: its author corrects it."""


class RefusedEvent(ValueError):
    """What was to be recorded, or was read, is no such event."""


class CustomEvent(Facts):
    """A fact that a plugin brings. Subclasses are named in the past tense, and have a docstring and a `namespace`.

    A subclass whose fields or names cannot be used is an `InvalidEvent` as soon as it is defined.
    """

    model_config = ConfigDict(ser_json_inf_nan="strings", ser_json_bytes="base64", val_json_bytes="base64")

    namespace: ClassVar[str] = ""
    """Whose events these are: a word in lower case, such as the name of your project."""
    version: ClassVar[int] = 1
    """The version of this class's shape. Raise it when data that was written before would not be read any more."""
    upcasts: ClassVar[Mapping[int, Upcast]] = MappingProxyType({})
    """For each version below the newest, what makes data of the next one of it; never changed once it was used."""

    def headline(self) -> str:
        """The event in a line, for people. Where it is empty they see the name and the data."""
        return ""

    @classmethod
    def type_name(cls) -> str:
        """What it is called in the stream."""
        return f"{cls.namespace}.{cls.__name__}"

    @classmethod
    def read(cls, recorded: Recorded) -> Self | None:
        """The event as one of this class; None where it is another. Raises `RefusedEvent` where it does not fit."""
        event = recorded.event
        if not isinstance(event, UnknownEvent) or event.type_name != cls.type_name():
            return None
        try:
            return cls.parse(event.data, event.schema_version, lenient=True)
        except RefusedEvent as error:
            raise RefusedEvent(f"at position {recorded.position} of {recorded.stream}: {error}") from error

    @classmethod
    def parse(cls, data: JsonObject, version: int, *, lenient: bool = False) -> Self:
        """The event these data of this version say; where `lenient`, fields of a newer writer are left out.

        Raises `RefusedEvent` that lists what is wrong.
        """
        try:
            newest = json.dumps(cls._upcast(data, version))
            return cls.model_validate_json(newest, extra="ignore" if lenient else None)
        except ValidationError as error:
            raise RefusedEvent(f"{cls.type_name()} does not take these data: {_mistakes(error)}") from error
        except Exception as error:  # an upcaster is a stranger's code
            raise RefusedEvent(f"{cls.type_name()} cannot be read: {type(error).__name__}: {error}") from error

    @classmethod
    def _upcast(cls, data: JsonObject, version: int) -> JsonObject:
        for each in range(version, cls.version):
            data = cls.upcasts[each](data)
        return data

    def written(self) -> UnknownEvent:
        """The event as it stands in the stream; raises `RefusedEvent` where it is too large, or no JSON."""
        name = self.type_name()
        try:
            text = self.model_dump_json()
        except PydanticSerializationError as error:
            raise RefusedEvent(f"{name} cannot be written as JSON: {error}") from error
        size = len(text.encode())
        if size > LARGEST:
            raise RefusedEvent(f"{name} has {size:,} bytes of JSON and may have {LARGEST:,}: refer to what is large")
        return UnknownEvent(type_name=name, data=json.loads(text), schema_version=self.version)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        problem = _problem(cls)
        if problem is not None:
            raise InvalidEvent(f"{cls.__name__}: {problem}")


CustomEvent.model_config["use_attribute_docstrings"] = True  # of subclasses; here it would look for long, for none


def _problem(kind: type[CustomEvent]) -> str | None:
    """What is wrong with how a class is defined, and what to do about it."""
    taken = sorted(_TAKEN & kind.model_fields.keys())
    if taken:
        return f"a field cannot be called {taken[0]!r}: that is what the class says of itself"
    if not kind.namespace:
        return 'it says nothing of whose event it is: write namespace = "yours" in the class'
    if not NAME.fullmatch(kind.type_name()) or kind.namespace in _OURS:
        return (
            f"{kind.type_name()!r} cannot be its name: a namespace has lower-case letters, digits and underscores and "
            "is not 'perdure', a class has an ASCII name"
        )
    if not (kind.__doc__ or "").strip():
        return "it has no docstring: say in one what happened"
    missing = [str(each) for each in range(1, kind.version) if each not in kind.upcasts]
    if missing:
        return f"nobody reads version {', '.join(missing)}: enter functions for them in upcasts"
    return None


def _mistakes(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'data'}: {each['msg']}" for each in found)
