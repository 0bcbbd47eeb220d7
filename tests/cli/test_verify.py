"""Everything that is kept of a thread tells the same story, and where it does not, that is found and told."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from cli.errors import NotFound
from cli.exits import ExitCode
from cli.threads import Threads
from cli.verification.history import read_history
from cli.verification.requests import OTHER_TOOLS, Requests
from cli.verification.verdict import Verdict
from cli.verification.verifier import NO_HISTORY, NO_THREAD, UNKNOWN_EVENT, UNSOUND, Verifier
from eventlog.events import AnyEvent, ErrorOccurred, SessionPaused, UnknownEvent, UserMessageAdded
from eventlog.ids import event_id
from eventlog.log import Entry
from eventlog.metadata import Metadata
from eventlog.streams import ThreadId, stream_of
from eventlog.vocabulary import Vocabulary
from examples.custom_events import InvoicePaid
from llm.anthropic import AnthropicModel
from llm.clients import anthropic_client
from projections.evolution import SESSION
from projections.fold import fold
from projections.requests import Approve, Deny, Say, Terminate
from stack.scripted.answers import Broken, Fault, Reply
from stack.scripted.playbook import Step
from tests.cli import happenings
from tests.cli.conftest import Perdure
from tests.cli.happenings import NOON
from tests.conftest import Database
from tests.workflow.conftest import Play
from tests.workflow.hands import hang, launch, look, snap, stumble
from tests.workflow.test_long import impatient_server  # noqa: F401 - a fixture
from tests.workflow.world import World
from tests.workflow.world import world as world_of
from tools.plugins import load_tools
from tools.tool import Tool
from tools.workbench import Workbench

TOOLS: tuple[Tool, ...] = (look, launch, stumble, hang, snap)
CONVERSATIONS: dict[str, list[Step]] = {
    "hello": [Reply.text("Good day.")],
    "parallel": [
        Reply.tools(*(("look", {"word": str(n)}, f"call_{n}") for n in range(3)), ("stumble", {"word": "x"})),
        Reply.text("done"),
    ],
    "quick": [Reply.tools(("echo", {"text": "a"}), ("snap", {"word": "b"}, "call_1")), Reply.text("done")],
    "launch": [Reply.tools(("launch", {"word": "it"}, "call_1")), Reply.text("done")],
    "flaky": [[Fault(529, retry_after=0.1), Broken(2), Reply.text("at last")]],
    "refused": [[Fault(400)]],
    "talk": [Reply.text("one"), Reply.text("two")],
    "hang": [Reply.tools(("hang", {"word": "x"}, "call_1")), Reply.text("never")],
    "limits": [Reply.tools(("look", {"word": "x"}))] * 4,
}


@pytest.fixture
async def world(play: Play) -> World:
    """A worker with tools of many kinds."""
    return await play(CONVERSATIONS, TOOLS)


@pytest.fixture
def verifier(world: World) -> Verifier:
    """Knows what the worker knows."""
    return verifier_of(world)


def verifier_of(world: World, tools: tuple[Tool, ...] = TOOLS) -> Verifier:
    """What looks over the threads of that world."""
    model = AnthropicModel(anthropic_client(api_key="key", base_url=world.model.url))
    toolbox = Workbench([*load_tools([]), *tools], world.settings.workspace)
    return Verifier(world.log, world.client, world.queue, Requests(model, toolbox), Vocabulary([InvoicePaid]))


def told(verdict: Verdict) -> list[tuple[str, int]]:
    """Which rules do not hold, and where."""
    return [(each.invariant, each.position) for each in verdict.findings]


async def happened(world: World, thread: str, event: AnyEvent, **metadata: Any) -> None:
    """Something is written into a stream that no step of the session wrote."""
    entry = Entry(uuid4(), event, Metadata(at=NOON, **metadata))
    await world.log.append(stream_of(ThreadId(thread)), entry)


async def everything(world: World, threads: Threads) -> list[str]:
    """Threads of every kind, all of them at rest."""
    names = ("hello", "parallel", "flaky", "refused")
    handles = [await world.start(name) for name in names]
    handles.append(await world.start("limits", limits={"turns": 2}))
    for name, answer in [("launch", Approve), ("launch", Deny), ("quick", Approve)]:
        handle = await world.start(name)
        await world.until(handle.id, lambda session: session.status == "waiting")
        await threads.ask(ThreadId(handle.id), answer(call_id="call_1"))
        handles.append(handle)
    expired = await world.start("launch", approval_timeout=0.1)
    handles.append(expired)
    for handle in handles:
        await world.done(handle)
    waiting = await world.start("launch")
    chat = await world.start("talk", mode="chat")
    await world.until(waiting.id, lambda session: session.status == "waiting")
    await world.until(chat.id, lambda session: session.turns == 1)
    await threads.say(ThreadId(chat.id), Say(message="more"))
    stopped = await world.start("hang")
    await world.until(stopped.id, lambda session: any(call.state == "begun" for call in session.pending.values()))
    await threads.terminate(ThreadId(stopped.id), Terminate())
    await world.done(stopped)
    return [handle.id for handle in (*handles, waiting, chat, stopped)]


async def test_what_the_agent_does_itself_is_sound(world: World, threads: Threads, verifier: Verifier) -> None:
    """Answers, tools, approvals, failures, limits, a chat and a stop: nothing is found in any of them."""
    ran = await everything(world, threads)
    known = [thread async for thread in verifier.threads()]
    assert set(ran) <= set(known)
    for thread in ran:
        verdict = await verifier.verify(ThreadId(thread))
        assert (verdict.findings, verdict.unchecked) == ((), {})
        assert verdict.events > 2


async def test_a_thread_that_runs_is_sound_at_any_moment(world: World, verifier: Verifier) -> None:
    """Looked at again and again while it goes on, a thread is never found broken."""
    handle = await world.start("parallel")
    while (await world.session(handle.id)).completed is None:
        assert (await verifier.verify(ThreadId(handle.id))).findings == ()


async def test_a_thread_that_was_reset_is_sound(world: World, verifier: Verifier) -> None:
    """A workflow that Temporal took back to its beginning finds its steps in the log, and is not found broken."""
    handle = await world.start("launch")
    await world.until(handle.id, lambda session: session.status == "waiting")
    again = world.client.get_workflow_handle(handle.id, run_id=await reset_to_its_beginning(world, handle.id))
    async with asyncio.timeout(30):
        while not (await again.query("state"))["pending"]:
            await asyncio.sleep(0.05)
    await again.execute_update("approve", {"call_id": "call_1"})
    await again.result()
    assert told(await verifier.verify(ThreadId(handle.id))) == []


async def reset_to_its_beginning(world: World, thread: str) -> str:
    """Temporal takes the workflow back to its first task; its id from now on."""
    handle = world.client.get_workflow_handle(thread)
    first = next(
        event.event_id
        for event in (await handle.fetch_history()).events
        if event.HasField("workflow_task_completed_event_attributes")
    )
    request = ResetWorkflowExecutionRequest(
        namespace=world.client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=thread),
        workflow_task_finish_event_id=first,
        request_id=str(uuid4()),
    )
    return (await world.client.workflow_service.reset_workflow_execution(request)).run_id


async def test_every_run_of_a_long_thread_is_read(
    impatient_server: str,  # noqa: F811 - pytest's way to ask for a fixture
    database: Database,
    tmp_path: Path,
) -> None:
    """A thread that went on in new runs is held against all of them."""
    script = [*(Reply.tools(("look", {"word": str(n)}, f"call_{n}")) for n in range(12)), Reply.text("done")]
    async with world_of(impatient_server, database.url, tmp_path, {"go": script}, [look]) as here:
        handle = await here.start("go")
        await here.done(handle)
        verdict = await verifier_of(here, (look,)).verify(ThreadId(handle.id))
        assert (verdict.findings, verdict.unchecked) == ((), {})
        history = await read_history(here.client, ThreadId(handle.id))
        assert history is not None
        assert (len(history.runs) > 2, history.whole) == (True, True)


async def test_an_end_from_outside_is_found_and_mended(world: World, verifier: Verifier) -> None:
    """A workflow terminated in Temporal leaves no end; one is written once, with a record, and then all is well."""
    handle = await world.start("hang")
    await world.until(handle.id, lambda session: any(call.state == "begun" for call in session.pending.values()))
    await handle.terminate(reason="no longer needed")
    thread = ThreadId(handle.id)
    [finding] = (await verifier.verify(thread)).findings
    assert (finding.invariant, finding.repairable) == ("TheEndIsWritten", True)
    assert "terminated from outside: no longer needed" in finding.problem
    before = await world.types(thread)
    mended = await verifier.verify(thread, mend_as="ana")
    written = ["StreamRepaired", "ToolExecutionOutcomeUnknown", "SessionCompleted"]
    assert [each.event for each in mended.repaired] == written
    assert mended.findings == ()
    assert await world.types(thread) == [*before, *written]
    assert (await world.session(thread)).status == "terminated"
    again = await verifier.verify(thread, mend_as="bo")
    assert (again.findings, again.repaired) == ((), ())


async def test_a_repair_that_was_interrupted_is_finished(world: World, verifier: Verifier) -> None:
    """Where a repair died after its first event, the next one writes the rest and nothing twice."""
    handle = await world.start("launch")
    await world.until(handle.id, lambda session: session.status == "waiting")
    await handle.terminate()
    await verifier.verify(ThreadId(handle.id), mend_as="ana")
    events = await world.recorded(handle.id)
    other = await world.start("launch")
    await world.until(other.id, lambda session: session.status == "waiting")
    await other.terminate()
    record = next(each for each in events if each.event.type == "StreamRepaired")
    id_ = event_id(ThreadId(other.id), fold(SESSION, await world.recorded(other.id)).started_ms, "repaired/end")
    await world.log.append(
        stream_of(ThreadId(other.id)),
        Entry(id_, record.event, record.metadata.model_copy(update={"causation_id": None})),
    )
    mended = await verifier.verify(ThreadId(other.id), mend_as="bo")
    assert ([each.event for each in mended.repaired], mended.findings) == (["SessionCompleted"], ())


async def test_a_lost_tail_is_found(world: World, verifier: Verifier, database: Database) -> None:
    """A database that was put back to an older state no longer has what Temporal was told of."""
    handle = await world.start("parallel")
    await world.done(handle)
    await spoil(database, "delete from message_store.messages where stream_name = %s and position > 5", handle.id)
    verdict = await verifier.verify(ThreadId(handle.id))
    assert {each.invariant for each in verdict.findings} == {"MarksAreInTheStream"}
    assert "nothing stands here" in verdict.findings[0].problem


async def spoil(database: Database, statement: str, thread: str) -> None:
    """Do by hand what the log itself never does."""
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        await connection.execute(statement, (stream_of(ThreadId(thread)),))


OF = "update message_store.messages set"
DAMAGE = {
    "PositionsAreContiguous": "delete from message_store.messages where stream_name = %s and position = 3",
    "BeginsOnce": "delete from message_store.messages where stream_name = %s and position = 0",
    "RequestsRenderAgain": f'{OF} data = data || \'{{"message": "bye"}}\' where stream_name = %s and position = 1',
    "MarksAreInTheStream": f"{OF} data = data || '{{\"final\": false}}' where stream_name = %s and position = 3",
    "CausesComeFirst": (
        f"{OF} metadata = metadata || jsonb_build_object('causation_id', id) where stream_name = %s and position = 2"
    ),
    "EventsAreOfItsRuns": f'{OF} metadata = metadata || \'{{"run_id": "x"}}\' where stream_name = %s and position = 3',
    "EventsAreReadable": f"{OF} data = data - 'at' where stream_name = %s and position = 2",
}
"""By the rule that notices it."""
WRITE = """
SELECT message_store.write_message(gen_random_uuid()::varchar, %s::varchar, %s::varchar, '{}'::jsonb, '[7]'::jsonb)
  FROM generate_series(1, %s)
