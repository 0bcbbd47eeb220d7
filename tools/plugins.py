"""Finding what plugins bring: tools, events, views, notifiers and subscribers.

A plugin is a module whose namespace holds such things. Packages announce theirs as entry points of the group
`perdure.plugins`; importing a plugin registers nothing, what it brings is simply looked for. The built-in tools are a
plugin like any other.
"""

import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from importlib.metadata import entry_points as installed_entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from eventlog.custom import CustomEvent, InvalidEvent
from eventlog.vocabulary import Vocabulary, shape_of
from tools.errors import UnusablePlugin
from tools.tool import Tool

T = TypeVar("T")
GROUP = "perdure.plugins"
BUILTIN = "tools.builtin"
_OURS = "Perdure itself"

_NOTHING = (
    "no tools: put @tool above its functions, let it hold subclasses of CustomEvent, a Projection, "
    "a @notifier or a @subscriber"
)


@dataclass(frozen=True, slots=True)
class Plugins:
    """What all plugins bring, each thing once."""

    tools: tuple[Tool, ...]
    events: Vocabulary
    others: tuple[Any, ...] = ()
    """What of the further kinds that were asked for."""

    def of(self, kind: type[T]) -> tuple[T, ...]:
        """Those of one further kind."""
        return tuple(thing for thing in self.others if isinstance(thing, kind))


def load_plugins(
    modules: Sequence[str], *, entry_points: bool = True, others: tuple[type, ...] = (), ours: Iterable[Any] = ()
) -> Plugins:
    """What the built-in plugin and installed ones (unless `entry_points` is False) bring, then what the modules do.

    Modules may lie in the current folder. A plugin may bring things of the kinds `others`, too, but none with the name
    of one of `ours`. Raises `UnusablePlugin` that names the plugin and what to do about it.
    """
    _import_from_here(modules)
    found = {_called(thing, _OURS): (thing, _OURS) for thing in ours}
    for plugin, module in _plugins(modules, entry_points=entry_points):
        things = _things_in(module, others)
        if not things:
            raise UnusablePlugin(f"{plugin} brings {_NOTHING}, or leave the plugin out")
        for thing in things:
            what, name = _called(thing, plugin)
            other, owner = found.setdefault((what, name), (thing, plugin))
            if other is not thing:
                raise UnusablePlugin(
                    f"{plugin} brings {what} named {name!r}, and so does {owner}: "
                    "leave one out, or give one another name"
                )
    return _sorted(thing for thing, owner in found.values() if owner != _OURS)


def load_tools(modules: Sequence[str], *, entry_points: bool = True) -> tuple[Tool, ...]:
    """The tools among what plugins bring."""
    return load_plugins(modules, entry_points=entry_points).tools


def _plugins(modules: Sequence[str], *, entry_points: bool) -> Iterator[tuple[str, Any]]:
    if entry_points:
        # Not by its entry point: it is there in a checkout that nobody installed, too.
        yield "the built-in plugin", _import(BUILTIN, "the built-in plugin")
        for point in _announced():
            yield _name_of(point), _load(point)
    for module in dict.fromkeys(name.strip() for name in modules if name.strip()):
        plugin = f"the plugin {module!r} (from PERDURE_PLUGINS)"
        yield plugin, _import(module, plugin)


def _announced() -> list[EntryPoint]:
    """The entry points, each once: a package can be found on more than one path."""
    points = {(point.name, point.value): point for point in installed_entry_points(group=GROUP)}
    return [point for point in points.values() if point.value != BUILTIN]


def _name_of(point: EntryPoint) -> str:
    package = f"package {point.dist.name}" if point.dist else "an installed package"
    return f"the plugin {point.name!r} ({point.value}, of {package})"


def _load(point: EntryPoint) -> Any:
    plugin = _name_of(point)
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        raise _not_importable(plugin, error) from error


def _import(module: str, plugin: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise _not_importable(plugin, error) from error


def _not_importable(plugin: str, error: BaseException) -> UnusablePlugin:
    if isinstance(error, ModuleNotFoundError):
        remedy = "install it, put its folder on PYTHONPATH or start the worker there, or leave the plugin out"
    else:
        remedy = "correct the module, or leave the plugin out"
    return UnusablePlugin(f"{plugin} cannot be imported: {type(error).__name__}: {error}; {remedy}")


def _things_in(plugin: Any, others: tuple[type, ...]) -> list[Any]:
    """What is of use in a module, in the order it stands there, or what an entry point names itself."""
    if isinstance(plugin, ModuleType):
        values: Iterable[Any] = vars(plugin).values()
    else:
        values = plugin if isinstance(plugin, list | tuple) else [plugin]
    found = [value for value in values if isinstance(value, (Tool, *others)) or _is_event(value)]
    return list({id(value): value for value in found}.values())


def _is_event(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, CustomEvent) and value is not CustomEvent


def _called(thing: Any, plugin: str) -> tuple[str, str]:
    """What kind of thing it is, and its name."""
    if not _is_event(thing):
        return "a tool" if isinstance(thing, Tool) else getattr(type(thing), "called", "a view"), thing.name
    try:
        shape_of(thing)
    except InvalidEvent as error:
        raise UnusablePlugin(f"{plugin} brings an event that cannot be used: {error}") from error
    return "an event", thing.type_name()


def _sorted(things: Iterable[Any]) -> Plugins:
    all_ = tuple(things)
    return Plugins(
        tools=tuple(thing for thing in all_ if isinstance(thing, Tool)),
        events=Vocabulary(thing for thing in all_ if _is_event(thing)),
        others=tuple(thing for thing in all_ if not isinstance(thing, Tool) and not _is_event(thing)),
    )


def _import_from_here(modules: Sequence[str]) -> None:
    # A command's own folder is on the path, the folder it is called in is not: last, so that it hides nothing.
    here = str(Path.cwd())
    if modules and here not in sys.path and "" not in sys.path:
        sys.path.append(here)
