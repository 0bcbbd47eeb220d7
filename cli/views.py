"""The views there are, by name: our own and those of plugins; and any state of one as plain JSON."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from traceback import extract_tb
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from cli.errors import BadUsage, NotFound
from eventlog.custom import RefusedEvent
from eventlog.log import Recorded
from projections.fold import Projection
from projections.ours import OURS


def view_of(name: str, brought: Iterable[Projection[Any]]) -> Projection[Any]:
    """The view of this name; raises `NotFound` that lists what there is.

    Where a plugin's view fails, `BadUsage` says at which event.
    """
    views = {**{view.name: view for view in brought}, **OURS}
    if name not in views:
        raise NotFound(
            f"there is no view {name!r}; there are: {', '.join(sorted(views))}",
            remedy="views of your own come from plugins: set PERDURE_PLUGINS",
        )
    return views[name] if name in OURS else _watched(views[name])


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


def shown(view: Projection[Any], state: Any) -> Any:
    """A view's state made of JSON's own types; raises `BadUsage` that names what is none of them."""
    try:
        return plain(state)
    except NotPlain as error:
        raise BadUsage(
            f"view {view.name!r} cannot be shown: its state holds {error}, which cannot be written as JSON",
            kind="plugin",
            remedy="correct the plugin: a state is made of values, lists, dicts, dataclasses or pydantic models",
        ) from error


class NotPlain(TypeError):
    """Something has no form in JSON; the message names its type."""


def plain(state: Any) -> Any:
    """A state made of JSON's own types: what models and tools wrote in it stays as it is. Raises `NotPlain`."""
    match state:
        case None | bool() | int() | float() | str() | datetime():
            return state
        case date() | time() | Decimal() | UUID() | PurePath() | Enum():
            return str(state)
        case BaseModel():
            return {name: plain(value) for name, value in state}
        case Mapping():
            return {_key(key): plain(value) for key, value in state.items()}
        case AbstractSet():
            return sorted((plain(value) for value in state), key=str)
        case Sequence() if not isinstance(state, bytes | bytearray | memoryview):
            return [plain(value) for value in state]
        case timedelta():
            return state.total_seconds()
        case _ if is_dataclass(state) and not isinstance(state, type):
            return {field.name: plain(getattr(state, field.name)) for field in fields(state)}
        case _:
            raise NotPlain(f"an object of the type {type(state).__qualname__}")


def _key(key: Any) -> str:
    plain(key)
    return str(key)