"""
NO_METADATA = 'case when position = 3 then \'{"at": "2026-11-20T09:30:00Z", "attempt": "x"}\' else metadata end'


@pytest.mark.parametrize(("rule", "statement"), DAMAGE.items(), ids=DAMAGE)
async def test_what_somebody_changed_is_found(
    world: World, verifier: Verifier, database: Database, rule: str, statement: str
) -> None:
    """Each kind of damage breaks the rule that is about it."""
    handle = await world.start("hello")
    await world.done(handle)
    world.handles.clear()  # it is no longer what every test's end looks for
    await spoil(database, statement, handle.id)
    assert rule in {each.invariant for each in (await verifier.verify(ThreadId(handle.id))).findings}


CHANGED = [
    ("CallsAreAsTheModelWroteThem", "LLMResponseReceived", "{tool_calls,0,arguments,word}"),
    ("ArgumentsHaveTheirDigest", "ApprovalRequested", "{arguments,word}"),
    ("ArgumentsHaveTheirDigest", "ToolExecutionRequested", "{arguments,word}"),
    ("ArgumentsHaveTheirDigest", "ToolExecutionRequested", "{digest}"),
    ("AnswersAreTheLastReply", "LLMResponseReceived", "{content,0,text}"),
    ("AnswersAreTheLastReply", "SessionCompleted", "{answer}"),
]
"""What nothing but the same content elsewhere in the stream tells of: the rule, the event and the place in its data."""


async def test_content_that_somebody_changed_is_found(world: World, threads: Threads, database: Database) -> None:
    """What was asked for, allowed, run and answered stands twice in the stream; changed in one place, it is found."""
    handle = await world.start("launch")
    await world.until(handle.id, lambda session: session.status == "waiting")
    await threads.ask(ThreadId(handle.id), Approve(call_id="call_1"))
    await world.done(handle)
    verifier = Verifier(world.log, None, world.queue, None)
    assert (await verifier.verify(ThreadId(handle.id))).findings == ()
    world.handles.clear()
    for rule, kind, place in CHANGED:
        old = await changed(database, handle.id, kind, place, '"other"')
        assert rule in {each.invariant for each in (await verifier.verify(ThreadId(handle.id))).findings}, place
        await changed(database, handle.id, kind, place, old)
    assert (await verifier.verify(ThreadId(handle.id))).findings == ()


async def changed(database: Database, thread: str, kind: str, place: str, value: str) -> str:
    """Put another value into the data of an event of this type which has that place; what stood there, as JSON."""
    stream = stream_of(ThreadId(thread))
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        cursor = await connection.execute(
            "select id, data #> %s::text[] from message_store.messages"
            " where stream_name = %s and type = %s and data #> %s::text[] is not null",
            (place, stream, kind, place),
        )
        [(id_, old), *_] = await cursor.fetchall()
        await connection.execute(
            "update message_store.messages set data = jsonb_set(data, %s::text[], %s::jsonb) where id = %s",
            (place, value, id_),
        )
    return json.dumps(old)


async def test_what_was_not_rendered_for_damage_is_told(
    world: World, verifier: Verifier, perdure: Perdure, database: Database
) -> None:
    """Requests of a damaged stream count as unchecked, and a repair that could mend nothing says so."""
    handle = await world.start("hello")
    await world.done(handle)
    world.handles.clear()
    await spoil(database, DAMAGE["CausesComeFirst"], handle.id)
    assert (await verifier.verify(ThreadId(handle.id))).unchecked == {UNSOUND: 1}
    mended = await perdure("verify", handle.id, "--repair")
    assert mended.code == ExitCode.FAILED
    assert f"1 finding; unchecked: {UNSOUND} (1)\n" in mended.err
    assert "nothing was repaired: what was found cannot be" in mended.err


async def test_a_missing_artifact_is_found(world: World, verifier: Verifier, database: Database) -> None:
    """Large content that is not where it is kept is a finding at its event's position, with its hash."""
    thread = await happenings.told(world.log, happenings.began(), happenings.heard("x" * 300_000))
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        await connection.execute("delete from perdure.artifacts")
    [finding] = (await verifier.verify(thread)).findings
    assert (finding.invariant, finding.position) == ("EventsAreReadable", 1)
    assert "its artifact sha256:" in finding.problem


