"""The tools of one server as tools of ours, and why some of them are not."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import mcp_types

from eventlog.terms import Effect, Risk
from llm.messages import ToolSpec
from tools.errors import InvalidTool
from tools.mcp.arguments import JsonArguments
from tools.mcp.settings import SEPARATOR, AnyServer, ToolSettings
from tools.tool import Tool

LONGEST_NAME = 64
LONGEST_DESCRIPTION = 20_000
"""Characters."""

MakeFunction: TypeAlias = Callable[[ToolSpec, str], Callable[..., Awaitable[Any]]]
"""What calls a tool: as the model sees it, and by the name it has there."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What one listing of a server's tools comes to."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    """By their names here."""
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Why the others cannot be used, by their names there."""


def catalogue_of(
    server: str, settings: AnyServer, listed: Sequence[mcp_types.Tool], function: MakeFunction
) -> Catalogue:
    """The tools that are wanted, each named `server__tool`."""
    tools, unusable = dict[str, Tool](), dict[str, str]()
    taken = [each for each in listed if _wanted(each.name, settings)]
    times = Counter(_named(server, each.name) for each in taken)
    for each in taken:
        name = _named(server, each.name)
        if times[name] > 1:
            unusable[each.name] = f"{times[name]} tools of the server would be named {name!r}: exclude all but one"
            continue
        try:
            tools[name] = _tool(name, server, each, _said_of(each.name, settings), function)
        except InvalidTool as error:
            unusable[each.name] = str(error)
    missing = {each for each in settings.tools if each != "*"} - {each.name for each in listed}
    return Catalogue(tools, unusable | dict.fromkeys(sorted(missing), "the server has no such tool"))


def _named(server: str, tool: str) -> str:
    return f"{server}{SEPARATOR}{re.sub(r'[^a-zA-Z0-9_-]', '_', tool)}"


def _wanted(name: str, settings: AnyServer) -> bool:
    included = settings.include is None or _any(settings.include, name)
    return included and not _any(settings.exclude, name)


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(_glob(pattern).fullmatch(name) for pattern in patterns)


def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\*+", pattern)), re.DOTALL)


def _said_of(name: str, settings: AnyServer) -> ToolSettings:
    return settings.tools.get(name) or settings.tools.get("*") or ToolSettings()


def _tool(name: str, server: str, listed: mcp_types.Tool, said: ToolSettings, function: MakeFunction) -> Tool:
    description = (listed.description or listed.title or "").strip() or f"{listed.name}, of the MCP server {server}."
    if len(name) > LONGEST_NAME:
        raise InvalidTool(f"{name!r} is longer than {LONGEST_NAME} characters: give the server a shorter name")
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidTool(f"its description is longer than {LONGEST_DESCRIPTION:,} characters")
    arguments = JsonArguments(listed.input_schema)
    spec = ToolSpec(name=name, description=description, input_schema=arguments.schema)
    return Tool(
        name=name,
        description=description,
        function=function(spec, listed.name),
        arguments=arguments,
        context=("context",),
        effect=said.effect,
        risk=said.risk or _risk(said.effect, listed),
        timeout=said.timeout,
        attempts=said.attempts,
        quick=False,
        approval=said.approval,
        title=None,
        reconcile=None,
        foreign=True,
    )


def _risk(effect: Effect, listed: mcp_types.Tool) -> Risk:
    """A server's own hint makes it stricter at most."""
    if listed.annotations is not None and listed.annotations.destructive_hint:
        return "high"
    return "low" if effect == "read_only" else "medium"
