"""All servers of one worker, for as long as it runs."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tools.errors import InvalidServers
from tools.mcp.settings import SEPARATOR, Servers
from tools.tool import Tool
from tools.workbench import Source

if TYPE_CHECKING:
    from tools.mcp.catalogue import Catalogue
    from tools.mcp.connection import Connection


class Connections(Source):
    """The tools of the servers, as they were listed last; also of those that are away, whose calls then say so."""

    def __init__(self, connections: Collection["Connection"]) -> None:
        self._connections = connections

    def tools(self) -> Mapping[str, Tool]:
        """What there is now, by name."""
        return {name: tool for each in self._connections for name, tool in each.catalogue.tools.items()}

    def absence(self, name: str) -> str | None:
        """Why a tool of one of the servers is not there; None for any other name."""
        server = name.partition(SEPARATOR)[0]
        for each in self._connections:
            if each.name == server and SEPARATOR in name and each.problem is not None:
                return each.absence
        return None

    def problems(self) -> dict[str, str]:
        """What is wrong, by server, or by server and tool: nothing of it stops the others."""
        away = {each.name: each.problem for each in self._connections if each.problem is not None}
        unusable = {
            f"{each.name}{SEPARATOR}{tool}": why
            for each in self._connections
            for tool, why in each.catalogue.unusable.items()
        }
        return {**away, **unusable}

    def standing(self) -> dict[str, tuple[bool, str]]:
        """Whether each server can be used, and in words what there is of it, or why not."""
        return {each.name: (each.problem is None, each.problem or _told(each.catalogue)) for each in self._connections}


def _told(catalogue: "Catalogue") -> str:
    left_out = "; ".join(f"left out: {tool[:80]} ({why})" for tool, why in catalogue.unusable.items())
    return "; ".join(filter(None, (f"{len(catalogue.tools)} tools", left_out)))


@asynccontextmanager
async def open_servers(servers: Servers, variables: Mapping[str, str]) -> AsyncIterator[Connections]:
    """Connections to the servers for the block's duration, each tried once before it begins.

    Raises `InvalidServers` where the SDK is not installed. No program that was started outlives the block.
    """
    connections = [_connection()(name, server, variables) for name, server in servers.items()]
    kept = [asyncio.create_task(each.keep(), name=f"mcp-{each.name}") for each in connections]
    try:
        await asyncio.gather(*(each.tried() for each in connections))
        yield Connections(connections)
    finally:
        for each in connections:
            each.stop()
        await asyncio.gather(*kept)


def _connection() -> "type[Connection]":
    try:
        from tools.mcp.connection import Connection  # noqa: PLC0415 - most workers have no servers, some no SDK
    except ModuleNotFoundError as error:
        if error.name not in {"mcp", "mcp_types"}:
            raise
        words = 'MCP servers are configured, but the package for them is missing: pip install "perdure[mcp]"'
        raise InvalidServers(words) from error
    return Connection