async def test_damaged_metadata_is_found(world: World, verifier: Verifier, database: Database) -> None:
    """An event that says what it must, and whose metadata cannot be read, is told of with its position."""
    handle = await world.start("hello")
    await world.done(handle)
    world.handles.clear()
    await spoil(database, f"{OF} metadata = {NO_METADATA} where stream_name = %s", handle.id)
    [finding] = (await verifier.verify(ThreadId(handle.id))).findings
    assert (finding.invariant, finding.position) == ("EventsAreReadable", 3)
    assert "position 3" in finding.problem
    assert "attempt" in finding.problem


async def test_strangers_streams_stop_nothing(world: World, verifier: Verifier, database: Database) -> None:
    """Other programs' streams in the same category are told of or counted, and every thread is looked over."""
    foreign = ("agent:v1", "agent:v1-a b", f"agent:v1-{'x' * 2000}")
    writes = [*((name, "Odd", 1) for name in foreign), ("agent:v1-odd", "Odd", 10_000)]
    path = "-c search_path=message_store,public"
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True, options=path) as connection:
        for write in (*writes, ("agent:v1-broken", "SessionStarted", 1)):
            await connection.execute(WRITE, write)
    await world.client.start_workflow("Agent", "hello", id="not a thread", task_queue=world.queue)
    handle = await world.start("hello")
    await world.done(handle)
    found = {each: await verifier.verify(each) async for each in verifier.threads()}
    assert sum(verdict.unchecked == {NO_THREAD: 1} for verdict in found.values()) == len(foreign) + 1
    assert told(found[ThreadId("odd")]) == [("BeginsOnce", 0)]
    assert (found[ThreadId("odd")].events, found[ThreadId("odd")].unchecked[UNKNOWN_EVENT]) == (10000, 10000)
    assert told(found[ThreadId("broken")]) == [("EventsAreReadable", 0)]
    assert (found[ThreadId(handle.id)].findings, len(found)) == ((), 7)


