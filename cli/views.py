"""The views there are, by name: our own and those of plugins; and any state of one as plain JSON."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from cli.errors import BadUsage, NotFound
from projections.fold import Projection
from projections.session import SESSION
from projections.summary import SUMMARY
from projections.timeline import TIMELINE
from projections.tool_calls import TOOL_CALLS
from projections.transcript import TRANSCRIPT
from projections.usage import USAGE

BUILTIN: Mapping[str, Projection[Any]] = MappingProxyType(
    {view.name: view for view in (SESSION, SUMMARY, TIMELINE, TOOL_CALLS, TRANSCRIPT, USAGE)}
)


def view_of(name: str, brought: Iterable[Projection[Any]]) -> Projection[Any]:
    """The view of this name; raises `NotFound` that lists what there is, `BadUsage` where two claim one name."""
    views = dict(BUILTIN)
    for view in brought:
        if views.setdefault(view.name, view) is not view:
            raise BadUsage(
                f"a plugin brings a view named {view.name!r}, as one of ours is called",
                kind="plugin",
                remedy="give it another name",
            )
    if name not in views:
        raise NotFound(
            f"there is no view {name!r}; there are: {', '.join(sorted(views))}",
            remedy="views of your own come from plugins: set PERDURE_PLUGINS",
        )
    return views[name]


def plain(state: Any) -> Any:
    """A state made of JSON's own types: what models and tools wrote in it stays as it is."""
    match state:
        case None | bool() | int() | float() | str() | datetime():
            return state
        case BaseModel():
            return {name: plain(value) for name, value in state}
        case Mapping():
            return {str(key): plain(value) for key, value in state.items()}
        case AbstractSet():
            return sorted((plain(value) for value in state), key=str)
        case Sequence() if not isinstance(state, bytes | bytearray):
            return [plain(value) for value in state]
        case timedelta():
            return state.total_seconds()
        case _ if is_dataclass(state) and not isinstance(state, type):
            return {field.name: plain(getattr(state, field.name)) for field in fields(state)}
        case _:
            return str(state)
