"""Calls of MCP servers' tools, made as a worker makes them."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.mcp.bench import PATIENCE, running, unruly
from tests.mcp.conftest import Open
from tools.toolbox import CHANGED, Failed, Succeeded, Unplanned

REPEATABLE = {"tools": {"*": {"effect": "idempotent", "approval": "never", "timeout": 20}}}


async def test_a_reference_server_over_stdio(opened: Open) -> None:
    """The reference time server's tools are planned, checked by its schema, and called."""
    bench = await opened({"time": {"command": "${PYTHON}", "args": ["-m", "mcp_server_time"]}})
    assert [terms.name for terms in bench.workbench.terms(None)] == ["time__get_current_time", "time__convert_time"]
    result = await bench.run("time__get_current_time", timezone="Europe/Paris")
    assert isinstance(result, Succeeded)
    assert "Europe/Paris" in result.result[0]["text"]
    assert len(result.result) == 1
    assert "'timezone' is a required property" in bench.problem("time__get_current_time", {})
    wrong = await bench.run("time__get_current_time", timezone="Mars/Olympus")
    assert isinstance(wrong, Failed)
    assert "Mars/Olympus" in wrong.problem


async def test_what_nobody_loosened_is_the_safe_case(opened: Open) -> None:
    """A tool asks before every call and is never repeated, whatever its server says; a hint makes it stricter only."""
    bench = await opened()
    terms = {each.name: each for each in bench.workbench.terms(None)}
    assert {each.effect for each in terms.values()} == {"unsafe"}
    assert (terms["unruly__repeat"].risk, terms["unruly__wipe"].risk) == ("medium", "high")
    plan = bench.plan("unruly__repeat", {"word": "hello"})
    assert plan.question is not None
    assert plan.question.text == 'unruly__repeat(word="hello")'


async def test_the_operator_loosens_tool_by_tool(opened: Open, folder: Path) -> None:
    """What the file says of a tool holds for it alone; what it leaves out is not there."""
    said = {"effect": "read_only", "approval": "never", "timeout": 7, "attempts": 2}
    server = unruly(folder, include=["re*", "wipe", "die"], exclude=["die"], tools={"repeat": said})
    bench = await opened({"unruly": server})
    repeat, wipe = bench.workbench.terms(None)
    assert (repeat.effect, repeat.risk, repeat.timeout, repeat.attempts) == ("read_only", "low", 7, 2)
    assert (wipe.effect, wipe.risk) == ("unsafe", "high")
    assert bench.plan("unruly__repeat", {"word": "a"}).question is None
    assert bench.plan("unruly__wipe", {}).question is not None


async def test_tools_that_cannot_be_used_are_named(opened: Open) -> None:
    """Names too long or doubled, and schemas that cannot be sent or would fetch something, are left out, with why."""
    bench = await opened()
    why = bench.source.problems()
    assert "longer than 64 characters" in why[f"unruly__{'n' * 70}"]
    assert "2 tools of the server would be named" in why["unruly__two.names"]
    assert "refers to something outside of itself" in why["unruly__fetching"]
    assert "anyOf at the top" in why["unruly__choosy"]


async def test_every_kind_of_content_is_read(opened: Open) -> None:
    """Images are images, text is text, and what cannot be shown is said in words; structured content is JSON."""
    bench = await opened()
    result = await bench.run("unruly__show")
    assert isinstance(result, Succeeded)
    assert [block["type"] for block in result.result] == ["image", *["text"] * 4, "image", "text"]
    words = [block["text"] for block in result.result if block["type"] == "text"]
    assert words == [
        "(content of the type image/png that is not base64)",
        "(audio, audio/wav: it cannot be heard here)",
        "(a resource that was not read: notes, file:///notes.md)",
        "file:///a.txt:\nembedded",
        '{"told": true}',
    ]


async def test_what_a_server_says_is_bounded_and_keeps_secrets(opened: Open) -> None:
    """A huge result is cut, a failure is a failure, and a secret the server was given is not in what it says."""
    bench = await opened()
    flood = await bench.run("unruly__flood")
    assert isinstance(flood, Succeeded)
    assert sum(len(block["text"]) for block in flood.result) < 51_000
    assert await bench.run("unruly__fail") == Failed("error", "there is no more milk")
    spilt = await bench.run("unruly__spill")
    assert isinstance(spilt, Succeeded)
    assert spilt.result[0]["text"] == "the token is [secret UNRULY_TOKEN]"


async def test_noise_on_the_line_changes_nothing(opened: Open) -> None:
    """Lines that are no messages are passed over; the call gets its answer."""
    bench = await opened()
    result = await bench.run("unruly__babble")
    assert isinstance(result, Succeeded)
    assert result.result[0]["text"] == "babble"


