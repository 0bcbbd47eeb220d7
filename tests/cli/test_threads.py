"""The programmatic client, on a real Temporal, a real log and a worker."""

import asyncio
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from cli.answers import PendingQuestion, ThreadReport
from cli.errors import ClientError, NotFound, NoWorker, Refused, TemporalUnreachable
from cli.exits import ExitCode
from cli.pages import needs
from cli.threads import Threads
from eventlog.streams import ThreadId, stream_of
from projections.requests import Approve, Deny, Pause, Resume, Say, StartSession, Terminate
from tests.cli.happenings import began, heard, over, replied, told
from tests.conftest import Database
from tests.workflow.world import World


def new_id() -> ThreadId:
    """An id no other test uses: all share one Temporal."""
    return ThreadId(f"t-{uuid4()}")


async def started(threads: Threads, message: str, **terms: object) -> ThreadId:
    """A thread that has begun."""
    thread = new_id()
    await threads.start(thread, StartSession.model_validate({"message": message, **terms}))
    assert (await threads.begun(thread, timeout=30)).position >= 0
    return thread


async def test_a_task_is_started_once_and_answers(threads: Threads) -> None:
    """Starting twice is starting once, while it runs and when it has ended; waiting gives the answer."""
    thread = await started(threads, "hello")
    report = await threads.wait(thread)
    assert (report.status, report.reason, report.answer) == ("completed", "success", "Good day.")
    again = await threads.start(thread, StartSession(message="something else"))
    assert again.existed
    assert (await threads.report(thread)) == report


async def test_what_waits_for_a_person_is_listed_with_its_exact_arguments(threads: Threads) -> None:
    """A question is found across threads, answered by an abbreviation, and gone when it is answered."""
    thread = await started(threads, "write")
    report = await threads.wait(thread)
    assert report.status == "waiting"
    [question] = await threads.pending(thread)
    assert question in await everywhere(threads, thread)
    assert question.arguments == {"path": "report.md", "content": "all is well\n"}
    call = await threads.call(thread, question.call_id[:8])
    assert call == report.call_id == await threads.call(thread, None)
    position = await threads.approve(thread, Approve(call_id=call, approver="ana"))
    assert position is not None
    assert [each.position async for each in threads.events(thread, position)][-1] == position
    assert (await threads.wait(thread)).answer == "It is written."
    assert await threads.pending(thread) == []


async def everywhere(threads: Threads, thread: ThreadId) -> list[PendingQuestion]:
    """All questions, as soon as visibility, which is a little late, knows of this thread's."""
    found: list[PendingQuestion] = []
    async with asyncio.timeout(30):
        while thread not in {question.thread_id for question in found}:
            await asyncio.sleep(0.05)
            found = await threads.pending()
    return found


async def test_an_abbreviation_must_mean_one_call(threads: Threads) -> None:
    """What could mean two calls is refused and names both; what means none is not found."""
    thread = await started(threads, "write two")
    async with aclosing(threads.follow(thread)) as progress:
        async for each in progress:
            if len(each.report.pending) == 2:
                break
    assert await threads.call(thread, "toolu_aaa") == "toolu_aaa1"
    assert await threads.call(thread, "b2") == "toolu_aab2"
    for unclear in ("toolu_aa", None):
        with pytest.raises(Refused) as refused:
            await threads.call(thread, unclear)
        assert refused.value.kind == "ambiguous"
        assert "toolu_aaa1, toolu_aab2" in (refused.value.remedy or "")
    with pytest.raises(NotFound):
        await threads.call(thread, "toolu_z")
    await threads.deny(thread, Deny(call_id="toolu_aaa1", reason="no"))
    await threads.deny(thread, Deny(call_id="toolu_aab2", reason="no"))
    assert (await threads.wait(thread)).answer == "Both are written."