async def test_events_of_plugins_are_read_by_their_classes(
    world: World, verifier: Verifier, database: Database
) -> None:
    """One that its class reads is checked; one that it does not read any more is found, and where."""
    handle = await world.start("talk", mode="chat")
    await world.until(handle.id, lambda session: session.turns == 1)
    await happened(world, handle.id, InvoicePaid(invoice="17", amount=Decimal(39)).written())
    verdict = await verifier.verify(ThreadId(handle.id))
    assert (verdict.findings, verdict.unchecked) == ((), {})
    world.handles.clear()
    await spoil(
        database, f"{OF} data = data - 'amount' where type = 'acme.InvoicePaid' and stream_name = %s", handle.id
    )
    [finding] = (await verifier.verify(ThreadId(handle.id))).findings
    assert (finding.invariant, finding.position) == ("CustomEventsAreReadable", verdict.events - 1)
    assert "acme.InvoicePaid" in finding.problem


async def test_what_the_session_did_not_write_is_found(world: World, verifier: Verifier) -> None:
    """Events of ours that no run wrote are told of; a stranger's are counted, and are no mistake."""
    handle = await world.start("talk", mode="chat")
    await world.until(handle.id, lambda session: session.turns == 1)
    await happened(world, handle.id, UnknownEvent(type_name="Noted", data={}))
    await happened(world, handle.id, ErrorOccurred(error_type="Odd", error_message="odd"))
    verdict = await verifier.verify(ThreadId(handle.id))
    assert (verdict.findings, verdict.unchecked) == ((), {UNKNOWN_EVENT: 1})
    await happened(world, handle.id, SessionPaused(by="eve"))
    position = (await world.session(handle.id)).position
    assert told(await verifier.verify(ThreadId(handle.id))) == [("EventsAreOfItsRuns", position)]


