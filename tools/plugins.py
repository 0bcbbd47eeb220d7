"""Finding tools: the built-in ones, those of installed packages, and those of modules named in the settings.

A plugin is a module whose namespace holds tools. Packages announce theirs as entry points of the group
`perdure.plugins`; importing a plugin registers nothing, its tools are simply looked for.
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from importlib.metadata import entry_points as installed_entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from tools.errors import UnusablePlugin
from tools.tool import Tool

GROUP = "perdure.plugins"
BUILTIN = "tools.builtin"


def load_tools(modules: Sequence[str], entry_points: bool = True) -> tuple[Tool, ...]:
    """The tools of the built-in plugin and of installed ones (unless `entry_points` is False), then of the modules.

    Modules may lie in the current folder. Raises `UnusablePlugin` that names the plugin and what to do about it.
    """
    _import_from_here(modules)
    found: dict[str, tuple[Tool, str]] = {}
    for plugin, tools in _plugins(modules, entry_points=entry_points):
        if not tools:
            raise UnusablePlugin(f"{plugin} brings no tools: put @tool above its functions, or leave the plugin out")
        for tool in tools:
            other, owner = found.setdefault(tool.name, (tool, plugin))
            if other is not tool:
                raise UnusablePlugin(
                    f"{plugin} brings a tool named {tool.name!r}, and so does {owner}: "
                    "leave one out, or give one another name with @tool(name=…)"
                )
    return tuple(tool for tool, _ in found.values())


def _plugins(modules: Sequence[str], *, entry_points: bool) -> Iterator[tuple[str, list[Tool]]]:
    if entry_points:
        # Not by its entry point: it is there in a checkout that nobody installed, too.
        yield "the built-in plugin", _tools_in(_import(BUILTIN, "the built-in plugin"))
        for point in _announced():
            yield _name_of(point), _tools_in(_load(point))
    for module in dict.fromkeys(name.strip() for name in modules if name.strip()):
        plugin = f"the plugin {module!r} (from PERDURE_PLUGINS)"
        yield plugin, _tools_in(_import(module, plugin))


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


def _tools_in(plugin: Any) -> list[Tool]:
    """The tools of a module, in the order they stand there, or those an entry point names itself."""
    if isinstance(plugin, Tool):
        return [plugin]
    values = vars(plugin).values() if isinstance(plugin, ModuleType) else plugin
    if not isinstance(values, list | tuple) and not isinstance(plugin, ModuleType):
        return []
    return list(dict.fromkeys(value for value in values if isinstance(value, Tool)))


def _import_from_here(modules: Sequence[str]) -> None:
    # A command's own folder is on the path, the folder it is called in is not: last, so that it hides nothing.
    here = str(Path.cwd())
    if modules and here not in sys.path and "" not in sys.path:
        sys.path.append(here)
