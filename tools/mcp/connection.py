"""One server, kept connected: opened when the worker starts, looked after, opened again when it goes.

A server that is away stops nobody: its tools answer that it is, until it is back. A task of its own opens and closes
the connection, as the SDK wants it; calls come from wherever they come from.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import mcp_types
from mcp import Client, MCPError
from mcp.shared.dispatcher import ProgressFnT

from llm.messages import ToolSpec
from tools.context import ToolContext
from tools.errors import OutcomeUnknown, ToolChanged, ToolFailed, ToolUnavailable
from tools.mcp.catalogue import Catalogue, catalogue_of
from tools.mcp.content import returned
from tools.mcp.masking import masked, secrets_of
from tools.mcp.settings import AnyServer
from tools.mcp.transport import Line, connected
from tools.toolbox import CHANGED

CONNECT_TIMEOUT = 30.0
"""Seconds until a server must have been opened and have listed its tools."""
LIST_TIMEOUT = 10.0
"""Seconds it may take to list them again."""
LISTED_EVERY = 60.0
"""Seconds after which a server is asked for its tools anew, though it did not say that they changed."""
PAUSES = (0.2, 1.0, 5.0, 30.0)
"""Seconds between attempts at connecting; the last one from then on."""
MOST_TOOLS = 1_000
CLIENT = mcp_types.Implementation(name="perdure", version="0.1")
IDEMPOTENCY_KEY = "perdure/idempotencyKey"
"""Where in a call's `_meta` the server finds what is the same for every attempt at it."""
_LONGEST_PROBLEM = 1_000
STEADY = 60.0
"""Seconds that a connection must have lasted to be opened again as if it had never failed."""
_NOT_BEGUN = (mcp_types.INVALID_PARAMS, mcp_types.METHOD_NOT_FOUND)
"""A server that answers so did not begin."""