async def test_the_idempotency_key_is_passed_on(opened: Open) -> None:
    """A server finds in `_meta` what is the same for every attempt at a call."""
    bench = await opened()
    await bench.run("unruly__repeat", word="hello")
    assert bench.lines("called-repeat") == ["key-1"]


async def test_a_dead_server_is_started_again(opened: Open) -> None:
    """A call under which the program dies has an unknown outcome; then there is a new program, which answers."""
    bench = await opened()
    died = await bench.run("unruly__die")
    assert isinstance(died, Failed)
    assert (died.kind, died.retry, died.happened) == ("unavailable", False, None)
    await bench.until_noted("pids", 2)
    await bench.until_well()
    assert isinstance(await bench.run("unruly__repeat", word="again"), Succeeded)
    assert bench.lines("called-die") == ["key-1"]


async def test_a_call_that_may_be_repeated_may_be_tried_again(opened: Open, folder: Path) -> None:
    """Where the operator says that a tool is idempotent, a broken connection is a reason to try again."""
    bench = await opened({"unruly": unruly(folder, **REPEATABLE)})
    died = await bench.run("unruly__die")
    assert isinstance(died, Failed)
    assert (died.kind, died.retry) == ("unavailable", True)


async def test_a_call_is_called_off(opened: Open) -> None:
    """Whoever waits no longer says so to the server; its progress is told in numbers only."""
    bench = await opened()
    call = asyncio.create_task(bench.run("unruly__hang"))
    await bench.until_noted("hangs")
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await bench.until_noted("called-off")
    assert set(bench.heard) <= {"3 of 10"}


async def test_a_call_that_takes_too_long(opened: Open, folder: Path) -> None:
    """The operator's timeout holds, the server is told, and of an unsafe call nobody knows what became."""
    bench = await opened({"unruly": unruly(folder, tools={"hang": {"timeout": 0.5}})})
    hung = await bench.run("unruly__hang")
    assert isinstance(hung, Failed)
    assert (hung.kind, hung.happened) == ("timeout", None)
    await bench.until_noted("called-off")


@pytest.mark.parametrize("said", ["Do something else.", "gone"])
async def test_a_tool_that_changed_is_not_called(opened: Open, said: str) -> None:
    """What the server changed or removed since it was agreed on is neither shown nor called."""
    bench = await opened()
    agreed = bench.workbench.terms(["unruly__shifty"])
    plan = bench.plan("unruly__shifty", {"word": "a"})
    assert plan.agreed == agreed[0].digest
    (bench.folder / "shifty").write_text(said)
    assert await bench.workbench.run(plan, bench.context()) == Failed("tool_changed", CHANGED)
    assert bench.lines("called-shifty") == []
    assert bench.workbench.specs(agreed) == ()
    assert isinstance(await bench.workbench.run(plan, bench.context()), Failed)


async def test_one_server_that_fails_stops_nobody(opened: Open, folder: Path) -> None:
    """A server that cannot be started is named with its last words, without secrets; the others work."""
    failing = ["-c", "import os, sys; sys.exit('no ' + os.environ['TOKEN'])"]
    servers = {
        "broken": {"command": "${PYTHON}", "args": failing, "env": {"TOKEN": "${UNRULY_TOKEN}"}},
        "missing": {"command": "/nowhere/at/all"},
        "unruly": unruly(folder),
    }
    bench = await opened(servers)
    assert isinstance(await bench.run("unruly__repeat", word="well"), Succeeded)
    why = bench.source.problems()
    assert "no [secret UNRULY_TOKEN]" in why["broken"]
    assert "/nowhere/at/all" in why["missing"]
    plan = bench.workbench.plan("broken__any", {}, ["broken__any"])
    assert isinstance(plan, Unplanned)
    assert (plan.kind, "the MCP server broken is not connected" in plan.problem) == ("unavailable", True)


async def test_a_killed_program_is_replaced_and_none_is_left(opened: Open) -> None:
    """A program killed between calls is seen to be gone and replaced."""
    bench = await opened()
    (pid,) = await bench.until_noted("pids")
    os.kill(int(pid), signal.SIGKILL)
    await bench.until_noted("pids", 2)
    await bench.until_well()
    assert isinstance(await bench.run("unruly__repeat", word="back"), Succeeded)
    assert running([pid]) == []


async def test_an_answer_that_says_little_is_taken_for_unknown(opened: Open) -> None:
    """An error of the server that does not say that nothing was begun leaves an unsafe call's outcome unknown."""
    bench = await opened()
    crumbled = await bench.run("unruly__crumble")
    assert isinstance(crumbled, Failed)
    assert crumbled.happened is None


async def test_two_calls_at_once(opened: Open) -> None:
    """Calls of one server are made side by side."""
    bench = await opened()
    hanging = asyncio.create_task(bench.run("unruly__hang"))
    await bench.until_noted("hangs")
    assert isinstance(await asyncio.wait_for(bench.run("unruly__repeat", word="b"), PATIENCE), Succeeded)
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