async def test_a_chat_is_talked_to_paused_resumed_and_ended(threads: Threads) -> None:
    """Each request is taken once, tells where it stands, and is refused in words when it comes too late."""
    thread = await started(threads, "talk", mode="chat")
    assert (await threads.wait(thread)).answer == "What about?"
    assert await threads.pause(thread, Pause(by="ana")) is not None
    assert (await threads.wait(thread)).status == "paused"
    with pytest.raises(Refused, match="paused already"):
        await threads.pause(thread, Pause(by="ana"))
    await threads.say(thread, Say(message="logs"))
    await threads.resume(thread, Resume(by="ana"))
    assert (await reached(threads, thread, "waiting")).answer == "I see."
    await threads.terminate(thread, Terminate(by="ana", reason="enough"))
    assert (await threads.wait(thread)).status == "terminated"
    with pytest.raises(Refused, match="has ended"):
        await threads.say(thread, Say(message="still there?"))


async def reached(threads: Threads, thread: ThreadId, status: str) -> ThreadReport:
    """The thread, as soon as it has that status."""
    async with aclosing(threads.follow(thread)) as progress:
        async for each in progress:
            if each.report.status == status:
                return each.report
    raise AssertionError(f"{thread} never was {status}")


async def test_what_is_ended_from_outside_is_told_as_it_is(threads: Threads, world: World) -> None:
    """A workflow that Temporal's own command terminated shows as terminated, though its stream has no end."""
    thread = await started(threads, "talk", mode="chat")
    await threads.wait(thread)
    await world.client.get_workflow_handle(thread).terminate(reason="by the operator")
    report = await reached(threads, thread, "terminated")
    assert report.ended
    assert "by the operator" in (report.summary or "")
    for ask in (threads.report, threads.wait, threads.begun):
        assert (await ask(thread)).status == "terminated"
    with pytest.raises(Refused) as refused:
        await threads.say(thread, Say(message="hello?"))
    assert refused.value.kind == "not_running"


async def test_a_stream_that_lost_its_end_is_told_of(threads: Threads, world: World, database: Database) -> None:
    """Where the workflow has completed and the stream does not tell of it, the thread is not said to run."""
    handle = await world.start("hello")
    await world.done(handle)
    world.handles.clear()
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        for position, last in ((3, 3), (-1, -1)):
            await connection.execute(
                "delete from message_store.messages where stream_name = %s and position > %s",
                (stream_of(ThreadId(handle.id)), position),
            )
            for ask in (threads.report, threads.wait):
                report = await ask(ThreadId(handle.id))
                assert (report.status, report.position) == ("failed", last)
                assert "its stream has no end" in (report.summary or "")


async def test_a_thread_that_nothing_runs_says_so(threads: Threads, world: World) -> None:
    """One that Temporal knows nothing of, and that has not ended, stands where it stood; how it goes on is told."""
    thread = await told(world.log, began(), heard("hello"))
    for ask in (threads.report, threads.wait):
        report = await ask(thread)
        assert (report.status, report.position, report.exit) == ("running", 1, ExitCode.FAILED)
        assert "Temporal knows no workflow" in (report.not_running or "")
    assert "perdure import - --run" in needs(report)["not running"].plain


async def test_a_start_that_fails_is_told(threads: Threads) -> None:
    """A tool nobody has ends the thread before its first event, with the reason."""
    thread = new_id()
    await threads.start(thread, StartSession(message="hello", tools=("teleport",)))
    report = await threads.begun(thread, timeout=30)
    assert (report.status, report.position) == ("failed", -1)
    assert "teleport" in (report.summary or "")


async def test_threads_that_are_not_there_are_not_found(threads: Threads) -> None:
    """Every question about an unknown thread, and every request to it, says that there is none."""
    thread = new_id()
    with pytest.raises(NotFound):
        await threads.session(thread)
    with pytest.raises(NotFound):
        await threads.wait(thread)
    with pytest.raises(NotFound):
        await threads.say(thread, Say(message="hello?"))


