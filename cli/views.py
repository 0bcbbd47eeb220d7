"""The views there are, by name: our own and those of plugins; and any state of one as plain JSON."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from traceback import extract_tb
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from cli.errors import BadUsage, NotFound
from eventlog.custom import RefusedEvent
from eventlog.log import Recorded
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
    """The view of this name; raises `NotFound` that lists what there is, `BadUsage` where two claim one name.

    Where a plugin's view fails, `BadUsage` says at which event.
    """
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
    return views[name] if name in BUILTIN else _watched(views[name])


def _watched(view: Projection[Any]) -> Projection[Any]:
    """The same view; what it raises is told as its author's mistake."""

    def evolve(state: Any, recorded: Recorded) -> Any:
        try:
            return view.evolve(state, recorded)
        except RefusedEvent:
            raise
        except Exception as error:
            raise _fails(view, error, f"at position {recorded.position}") from error

    def initial() -> Any:
        try:
            return view.initial()
        except Exception as error:
            raise _fails(view, error, "before the first event") from error

    return replace(view, initial=initial, evolve=evolve)


def _fails(view: Projection[Any], error: Exception, where: str) -> BadUsage:
    line = extract_tb(error.__traceback__)[:2][-1]  # the first is ours, the second the plugin's
    return BadUsage(
        f"view {view.name!r} fails {where}: {type(error).__name__}: {error} ({line.filename}, line {line.lineno})",
        kind="plugin",
        remedy="correct the plugin; `try_out` in projections/trial.py finds such mistakes in a test",
    )


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