# What a server sends belongs into no log, and the SDK would write it there.
for _name in ("mcp", "client"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class Connection:
    """A server, its tools as they were listed last, and what is wrong with it."""

    def __init__(self, name: str, server: AnyServer, variables: Mapping[str, str]) -> None:
        self.name = name
        self.catalogue = Catalogue()
        self.problem: str | None = "it is being connected to"
        """Why it cannot be used now; None where it can."""
        self._server = server
        self._variables = variables
        self._secrets = secrets_of(server, variables)
        self._client: Client | None = None
        self._line = Line()
        self._underway = 0
        """Calls that are being made."""
        self._tried = asyncio.Event()
        self._scope = anyio.CancelScope()

    async def keep(self) -> None:
        """Connect, and connect again, until `stop`."""
        try:
            with self._scope:
                await self._keep()
        finally:
            self._tried.set()

    async def _keep(self) -> None:
        failures, loop = 0, asyncio.get_running_loop()
        while True:
            began = loop.time()
            self.problem = await self._connect()
            self._tried.set()
            failures = 1 if loop.time() - began > STEADY else failures + 1
            await anyio.sleep(PAUSES[min(failures, len(PAUSES)) - 1])

    def stop(self) -> None:
        """Have `keep` close the connection, end the program, and return."""
        self._scope.cancel()

    async def tried(self) -> None:
        """Return when the server is connected, or was tried once in vain."""
        await self._tried.wait()

    @property
    def absence(self) -> str:
        """Why its tools cannot be used now."""
        return f"the MCP server {self.name} is not connected: {self.problem}"

    async def _connect(self) -> str:
        """Connect, and stay until the server goes; then say why it did."""
        self._line = line = Line()
        try:
            async with _opened(self._server, self._variables, line) as client:
                await self._list(client)
                self._client, self.problem = client, None
                self._tried.set()
                await self._stay(client, line)
        except Exception as error:  # noqa: BLE001 - a stranger's program fails in its own ways
            return self._words(error, line)
        finally:
            self._client = None
        return self._words(ConnectionError("it went away"), line)

    async def _stay(self, client: Client, line: Line) -> None:
        while not line.gone:
            with anyio.move_on_after(LISTED_EVERY):
                await line.stirred.wait()
            if line.gone:
                return
            line.stirred.clear()
            if not self._underway:  # it may do one thing at a time, and is looked at before the next call anyway
                await self._list(client)
            await anyio.sleep(PAUSES[0])  # however often it says that they changed

    async def _list(self, client: Client) -> None:
        with anyio.fail_after(LIST_TIMEOUT):
            page = await client.list_tools()
            listed = page.tools
            while page.next_cursor is not None and len(listed) < MOST_TOOLS:
                page = await client.list_tools(cursor=page.next_cursor)
                listed = [*listed, *page.tools]
        self.catalogue = catalogue_of(self.name, self._server, listed[:MOST_TOOLS], self._function)

    def _function(self, spec: ToolSpec, there: str) -> Callable[..., Awaitable[Any]]:
        async def call(arguments: dict[str, Any], context: ToolContext) -> Any:
            return await self._call(await self._looked(spec), there, arguments, context)

        return call

    async def _looked(self, spec: ToolSpec) -> Client:
        """The client, after a last look that the tool is what it was."""
        client, line = self._client, self._line
        if client is None:
            raise ToolUnavailable(self.absence)
        try:
            await self._list(client)
        except Exception as error:  # noqa: BLE001 - a stranger's program fails in its own ways
            if not (isinstance(error, TimeoutError) and self._underway):
                line.end()
            words = self._words(error, line)
            raise ToolUnavailable(f"the MCP server {self.name} does not answer: {words}") from None
        now = self.catalogue.tools.get(spec.name)
        if now is None or now.spec != spec:
            raise ToolChanged(CHANGED)
        return client

    async def _call(self, client: Client, there: str, arguments: dict[str, Any], context: ToolContext) -> Any:
        meta: Any = {IDEMPOTENCY_KEY: context.idempotency_key}
        line = self._line
        self._underway += 1
        try:
            answer = await client.call_tool(there, arguments, progress_callback=_progress(context), meta=meta)
        except MCPError as error:
            raise self._failed(error, line) from None
        except Exception as error:  # noqa: BLE001 - the SDK fails in many ways at what a stranger sends
            raise OutcomeUnknown(f"what the server answered cannot be used: {self._words(error, line)}") from None
        finally:
            self._underway -= 1
        return returned(answer, self._secrets)

    def _failed(self, error: MCPError, line: Line) -> Exception:
        """The failure as it is meant: only some codes say that nothing was done."""
        words = f"the MCP server {self.name} answered: {self._words(error, line)}"
        if error.code in _NOT_BEGUN:
            return ToolFailed(words)
        if error.code == mcp_types.CONNECTION_CLOSED:
            line.end()
            return ConnectionError(f"the connection to the MCP server {self.name} broke during the call")
        return OutcomeUnknown(words)

    def _words(self, error: BaseException, line: Line) -> str:
        """The error, with what the program said last where it is gone, and no secret."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        words = "it did not answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        said = " ".join(line.last_words.decode(errors="replace").split())
        if said and line.gone:
            words = f"{words}; it said last: {said}"
        words = masked(words, self._secrets)
        return words if len(words) <= _LONGEST_PROBLEM else f"…{words[-_LONGEST_PROBLEM:]}"


@asynccontextmanager
async def _opened(server: AnyServer, variables: Mapping[str, str], line: Line) -> AsyncIterator[Client]:
    async def look(message: object) -> None:
        if isinstance(message, mcp_types.ToolListChangedNotification):
            line.stirred.set()

    client = Client(connected(server, variables, line), cache=None, client_info=CLIENT, message_handler=look)
    async with AsyncExitStack() as open_:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await open_.enter_async_context(client)
        yield client


def _progress(context: ToolContext) -> ProgressFnT:
    async def tell(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - content
        """How far it is in numbers alone: what is told here passes through Temporal."""
        context.heartbeat(f"{progress:g}" if total is None else f"{progress:g} of {total:g}")

    return tell