async def test_what_the_workflow_was_never_told_is_found(world: World, verifier: Verifier) -> None:
    """An event under the name of an activity that has answered otherwise is one the workflow does not know of."""
    handle = await world.start("talk", mode="chat")
    await world.until(handle.id, lambda session: session.turns == 1)
    *_, reply = await world.recorded(handle.id)
    said = UserMessageAdded(message="psst", sender="eve")
    by = {"run_id": reply.metadata.run_id, "activity_id": reply.metadata.activity_id}
    await happened(world, handle.id, said, **by)
    assert told(await verifier.verify(ThreadId(handle.id))) == [("EventsWereTold", reply.position + 1)]


async def test_other_tools_are_no_mistake(world: World) -> None:
    """A process without the worker's tools says that it cannot render the requests, and finds nothing wrong."""
    handle = await world.start("hello")
    await world.done(handle)
    verdict = await verifier_of(world, ()).verify(ThreadId(handle.id))
    assert (verdict.findings, verdict.unchecked) == ((), {OTHER_TOOLS: 1})


async def test_what_temporal_has_forgotten_is_checked_by_its_stream(
    world: World, verifier: Verifier, database: Database
) -> None:
    """A thread whose workflow is gone is looked over all the same, and it is said that its history is not there."""
    handle = await world.start("hello")
    await world.done(handle)
    world.handles.clear()
    statement = "update message_store.messages set stream_name = %s, data = case when type = 'SessionStarted' then"
    statement += " jsonb_set(data, '{thread_id}', '\"forgotten\"') else data end"
    await spoil(database, statement, "forgotten")
    verdict = await verifier.verify(ThreadId("forgotten"))
    assert (verdict.findings, verdict.unchecked) == ((), {NO_HISTORY: 1})
    with pytest.raises(NotFound):
        await verifier.verify(ThreadId("never-was"))


