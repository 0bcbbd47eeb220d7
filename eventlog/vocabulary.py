"""The custom events a process knows: those its plugins brought, by the names they have in streams."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pydantic.errors import PydanticUserError

from eventlog.custom import CustomEvent, InvalidEvent, RefusedEvent
from eventlog.events import UnknownEvent
from llm.messages import JsonObject


class Vocabulary:
    """Classes of custom events. Two of one name, or one whose fields are no JSON, are an `InvalidEvent`."""

    def __init__(self, kinds: Iterable[type[CustomEvent]] = ()) -> None:
        named: dict[str, type[CustomEvent]] = {}
        for kind in kinds:
            if named.setdefault(kind.type_name(), kind) is not kind:
                raise InvalidEvent(f"two events are called {kind.type_name()!r}: give one another name or namespace")
            shape_of(kind)
        self.kinds: Mapping[str, type[CustomEvent]] = MappingProxyType(named)

    def parse(self, name: str, data: JsonObject, version: int | None = None) -> CustomEvent:
        """The event these data say, of the newest version if none is given; raises `RefusedEvent` in words."""
        kind = self.kinds.get(name)
        if kind is None:
            known = ", ".join(sorted(self.kinds)) or "none"
            raise RefusedEvent(f"there is no event {name!r} (there are: {known})")
        if version is not None and not 1 <= version <= kind.version:
            raise RefusedEvent(f"{name} has no version {version}: the newest is {kind.version}")
        return kind.parse(data, version or kind.version)

    def headline(self, event: UnknownEvent) -> str:
        """The event in a line, by its own class; empty where that has nothing to say, or cannot."""
        kind = self.kinds.get(event.type_name)
        if kind is None:
            return ""
        try:
            return str(kind.parse(event.data, event.schema_version, lenient=True).headline())
        except Exception:  # noqa: BLE001 - a stranger's code: whoever looks at a thread is shown its data instead
            return ""


NO_EVENTS = Vocabulary()
"""What a process knows without plugins."""


def shape_of(kind: type[CustomEvent]) -> JsonObject:
    """The JSON Schema of the data as they are written; raises `InvalidEvent` where there can be none."""
    try:
        return kind.model_json_schema(mode="serialization")
    except PydanticUserError as error:
        words = error.message.splitlines()[0]
        raise InvalidEvent(f"{kind.type_name()}: its fields cannot all be written as JSON: {words}") from error
