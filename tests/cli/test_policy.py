"""`perdure policy`: what it tells of policies, of calls and of cases."""

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

import pytest

import client
from cli.exits import ExitCode
from tests.cli.conftest import CONVERSATIONS, Perdure
from tests.cli.nursery import Nursery
from tests.workflow.conftest import Play, play  # noqa: F401 - a fixture
from tests.workflow.world import World

REFUNDS = """
    default: deny
    reason: only refunds
    rules:
      - {id: small, decision: allow, tools: refund, where: {path: amount, at_most: 50}}
      - {id: late, decision: deny, tools: refund, times: {hours: "20:00-06:00", zone: Europe/Berlin}}
      - {id: rich, decision: warn, tools: refund, tenants: acme, spent: {less_than: 5}}
      - {id: files, decision: allow, tools: "*_file", effects: [read_only, idempotent]}
"""
CASES = """\
    policy: refunds
    cases:
      - {name: small ones, tool: refund, arguments: {amount: 5}, expect: allow}
      - {name: large ones, tool: refund, arguments: {amount: 500}, expect: ask, rule: large}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of policies, where the command is typed."""
    (tmp_path / "refunds.yaml").write_text(dedent(REFUNDS), encoding="utf-8")
    (tmp_path / "refunds.cases.yaml").write_text(dedent(CASES), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERDURE_POLICIES", str(tmp_path))
    return tmp_path


class Typed:
    """Types commands."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def text(self, *arguments: str) -> tuple[int, str]:
        """The exit code and what is printed."""
        code = client.run(["policy", *arguments])
        captured = self._capsys.readouterr()
        return code, captured.out + captured.err

    def json(self, *arguments: str) -> tuple[int, Any]:
        """The exit code and the answer."""
        code = client.run(["policy", *arguments, "--json"])
        return code, json.loads(self._capsys.readouterr().out)


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types commands."""
    return Typed(capsys)


CHECK = ("check", "refunds", "--tool", "refund", "--at", "2026-11-23T12:00+01:00")


def test_a_call_is_checked(folder: Path, typed: Typed) -> None:
    """The decision, whose it is and why, and every rule with what came of it."""
    code, answer = typed.json(*CHECK, "--arguments", '{"amount": 5}')
    assert code == ExitCode.OK
    assert (answer["decision"], answer["layer"], answer["rule"]) == ("allow", "refunds", "small")
    assert [each["outcome"] for each in answer["findings"]] == ["matched", *["unreached"] * 4]
    assert answer["arguments"] == {"amount": 5}
    _, text = typed.text(*CHECK, "--arguments", '{"amount": 80}')
    assert "  passed     refunds, rule small (allow): amount is 80: at_most 50 is not met\n" in text
    assert "deny by refunds: only refunds" in text
    assert str(folder) not in text


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--tenant", "acme", "--spent", "4.99"), ("warn", "rich")),
        (("--tenant", "acme", "--spent", "5"), ("deny", None)),
        (("--tenant", "other"), ("deny", None)),
        (("--at", "2026-11-23T05:59+01:00"), ("deny", "late")),
        (("--at", "2026-11-23T04:59"), ("deny", "late")),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_circumstances_can_be_given(typed: Typed, options: tuple[str, ...], expected: tuple[str, Any]) -> None:
    """Tenant, time and money are as they are told; a time without an offset is UTC."""
    _, answer = typed.json(*CHECK, "--arguments", '{"amount": 80}', *options)
    assert (answer["decision"], answer["rule"]) == expected


@pytest.mark.usefixtures("folder")
def test_a_tool_says_what_it_knows(typed: Typed) -> None:
    """Of a tool that is installed, arguments are checked, and its effect and its author's word are counted."""
    call = ("check", "refunds", "--tool", "write_file", "--arguments")
    _, answer = typed.json(*call, '{"path": "a", "content": "b"}')
    assert (answer["decision"], answer["layer"]) == ("ask", "author")
    _, answer = typed.json(*call, '{"path": "a", "content": "b"}', "--effect", "unsafe")
    assert (answer["decision"], answer["layer"]) == ("deny", "refunds")
    code, answer = typed.json(*call, '{"path": "a"}')
    assert code == ExitCode.USAGE
    assert "content: required, but missing" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--at", "noon"), "--at noon is no time"),
        (("--cost", "cheap"), "--cost cheap is no amount"),
        (("--spent", "-1"), "--spent -1 is no amount"),
        (("--arguments", "[]"), "--arguments must be a JSON object"),
        (("--risk", "huge"), "risk: Input should be 'low', 'medium' or 'high'"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_mistakes_on_the_command_line(typed: Typed, options: tuple[str, ...], words: str) -> None:
    """What cannot be meant is refused in words."""
    code, text = typed.text(*CHECK, *options)
    assert code == ExitCode.USAGE
    assert words in text


def test_cases_are_tried(folder: Path, typed: Typed) -> None:
    """A case that is not as expected ends with 1, and is shown with what was said instead and why."""
    table = folder / "refunds.cases.yaml"
    code, text = typed.text("test", str(table))
    assert code == ExitCode.FAILED
    assert f"{table}:4: large ones\n  - expected  ask by large\n  + said      deny by late of refunds" in text
    assert "1 of 2 cases are as expected" in text
    code, answer = typed.json("test", str(table))
    assert (code, answer["ok"], answer["cases"], answer["failed"]) == (ExitCode.FAILED, False, 2, 1)
    assert [each["passed"] for each in answer["results"]] == [True, False]
    table.write_text(dedent(CASES).replace("expect: ask, rule: large", "expect: deny"), encoding="utf-8")
    assert typed.json("test", str(table))[0] == ExitCode.OK


def test_policies_are_listed_and_shown(folder: Path, typed: Typed) -> None:
    """The list tells what is wrong with one that cannot be used, and ends with 1; `show` is what would be recorded."""
    code, answer = typed.json("list")
    assert (code, [(each["name"], each["rules"], each["layers"]) for each in answer["policies"]]) == (
        ExitCode.OK,
        [("refunds", 4, 1)],
    )
    digest = answer["policies"][0]["digest"]
    _, shown = typed.json("show", "refunds")
    assert (shown["digest"], shown["policy"]["layers"][0]["default"]) == (digest, "deny")
    assert "warn  rich:" in typed.text("show", "./refunds.yaml")[1]
    (folder / "broken.yaml").write_text("defaults: deny", encoding="utf-8")
    code, answer = typed.json("list")
    assert code == ExitCode.FAILED
    assert answer["policies"][0]["problems"][0].endswith(
        "broken.yaml:1:1: there is no key 'defaults' here: did you mean default?"
    )
    assert "did you mean default?" in typed.text("list")[1]


@pytest.mark.usefixtures("folder")
def test_what_is_not_there_is_named(typed: Typed) -> None:
    """An unknown policy is answered with the nearest name, an unreadable file with its mistakes."""
    code, answer = typed.json("show", "refund")
    assert (code, answer["error"]["kind"]) == (ExitCode.NOT_FOUND, "not_found")
    assert "did you mean refunds?" in answer["error"]["message"]
    code, answer = typed.json("test", "none.cases.yaml")
    assert (code, answer["error"]["kind"]) == (ExitCode.USAGE, "policy")
    assert "none.cases.yaml:1:1: it cannot be read" in answer["error"]["message"]


async def test_a_thread_is_started_with_a_policy(
    folder: Path,
    play: Play,  # noqa: F811 - pytest's way to ask for a fixture
    reach: Callable[[World], dict[str, str]],
    nursery: Nursery,
) -> None:
    """`start --policy` puts it in force, `show` tells what it said, and `verify` finds nothing wrong with that."""
    world = await play(CONVERSATIONS, policies=folder)
    perdure, thread = Perdure(folder, reach(world), nursery), f"t-{uuid4()}"
    unknown = await perdure("start", "write", "--policy", "refund", "--wait")
    assert unknown.code == ExitCode.FAILED
    assert "did you mean refunds?" in unknown.out + unknown.err
    (folder / "reading.yaml").write_text("default: deny\nreason: not here", encoding="utf-8")
    done = await perdure("start", "write", "--thread", thread, "--policy", "refunds,reading", "--wait")
    assert done.code == ExitCode.OK
    shown = await perdure("show", thread)
    assert "says deny (reading) to write_file report.md" in shown.out
    verified = await perdure("verify", thread, "--json")
    assert (verified.code, verified.json["findings"]) == (ExitCode.OK, [])


@pytest.mark.parametrize("name", ["check", "test", "show", "list"])
def test_every_command_has_examples(typed: Typed, name: str) -> None:
    """Help ends in examples that can be typed."""
    _, text = typed.text(name, "--help")
    assert f"perdure policy {name}" in text.partition("Examples")[2]
