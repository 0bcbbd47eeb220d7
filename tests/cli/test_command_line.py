"""The command line itself: help, mistakes, and what is said where nothing runs."""

import json

import pytest

import client
from cli.exits import ExitCode
from tests.cli.conftest import Perdure

COMMANDS = (
    *("up", "down", "worker", "doctor"),
    *("verify", "export", "import"),
    *("start", "continue", "show", "list", "watch", "prompt"),
    *("approve", "deny", "pending", "pause", "resume", "terminate"),
    *("interrupt", "steer", "step", "break"),
)

DRIVERS = ("temporalio", "psycopg", "structlog", "jsonschema")
WORKS = (
    *("anthropic", "httpx2", "mcp", "obstore", "opentelemetry", "starlette", "worker", "telemetry"),
    *("activities.model", "activities.tools", "workflows.agent", "tools.builtin", "tools.mcp"),
    *("budgets", "ledger", "notices", "resilience"),
)


def helped(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `--help` prints."""
    assert client.run([*arguments, "--help"]) == 0
    return capsys.readouterr().out


def test_the_help_names_every_command_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks for help learns what there is and how it ends."""
    text = helped(capsys)
    for name in COMMANDS:
        assert f" {name} " in text
    for code in ExitCode:
        assert f" {code.value}  " in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command's help ends in examples, and each takes --json and --config."""
    text = helped(capsys, name)
    assert f"perdure {name}" in text.partition("Examples")[2]
    assert "--json" in text
    assert "--config" in text


@pytest.mark.parametrize(
    ("arguments", "besides"),
    [(["--help"], {"pydantic"}), (["--version"], {"pydantic"}), (["show", "--help"], set())],  # Typer reads by pydantic
)
async def test_help_is_not_kept_waiting_by_imports(alone: Perdure, arguments: list[str], besides: set[str]) -> None:
    """What a command needs to talk to others is not imported to tell how it is called."""
    code, imported = await alone.imported(*arguments)
    assert code == 0
    assert imported & {*DRIVERS, *WORKS, *besides} == set()


async def test_whoever_asks_is_not_kept_waiting_by_imports(perdure: Perdure) -> None:
    """To start a thread and to look at it takes nothing of what only workers, or only other commands, need."""
    for arguments in (("start", "hello", "--thread", "t", "--wait"), ("show", "t"), ("list",), ("pending",)):
        code, imported = await perdure.imported(*arguments)
        assert code == 0
        assert imported & set(WORKS) == set()
        assert imported.issuperset(DRIVERS), "or else the names here are none"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["start"],  # no message
        ["start", "x", "--mode", "sing"],
        ["start", "x", "--limit", "sheep=3"],
        ["start", "x", "--limit", "turns=many"],
        ["start", "x", "--idle-timeout", "soon"],
        ["start", "x", "--result-schema", "no such file"],
        ["start", "x", "--thread", "not an id"],
        ["start", "  "],
        ["list", "--status", "asleep"],
        ["list", "--limit", "0"],
        ["show", "t", "--at", "-1"],
        ["prompt", "t", "0"],
        ["approve", "t", "c", "--edit", "[1]"],
        ["approve", "t", "c", "--edit", "{broken"],
        ["deny", "t", "c"],  # no reason
        ["list", "--config", "no such file"],
        ["verify"],
        ["verify", "t", "--all"],
        ["verify", "--all", "--repair", "--log-only"],
        ["import", "no such file"],
        ["export", "not an id"],
        ["schema", "check", "no such folder"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_told_and_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant is refused before anything is asked, under --json as JSON on stdout alone."""
    assert client.run([*arguments, "--json"]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["message"]
    assert said.err == ""


def test_without_json_mistakes_are_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """A person reads what is wrong and where help is, and a script's stdout stays empty."""
    assert client.run(["list", "--limit", "0"]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert "--limit" in said.err
    assert "try: perdure list --help" in said.err


@pytest.mark.parametrize("arguments", [["--json", "list"], ["list", "--json"]], ids=" ".join)
async def test_where_nothing_runs_it_is_said_what_to_do(alone: Perdure, arguments: list[str]) -> None:
    """Without a system every command ends with 5 and names `perdure up`, wherever --json stands."""
    done = await alone(*arguments)
    assert (done.code, done.err) == (ExitCode.UNREACHABLE, "")
    assert done.json["error"]["kind"] == "nothing_running"
    assert "perdure up" in done.json["error"]["remedy"]


async def test_all_wrong_settings_are_told_at_once(alone: Perdure) -> None:
    """Two mistakes in the environment are both in the answer, and secrets are not."""
    done = await alone("list", "--json", TEMPORAL_ADDRESS="nowhere", DATABASE_URL="secret:nonsense")
    assert done.code == ExitCode.USAGE
    message = done.json["error"]["message"]
    assert "TEMPORAL_ADDRESS" in message
    assert "DATABASE_URL" in message
    assert "secret" not in message.replace("being secret", "")


async def test_a_database_that_is_away_is_named_without_its_password(alone: Perdure) -> None:
    """A connection that fails is told in words, ends with 5, and shows no password."""
    away = {"TEMPORAL_ADDRESS": "127.0.0.1:1", "DATABASE_URL": "postgresql://u:s3cr3t@127.0.0.1:1/x?connect_timeout=2"}
    done = await alone("list", "--json", **away)
    assert done.code == ExitCode.UNREACHABLE
    assert done.json["error"]["kind"] == "database_unreachable"
    assert "s3cr3t" not in done.out + done.err


async def test_doctor_finds_what_is_missing(alone: Perdure) -> None:
    """Doctor answers with the same keys whether or not anything runs, and says what to do."""
    done = await alone("doctor", "--json")
    assert done.code == ExitCode.UNREACHABLE
    found = done.json
    assert found["ok"] is False
    assert found["temporal"] == {"address": None, "ui": None}
    assert found["database"] is None
    [temporal] = [check for check in found["checks"] if check["name"] == "temporal"]
    assert (temporal["ok"], bool(temporal["remedy"])) == (False, True)


async def test_taking_down_nothing_is_done_at_once(alone: Perdure) -> None:
    """`down` where nothing runs says so and is no failure."""
    done = await alone("down", "--json")
    assert (done.code, done.json["stopped"]) == (0, [])


async def test_the_version_is_that_of_the_project(alone: Perdure) -> None:
    """`--version` tells what is installed, with `--json` before or after it as JSON."""
    done = await alone("--version")
    assert done.code == 0
    assert done.out.startswith("perdure 0.")
    for arguments in (("--version", "--json"), ("--json", "--version")):
        assert f"perdure {(await alone(*arguments)).json['version']}\n" == done.out