async def test_the_command_is_silent_where_all_is_well(
    world: World, perdure: Perdure, reach: Callable[[World], dict[str, str]]
) -> None:
    """Nothing on stdout and 0; what is wrong is told with 1, as text and as JSON; --repair mends it."""
    assert reach(world)
    good, bad = await world.start("hello"), await world.start("hang")
    await world.done(good)
    await world.until(bad.id, lambda session: any(call.state == "begun" for call in session.pending.values()))
    done = await perdure("verify", good.id)
    assert (done.code, done.out) == (ExitCode.OK, "")
    assert done.err.startswith("1 thread, ")
    await bad.terminate(reason="enough")
    found = await perdure("verify", "--all")
    assert found.code == ExitCode.FAILED
    assert f"{bad.id} at" in found.out
    assert "--repair writes it" in found.out
    assert "2 threads, " in found.err
    assert ": 1 finding; " in found.err
    as_json = await perdure("verify", bad.id, "--json")
    assert (as_json.code, as_json.err) == (ExitCode.FAILED, "")
    assert [each["invariant"] for each in as_json.json["findings"]] == ["TheEndIsWritten"]
    mended = await perdure("verify", "--all", "--repair", "--json")
    assert (mended.code, mended.json["ok"], mended.json["threads"]) == (ExitCode.OK, True, 2)
    assert next(each["event"] for each in mended.json["repaired"]) == "StreamRepaired"
    quiet = await perdure("verify", "--all", "--repair")
    assert (quiet.code, quiet.out) == (ExitCode.OK, "")
    assert "nothing was repaired: nothing is missing" in quiet.err
    assert (await perdure("verify", "--all", "--log-only", TEMPORAL_ADDRESS="127.0.0.1:1")).code == ExitCode.OK