async def test_without_a_worker_requests_say_so_and_signals_wait(world: World, threads: Threads) -> None:
    """On a queue nobody polls an update is refused at once; a signal is kept for the next worker."""
    lonely = Threads(world.client, world.log, world.settings.model_copy(update={"task_queue": f"q-{uuid4()}"}))
    thread = new_id()
    await lonely.start(thread, StartSession(message="hello"))
    assert await lonely.workers() == 0
    async with asyncio.timeout(30):  # the server hears of a worker with its first poll
        while await threads.workers() == 0:
            await asyncio.sleep(0.05)
    with pytest.raises(NoWorker, match="no worker answers"):
        await lonely.say(thread, Say(message="anybody?"))
    assert await lonely.say(thread, Say(message="anybody?"), signal=True) is None
    assert (await lonely.report(thread)).status == "running"
    await world.client.get_workflow_handle(thread).terminate()


async def test_threads_are_listed_newest_first(threads: Threads) -> None:
    """The list knows running and ended threads, by status and tenant, and ends at its limit."""
    tenant = f"tenant-{uuid4()}"
    first = await started(threads, "hello", tenant=tenant)
    await threads.wait(first)
    second = await started(threads, "talk", mode="chat", tenant=tenant)
    await threads.wait(second)
    async with asyncio.timeout(30):  # visibility is a little late
        while [line.status for line in await threads.list(tenant=tenant)] != ["waiting", "completed"]:
            await asyncio.sleep(0.05)
    assert [line.thread_id for line in await threads.list(tenant=tenant)] == [second, first]
    assert [line.thread_id for line in await threads.list(tenant=tenant, limit=1)] == [second]
    assert [line.thread_id for line in await threads.list(tenant=tenant, status="completed")] == [first]


async def test_the_log_remembers_what_temporal_has_forgotten(threads: Threads, world: World) -> None:
    """A thread whose workflow is gone after retention is still shown, listed and not started again."""
    tenant = f"tenant-{uuid4()}"
    thread = await told(world.log, began(tenant=tenant), heard("hello"), replied("Good day."), over("Good day."))
    [line] = await threads.list(tenant=tenant)
    assert (line.thread_id, line.status) == (thread, "completed")
    assert (await threads.report(thread)).answer == "Good day."
    assert (await threads.start(thread, StartSession(message="hello"))).existed
    with pytest.raises(Refused, match="has ended"):
        await threads.say(thread, Say(message="still there?"))


async def test_a_temporal_that_is_away_leaves_the_log_readable(world: World, threads: Threads) -> None:
    """What needs the log only still works; what needs Temporal says that it does not answer."""
    thread = await started(threads, "hello")
    await threads.wait(thread)
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    blind = Threads(nowhere, world.log, world.settings)
    assert (await blind.report(thread)).answer == "Good day."
    with pytest.raises(TemporalUnreachable):
        await blind.start(new_id(), StartSession(message="hello"))
    with pytest.raises(ClientError):
        await blind.list()


@workflow.defn(name="Agent")
class Stumbling:
    """Code that cannot go on with a thread."""

    @workflow.run
    async def run(self, _given: Any) -> None:
        """Fail in a way that is a defect of the code."""
        raise RuntimeError("this code does not know the thread")


async def test_a_thread_whose_worker_fails_at_it_is_told_of(world: World) -> None:
    """Who wants something of it hears what is wrong with it, and what to do: the server's own words do not say."""
    queue, thread = f"q-{uuid4()}", new_id()
    stuck = Threads(world.client, world.log, world.settings.model_copy(update={"task_queue": queue}))
    runner = UnsandboxedWorkflowRunner()
    async with Worker(world.client, task_queue=queue, workflows=[Stumbling], workflow_runner=runner):
        await stuck.start(thread, StartSession(message="hello"))
        async with asyncio.timeout(30):
            while (refusal := await refused_by(stuck, thread)) is None or "failed state" not in refusal.message:
                await asyncio.sleep(0.1)
    assert refusal.kind == "temporal_refuses"
    assert "temporal workflow terminate -w" in (refusal.remedy or "")
    await world.client.get_workflow_handle(thread).terminate()


async def refused_by(threads: Threads, thread: ThreadId) -> ClientError | None:
    """Why the thread can be told nothing."""
    try:
        await threads.say(thread, Say(message="anybody?"))
    except ClientError as error:
        return error
    return None
