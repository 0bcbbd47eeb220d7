"""Which MCP servers there are, and what an operator says of their tools: one file in the usual `mcpServers` shape.

    {"mcpServers": {
      "time": {"command": "uvx", "args": ["mcp-server-time"],
               "tools": {"get_current_time": {"effect": "read_only", "approval": "never"}}},
      "docs": {"url": "https://docs.example/mcp", "headers": {"Authorization": "Bearer ${DOCS_TOKEN}"}}}}

The same as TOML is as good. `${NAME}` stands for an environment variable, `${NAME:-otherwise}` for one that may be
missing. What a server says of itself loosens nothing: only this file does.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from eventlog.terms import Effect, Risk
from tools.errors import InvalidServers

SEPARATOR = "__"
"""Between a server's name and its tool's."""
LONGEST_TIMEOUT = 7 * 24 * 3600
_SERVER = re.compile(r"[a-zA-Z0-9]+(?:[_-][a-zA-Z0-9]+)*")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _mistake(words: str) -> PydanticCustomError:
    return PydanticCustomError("mistake", "{words}", {"words": words})


def _server_name(name: str) -> str:
    if not _SERVER.fullmatch(name) or len(name) > 40:
        raise _mistake("a server's name has at most 40 letters and digits, with a single _ or - between them")
    return name


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _mistake("this is no http:// or https:// address")
    return url


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ToolSettings(_Words):
    """What the operator says of a tool; what is not said is taken as the safe case."""

    effect: Effect = "unsafe"
    risk: Risk | None = None
    """Not said: low for what only reads, high for what its server calls destructive, else medium."""
    approval: Literal["always", "never"] = "always"
    timeout: Annotated[float, Field(gt=0, le=LONGEST_TIMEOUT)] = 60.0
    """Seconds one attempt may take."""
    attempts: Annotated[int, Field(ge=1)] = 3


class _AnyServer(_Words):
    include: tuple[str, ...] | None = None
    """Patterns of the tools that are taken; not said: all."""
    exclude: tuple[str, ...] = ()
    """Patterns of the tools that are not."""
    tools: dict[str, ToolSettings] = Field(default_factory=dict)
    """By the tool's name as the server has it; "*" is for those that are not named."""


class StdioServer(_AnyServer):
    """A program that is started, and spoken to over its standard input and output."""

    type: Literal["stdio"] = "stdio"
    command: Annotated[str, Field(min_length=1)]
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    """Given to it beside PATH, HOME and the like. Nothing else of the worker's environment is."""
    cwd: str | None = None


class HttpServer(_AnyServer):
    """A server that runs by itself, spoken to over streamable HTTP."""

    type: Literal["http", "streamable-http", "streamableHttp"] = "http"
    url: Annotated[str, AfterValidator(_http_url)]
    headers: dict[str, str] = Field(default_factory=dict)


AnyServer: TypeAlias = StdioServer | HttpServer
Servers: TypeAlias = Mapping[str, AnyServer]

_STDIO = TypeAdapter(StdioServer)
_HTTP = TypeAdapter(HttpServer)


def read_servers(file: Path, variables: Mapping[str, str]) -> dict[str, AnyServer]:
    """The servers by their names, variables still unfilled. Raises `InvalidServers` that lists every mistake."""
    said, mistakes = _servers_in(file), list[str]()
    servers: dict[str, AnyServer] = {}
    for name, given in said.items():
        try:
            servers[_checked_name(name)] = _read(given)
        except ValidationError as error:
            mistakes += [f"mcpServers.{name}: {_words(details)}" for details in error.errors(include_url=False)]
        except PydanticCustomError as error:
            mistakes.append(f"mcpServers.{name}: {error}")
        else:
            mistakes += [f"mcpServers.{name}: {missing}" for missing in _missing(servers[name], variables)]
    if mistakes:
        raise InvalidServers(f"{file}:\n" + "\n".join(f"  {mistake}" for mistake in mistakes))
    return servers


def fill_in(text: str, variables: Mapping[str, str]) -> str:
    """The text with the values of the variables it names."""
    return _VARIABLE.sub(lambda found: variables.get(found[1]) or (found[2] or ""), text)


def named_in(text: str) -> tuple[str, ...]:
    """The variables a text names."""
    return tuple(found[1] for found in _VARIABLE.finditer(text))


def _checked_name(name: str) -> str:
    return _server_name(name)


def _servers_in(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        said = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise InvalidServers(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        kind = "TOML" if file.suffix == ".toml" else "JSON"
        raise InvalidServers(f"{file}: is not {kind}: {error}") from error
    servers = said.get("mcpServers") if isinstance(said, dict) else None
    if not isinstance(servers, dict) or said.keys() != {"mcpServers"}:
        raise InvalidServers(f'{file}: must hold one thing, "mcpServers", with the servers by their names')
    return servers


def _read(given: Any) -> AnyServer:
    if not isinstance(given, dict):
        raise _mistake("must be an object with a command (and args, env) or a url (and headers)")
    if given.get("type") == "sse":
        raise _mistake("the transport sse is no longer part of MCP: give the url of its streamable HTTP endpoint")
    if ("command" in given) == ("url" in given):
        raise _mistake("needs either a command or a url")
    return _STDIO.validate_python(given) if "command" in given else _HTTP.validate_python(given)


def _missing(server: AnyServer, variables: Mapping[str, str]) -> list[str]:
    """What is said of every variable that is needed and not set."""
    return [
        f"the environment variable {found[1]} is not set"
        for text in texts_of(server)
        for found in _VARIABLE.finditer(text)
        if found[2] is None and not variables.get(found[1])
    ]


def texts_of(server: AnyServer) -> tuple[str, ...]:
    """Every text of a server in which variables may be named."""
    if isinstance(server, StdioServer):
        return (server.command, *server.args, *server.env.values(), server.cwd or "")
    return (server.url, *server.headers.values())


def _words(details: ErrorDetails) -> str:
    where = ".".join(str(part) for part in details["loc"])
    said = {"extra_forbidden": "is not known here", "missing": "is missing"}.get(details["type"], details["msg"])
    return f"{where}: {said}" if where else said
