"""Steering by commands: what stops a thread, where it says that it stopped, and how it goes on."""

from uuid import uuid4

import pytest

from cli.errors import BadUsage
from cli.exits import ExitCode
from cli.steering import breakpoint_of
from tests.cli.conftest import Perdure

STOP = "after model call 1 (breakpoint after:step)"


async def test_a_thread_is_stopped_stepped_and_resumed(perdure: Perdure) -> None:
    """Where it stopped is in its report and in the list; a breakpoint that is cleared stops it no more."""
    thread = f"t-{uuid4()}"
    begun = await perdure("start", "hello", "--thread", thread, "--break", "after:step", "--wait", "--json")
    assert (begun.code, begun.json["status"], begun.json["stopped_at"]) == (ExitCode.WAITING, "paused", STOP)
    assert begun.json["breakpoints"] == ["after:step"]
    shown = await perdure("show", thread)
    assert f"it is paused, {STOP}; let it go on: perdure resume {thread}" in shown.out
    listed = (await perdure("list", "--status", "paused", "--json")).json["threads"]
    assert [line["stopped_at"] for line in listed if line["thread_id"] == thread] == [STOP]
    assert (await perdure("break", thread, "after:step", "--clear")).code == ExitCode.OK
    assert "no breakpoint" in (await perdure("break", thread, "--clear")).err
    assert (await perdure("step", thread)).code == ExitCode.OK
    ended = await perdure("watch", thread, "--json")
    assert '"status": "completed"' in ended.out


async def test_a_thread_is_interrupted_and_turned(perdure: Perdure) -> None:
    """An interrupted thread waits for a person; a message that steers lets it go on."""
    thread = f"t-{uuid4()}"
    await perdure("start", "write", "--thread", thread, "--wait", "--json")
    assert (await perdure("interrupt", thread, "--reason", "not now", "--json")).json["request"] == "interrupt"
    again = await perdure("interrupt", thread)
    assert (again.code, "interrupted already" in again.err) == (ExitCode.FAILED, True)
    shown = await perdure("show", thread)
    assert "it was interrupted; say something" in shown.out
    assert (await perdure("steer", thread, "rather not")).code == ExitCode.OK
    assert "steers: rather not" in (await perdure("show", thread)).out
    await perdure("terminate", thread)


@pytest.mark.parametrize("where", ["step", "during:step", "before:", ""])
def test_what_is_no_point_is_refused(where: str) -> None:
    """The mistake is named, and how it is done."""
    with pytest.raises(BadUsage, match="is no point"):
        breakpoint_of(where)
