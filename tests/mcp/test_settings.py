"""The file that names MCP servers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.documents import snippets, words_in_code
from tests.packaging.checkout import ROOT, text
from tools.errors import InvalidServers
from tools.mcp.masking import masked, secrets_of
from tools.mcp.settings import HttpServer, StdioServer, ToolSettings, fill_in, read_servers

WRONG: dict[str, tuple[Any, str]] = {
    "nothing": ({}, 'must hold one thing, "mcpServers"'),
    "beside": ({"mcpServers": {}, "servers": {}}, 'must hold one thing, "mcpServers"'),
    "name": ({"mcpServers": {"a__b": {"command": "x"}}}, "mcpServers.a__b: a server's name has at most 40"),
    "both": ({"mcpServers": {"a": {"command": "x", "url": "http://x"}}}, "needs either a command or a url"),
    "text": ({"mcpServers": {"a": "x"}}, "must be an object with a command"),
    "unknown": ({"mcpServers": {"a": {"command": "x", "autoApprove": ["*"]}}}, "autoApprove: is not known here"),
    "url": ({"mcpServers": {"a": {"url": "ftp://x"}}}, "url: this is no http:// or https:// address"),
    "sse": ({"mcpServers": {"a": {"url": "http://x", "type": "sse"}}}, "the transport sse is no longer part of MCP"),
    "effect": ({"mcpServers": {"a": {"command": "x", "tools": {"t": {"effect": "safe"}}}}}, "tools.t.effect:"),
    "variable": ({"mcpServers": {"a": {"command": "${NOT_SET}"}}}, "the environment variable NOT_SET is not set"),
}


def written(folder: Path, said: Any) -> Path:
    """The file with what is said."""
    file = folder / "mcp.json"
    file.write_text(json.dumps(said))
    return file


def test_the_documented_file_can_be_read(tmp_path: Path) -> None:
    """The example in docs/mcp.md is a file that a worker takes, and every key there is stands in the document."""
    (example,) = (each for each in snippets("json") if each.document.name == "mcp.md")
    servers = read_servers(written(tmp_path, json.loads(example.text)), {"TICKETS_TOKEN": "a-token"})
    assert [type(server) for server in servers.values()] == [StdioServer, HttpServer]
    keys = {key for kind in (StdioServer, HttpServer, ToolSettings) for key in kind.model_fields}
    assert keys <= set(words_in_code(text("docs/mcp.md")))


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case: str, tmp_path: Path) -> None:
    """A mistake is told with its place in the file."""
    said, words = WRONG[case]
    with pytest.raises(InvalidServers) as caught:
        read_servers(written(tmp_path, said), {})
    assert words in str(caught.value)


def test_all_mistakes_at_once_and_no_value(tmp_path: Path) -> None:
    """Every mistake is listed, and none shows what was written there."""
    wrong = {"command": "x", "env": {"TOKEN": ["secret-in-a-list"]}}
    with pytest.raises(InvalidServers) as caught:
        read_servers(written(tmp_path, {"mcpServers": {"a": wrong, "b": {"url": "x"}}}), {})
    assert str(caught.value).count("mcpServers.") == 2
    assert "secret-in-a-list" not in str(caught.value)


@pytest.mark.parametrize(("name", "holding"), [("a.json", "{"), ("a.toml", "a = "), ("missing.json", None)])
def test_a_file_that_cannot_be_read(name: str, holding: str | None, tmp_path: Path) -> None:
    """The file is named, and what is wrong with it."""
    file = tmp_path / name
    if holding is not None:
        file.write_text(holding)
    with pytest.raises(InvalidServers, match=name):
        read_servers(file, {})


def test_json_and_toml_say_the_same(tmp_path: Path) -> None:
    """The same servers can be written either way."""
    said = {"mcpServers": {"a": {"command": "x", "args": ["1"]}, "b": {"url": "http://b/${PATH_PART:-mcp}"}}}
    toml = tmp_path / "mcp.toml"
    toml.write_text('[mcpServers.a]\ncommand = "x"\nargs = ["1"]\n[mcpServers.b]\nurl = "http://b/${PATH_PART:-mcp}"\n')
    servers = read_servers(toml, {})
    assert servers == read_servers(written(tmp_path, said), {})
    assert isinstance(servers["b"], HttpServer)
    assert fill_in(servers["b"].url, {}) == "http://b/mcp"
    assert fill_in(servers["b"].url, {"PATH_PART": "v2"}) == "http://b/v2"


def test_secrets_are_known_by_their_names() -> None:
    """What a variable brings into an environment or header is masked, also as JSON writes it; other values are not."""
    program = StdioServer(command="x", env={"TOKEN": "${KEY}", "MODE": "production"})
    secrets = secrets_of(program, {"KEY": 'quo"ted-key'})
    assert (
        masked('quo"ted-key and quo\\"ted-key in production', secrets) == "[secret KEY] and [secret KEY] in production"
    )
    web = HttpServer(url="http://x", headers={"X-Key": "literal-key"})
    assert masked("it is literal-key", secrets_of(web, {})) == "it is [secret X-Key]"


def test_the_package_is_only_needed_where_servers_are() -> None:
    """Without the MCP package everything else works, and a configured server is an error that says what to do."""
    code = (
        "import asyncio, sys; sys.modules['mcp'] = sys.modules['mcp_types'] = None\n"
        "import bootstrap\n"
        "from tools.mcp.servers import open_servers\n"
        "from tools.mcp.settings import StdioServer\n"
        "async def main():\n"
        "    async with open_servers({'a': StdioServer(command='x')}, {}): pass\n"
        "asyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert 'pip install "perdure[mcp]"' in done.stderr
