"""Questions of the model, answered by commands: one by one, and on a walk through all that waits."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cli.exits import ExitCode
from eventlog.events import (
    ApprovalGranted,
    BudgetRaised,
    HumanInputProvided,
    RequestIgnored,
    SessionResumed,
    SessionTerminationRequested,
)
from tests.cli.conftest import Ended, Perdure, ended
from tests.workflow.world import World


async def asked(perdure: Perdure, world: World, message: str, questions: int = 1, **settings: str) -> str:
    """A thread that waits for answers."""
    thread = f"t-{uuid4()}"
    done = await perdure("start", message, "--thread", thread, **settings)
    assert done.code == ExitCode.OK, done.err
    await world.until(thread, lambda session: len(session.waiting_for_answer) == questions)
    return thread


async def typed(perdure: Perdure, said: str, *arguments: str) -> Ended:
    """A command into which this is piped."""
    process = await perdure.spawn_for_typing(*arguments)
    out, err = await asyncio.wait_for(process.communicate(said.encode()), 60)
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def provided(world: World, thread: str) -> dict[str, Any]:
    """What was answered, by call, once nothing waits any more."""
    await world.until(thread, lambda session: session.completed is not None)
    return {each.call_id: each.value for each in await world.events(thread) if isinstance(each, HumanInputProvided)}


async def test_a_question_is_shown_and_answered(perdure: Perdure, world: World) -> None:
    """`start --wait` ends with the question, `pending` has it, `answer` settles it, a wrong answer is refused."""
    thread = f"t-{uuid4()}"
    started = await perdure("start", "ask", "--thread", thread, "--wait", "--json")
    assert started.code == ExitCode.WAITING
    [question] = started.json["pending"]
    assert (question["kind"], question["tool"], question["risk"]) == ("choose", "ask_human", None)
    assert question["inquiry"]["options"] == ["red", "blue"]
    shown = await perdure("pending", thread)
    for words in ("Which?", "1. red", "2. blue", f"perdure answer {thread} ask_1 --choice 1", "the model asks"):
        assert words in shown.out
    wrong = await perdure("answer", thread, "green")
    assert (wrong.code, "one of" in wrong.err) == (ExitCode.FAILED, True)
    misplaced = await perdure("approve", thread)
    assert misplaced.code == ExitCode.NOT_FOUND
    answered = await perdure("answer", thread, "ask", "--choice", "2", "--json")
    assert (answered.code, answered.json["request"], answered.json["call_id"]) == (ExitCode.OK, "answer", "ask_1")
    assert await provided(world, thread) == {"ask_1": "blue"}
    timeline = await perdure("show", thread)
    assert "asks a person (choose): Which?" in timeline.out
    assert "answered ask: Which?: blue" in timeline.out
    verified = await perdure("verify", thread, "--json")
    assert (verified.code, verified.json["findings"]) == (ExitCode.OK, [])
    late = await perdure("answer", thread, "red", "--json")
    assert late.json["error"]["kind"] == "ended"


async def test_every_kind_of_question_has_its_answer(perdure: Perdure, world: World, tmp_path: Path) -> None:
    """Words, choices, JSON, files and a verdict, each by the option made for it."""
    (tmp_path / "figures.csv").write_text("a,b\n")
    thread = await asked(perdure, world, "ask for all", 7)
    for arguments in (
        ["all_2", "yes"],
        ["all_3", "--choice", "2", "--choice", "red"],
        ["all_4", "Ana", "--comment", "as in Anabel"],
        ["all_5", "--json-value", '{"seats": 2}'],
        ["all_6", "--file", "figures.csv"],
        ["all_7", "--replace", "Dear Bo"],
    ):
        done = await perdure("answer", thread, *arguments)
        assert done.code == ExitCode.OK, done.err
    assert (await perdure("deny", thread, "--reason", "no")).code == ExitCode.OK
    values = await provided(world, thread)
    assert values.pop("all_6")["media_type"] == "text/csv"
    assert values == {
        "all_2": True,
        "all_3": ["red", "blue"],
        "all_4": "Ana",
        "all_5": {"seats": 2},
        "all_7": "Dear Bo",
    }


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "there is no answer"),
        (["a", "b", "c"], "several answers"),
        (["a", "b", "--accept"], "several answers"),
        (["--accept", "--choice", "1"], "several answers"),
        (["--json-value", "{"], "is no JSON"),
        (["--file", "nowhere.csv"], "cannot be read"),
    ],
)
async def test_a_command_line_that_answers_nothing_is_refused(
    alone: Perdure, arguments: list[str], problem: str
) -> None:
    """Nothing is asked of anybody."""
    done = await alone("answer", "t", *arguments)
    assert (done.code, problem in done.err) == (ExitCode.USAGE, True)


async def test_the_inbox_is_filtered_and_sorted(perdure: Perdure, world: World) -> None:
    """By kind, tenant and person, soonest to expire first; also where no worker is left to ask."""
    thread = await asked(perdure, world, "ask for all", 7, PERDURE_TENANT="acme")
    sooner = f"t-{uuid4()}"
    await perdure("start", "ask", "--thread", sooner, "--approval-timeout", "1h", "--tenant", "acme")
    await world.until(sooner, lambda session: session.status == "waiting")
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while {each["thread_id"] for each in found} != {thread, sooner}:
            found = (await perdure("pending", "--tenant", "acme", "--json")).json["pending"]
    assert found[0]["thread_id"] == sooner
    assert len(found) == 8
    kinds = await perdure("pending", "--tenant", "acme", "--kind", "review", "--kind", "approval", "--mine", "--json")
    assert {each["kind"] for each in kinds.json["pending"]} == {"review", "approval"}
    table = await perdure("pending", "--tenant", "acme")
    assert table.out.splitlines()[0].split() == ["thread", "call", "kind", "question", "risk", "expires", "tenant"]
    both = await perdure("pending", "--mine", "--for", "bo")
    assert both.code == ExitCode.USAGE


EDITED = json.dumps({"path": "report.md", "content": "shorter"})
SAID = {
    "write_file": ["e", "{", "e", EDITED],
    "Go on?": ["what", "y"],
    "Which?": ["a", "1, 2"],
    "Your name?": ["a", "Ana"],
    "How many seats?": ["a", "{}", "a", '{"seats": 2}'],
    "The figures?": ["s"],
    "Good?": ["n", "too stiff"],
}
"""What is typed at each question of `ALL`, mistakes among it."""


async def test_a_walk_takes_every_kind_of_answer(perdure: Perdure, world: World, tmp_path: Path) -> None:
    """What is wrong is told and asked again; what is skipped waits on."""
    (tmp_path / "figures.csv").write_text("a,b\n")
    thread = await asked(perdure, world, "ask for all", 7)
    process = await perdure.spawn_for_typing("approve", "-i", thread)
    told = await typed_as_asked(process, 7)
    assert (await process.wait(), "6 answered, 1 left for later" in told) == (ExitCode.OK, True)
    assert "is no JSON" in told
    assert "'seats' is a required property" in told
    session = await world.session(thread)
    assert [call.id for call in session.waiting_for_answer] == ["all_6"]
    rest = await typed(perdure, "a\nfigures.csv\n", "approve", thread, "-i")
    assert "1 answered" in rest.err
    values = await provided(world, thread)
    assert (values["all_2"], values["all_3"], values["all_4"]) == (True, ["red", "blue"], "Ana")
    [granted] = [each for each in await world.events(thread) if isinstance(each, ApprovalGranted)]
    assert granted.edited_arguments == {"path": "report.md", "content": "shorter"}


async def typed_as_asked(process: asyncio.subprocess.Process, questions: int) -> str:
    """Everything that was shown by a walk on which each question is answered as `SAID` has it."""
    assert process.stdin is not None
    assert process.stderr is not None
    told = ""
    for _ in range(questions):
        shown = (await process.stderr.readuntil(b"q(uit):")).decode()
        [lines] = [lines for question, lines in SAID.items() if question in shown.rpartition(" of 7 ")[2]]
        process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        told += shown
        for _ in range(sum(line in ("what", "{", "{}") for line in lines)):
            told += (await process.stderr.readuntil(b"q(uit):")).decode()
    return told + (await process.stderr.read()).decode()


async def test_a_walk_that_ends_leaves_the_rest(perdure: Perdure, world: World) -> None:
    """By q, at the end of the pipe, and by Ctrl-C: nothing is answered that was not said."""
    thread = await asked(perdure, world, "ask for all", 7)
    for said in ("q\n", "", "a\n", "s\ns\ns\n"):
        walked = await typed(perdure, said, "approve", "-i", thread)
        assert (walked.code, "left for later" in walked.err) == (ExitCode.OK, True)
    process = await perdure.spawn_for_typing("approve", "-i", thread)
    assert process.stderr is not None
    await process.stderr.readuntil(b"q(uit)")
    process.send_signal(signal.SIGINT)
    stopped = await ended(process)
    assert (stopped.code, "Traceback" in stopped.err) == (ExitCode.INTERRUPTED, False)
    assert len((await world.session(thread)).waiting_for_answer) == 7


async def test_what_somebody_else_answers_meanwhile_is_told_and_skipped(perdure: Perdure, world: World) -> None:
    """The walk goes on with the next question."""
    thread = await asked(perdure, world, "ask")
    process = await perdure.spawn_for_typing("approve", "-i", thread)
    assert process.stderr is not None
    await process.stderr.readuntil(b"q(uit)")
    assert (await perdure("answer", thread, "red")).code == ExitCode.OK
    done = await ended(process)
    assert (done.code, "answered or changed elsewhere" in done.err) == (ExitCode.OK, True)
    assert await provided(world, thread) == {"ask_1": "red"}
    assert not [each for each in await world.events(thread) if isinstance(each, RequestIgnored)]


async def test_a_question_about_an_unknown_price_is_answered_by_yes_or_no(perdure: Perdure, world: World) -> None:
    """No amount would help: the inbox shows what does, and the walk asks for none."""
    thread = f"t-{uuid4()}"
    await perdure("start", "ask", "--thread", thread, "--model", "unheard-of", "--limit", "cost=5")
    await world.until(thread, lambda session: session.budget is not None)
    assert f"perdure raise {thread} --unpriced" in (await perdure("pending", thread)).out
    assert "1 answered" in (await typed(perdure, "y\n", "approve", "-i", thread)).err
    [raised] = [each for each in await world.events(thread) if isinstance(each, BudgetRaised)]
    assert raised.more.unpriced


async def test_an_agent_in_circles_is_a_question_too(perdure: Perdure, world: World) -> None:
    """Whether it may go on stands in the inbox of all threads, and the walk takes a yes or a no."""
    threads = [f"t-{uuid4()}" for _ in range(2)]
    for thread, word, said in zip(threads, "yn", (SessionResumed, SessionTerminationRequested), strict=True):
        await perdure("start", "go round", "--thread", thread)
        await world.until(thread, lambda session: session.paused)
        listed = (await perdure("pending", "--kind", "loop", "--json")).json["pending"]
        [question] = [each for each in listed if each["thread_id"] == thread]
        assert (question["call_id"], question["arguments"]) == ("loop", {"period": 1, "times": 5})
        shown = (await perdure("pending", thread)).out
        assert [f"perdure {command} {thread}" in shown for command in ("resume", "terminate")] == [True, True]
        assert "1 answered" in (await typed(perdure, f"{word}\n", "approve", "-i", thread)).err
        assert any(isinstance(each, said) for each in await world.events(thread))
        assert (await perdure("pending", thread, "--json")).json["pending"] == []


async def test_a_question_about_a_budget_is_in_the_inbox_too(perdure: Perdure, world: World) -> None:
    """With the limit that was reached and the command that raises it; the walk takes so much more, or a no."""
    thread = f"t-{uuid4()}"
    await perdure("start", "ask", "--thread", thread, "--limit", "turns=1", "--at-limit", "ask")
    await world.until(thread, lambda session: session.budget is not None)
    listed = await perdure("pending", thread, "--kind", "budget", "--json")
    [question] = listed.json["pending"]
    assert (question["kind"], question["arguments"]["limit"], question["risk"]) == ("budget", "turns", None)
    shown = await perdure("pending", thread)
    assert f"perdure raise {thread} --turns …" in shown.out
    walked = await typed(perdure, "y\nmuch\ny\nturns=5\n", "approve", "-i", thread)
    assert "1 answered" in walked.err
    await world.until(thread, lambda session: any(call.action for call in session.waiting_for_answer))
    assert (await perdure("answer", thread, "red")).code == ExitCode.OK
    assert await provided(world, thread) == {"ask_1": "red"}
