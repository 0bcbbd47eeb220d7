"""The commands as processes: what they print, and how they end."""

import asyncio
import json
import signal
from typing import Literal
from uuid import uuid4

import psutil
import psycopg
import pytest
from psycopg import sql

from cli.exits import ExitCode
from tests.cli.conftest import CLIENT, Perdure, ended
from tests.conftest import Database


async def test_a_task_from_start_to_answer(perdure: Perdure) -> None:
    """`start --wait` prints the answer alone on stdout; what is said about it goes to stderr."""
    thread = f"t-{uuid4()}"
    done = await perdure("start", "hello", "--thread", thread, "--wait")
    assert (done.code, done.out) == (ExitCode.OK, "Good day.\n")
    assert thread in done.err
    again = await perdure("start", "hello", "--thread", thread, "--wait", "--json")
    assert (again.code, again.json["existed"], again.json["answer"]) == (ExitCode.OK, True, "Good day.")


async def test_an_approval_by_a_script(perdure: Perdure) -> None:
    """A script learns the call that waits, answers it, reads the result, and can check every prompt."""
    thread = f"t-{uuid4()}"
    asked = await perdure("start", "write", "--thread", thread, "--wait", "--json")
    assert (asked.code, asked.json["status"]) == (ExitCode.WAITING, "waiting")
    call = asked.json["call_id"]
    unknown = await perdure("approve", thread, "toolu_unknown", "--json")
    assert (unknown.code, unknown.json["error"]["kind"]) == (ExitCode.NOT_FOUND, "not_found")
    wrong = await perdure("approve", thread, call, "--edit", '{"path": 1}', "--json")
    assert (wrong.code, wrong.json["error"]["kind"]) == (ExitCode.FAILED, "refused")
    edited = json.dumps({"path": "report.md", "content": "edited"})
    approved = await perdure("approve", thread, call[:12], "--edit", edited, "--comment", "shorter", "--json")
    assert approved.code == ExitCode.OK
    assert approved.json["call_id"] == call
    watched = await perdure("watch", thread, "--json")
    assert watched.code == ExitCode.OK
    *events, report = map(json.loads, watched.out.splitlines())
    assert [event["position"] for event in events] == list(range(report["position"] + 1))
    assert (report["status"], report["answer"]) == ("completed", "It is written.")
    assert (perdure.folder / "report.md").read_text() == "edited"
    late = await perdure("approve", thread, call, "--json")
    assert (late.code, late.json["error"]["kind"]) == (ExitCode.FAILED, "ended")
    for number in ("1", "2"):
        prompt = await perdure("prompt", thread, number, "--json")
        assert (prompt.code, prompt.json["verified"]) == (ExitCode.OK, True)
    assert prompt.json["request"]["messages"][0]["content"][0]["text"] == "write"
    keyless = await perdure("prompt", thread, "2", "--json", ANTHROPIC_BASE_URL="", ANTHROPIC_API_KEY="")
    assert (keyless.code, keyless.json) == (0, prompt.json), "nobody is asked, so no key is needed"
    beyond = await perdure("prompt", thread, "3")
    assert beyond.code == ExitCode.NOT_FOUND


async def test_what_is_shown_of_a_thread(perdure: Perdure) -> None:
    """`show` tells what happened, as it stood at a position, or as the bare events; without colours in a pipe."""
    thread = f"t-{uuid4()}"
    await perdure("start", "hello", "--thread", thread, "--wait")
    shown = await perdure("show", thread)
    assert (shown.code, shown.err) == (0, "")
    assert "Good day." in shown.out
    assert "completed" in shown.out
    assert "\x1b" not in shown.out
    early = await perdure("show", thread, "--at", "1", "--json")
    assert (early.json["position"], early.json["status"], early.json["answer"]) == (1, "running", None)
    assert [row["kind"] for row in early.json["timeline"]] == ["SessionStarted", "UserMessageAdded"]
    for options in (["show", thread], ["show", thread, "--events"], ["view", "session", thread]):
        beyond = await perdure(*options, "--at", "5")
        assert (beyond.code, beyond.out) == (ExitCode.NOT_FOUND, "")
        assert "its last one, as yet, is 4" in beyond.err
    events = await perdure("show", thread, "--events")
    assert [json.loads(line)["position"] for line in events.out.splitlines()] == list(range(5))
    all_at_once = await perdure("show", thread, "--events", "--json")
    assert [event["type"] for event in all_at_once.json["events"]][-1] == "SessionCompleted"
    nothing = await perdure("show", f"t-{uuid4()}")
    assert (nothing.code, nothing.out) == (ExitCode.NOT_FOUND, "")


async def test_a_chat_by_commands(perdure: Perdure) -> None:
    """`continue --wait` prints the reply to what was said; a paused thread is for a person."""
    thread = f"t-{uuid4()}"
    first = await perdure("start", "talk", "--mode", "chat", "--thread", thread, "--wait")
    assert (first.code, first.out) == (ExitCode.OK, "What about?\n")
    assert (await perdure("pause", thread, "--reason", "lunch")).code == ExitCode.OK
    paused = await perdure("continue", thread, "logs", "--wait", "--json")
    assert (paused.code, paused.json["status"]) == (ExitCode.WAITING, "paused")
    assert (await perdure("resume", thread)).code == ExitCode.OK
    assert (await perdure("resume", thread)).code == ExitCode.FAILED
    ended_ = await perdure("terminate", thread, "--json")
    assert (ended_.code, ended_.json["request"]) == (ExitCode.OK, "terminate")
    late = await perdure("continue", thread, "still there?", "--json")
    assert (late.code, late.json["error"]["kind"]) == (ExitCode.FAILED, "ended")
    listed = await perdure("list", "--json", "--limit", "1")
    keys = ["thread_id", "status", "started_at", "closed_at", "tenant", "pending", "stopped_at"]
    assert list(listed.json["threads"][0]) == keys


async def test_all_threads_are_watched_at_once(perdure: Perdure) -> None:
    """Without a thread: the events of all, of the types that are wanted, after a position in the log."""
    done = await asyncio.gather(*(perdure("start", "hello", "--thread", name, "--wait") for name in ("one", "two")))
    assert [each.code for each in done] == [ExitCode.OK, ExitCode.OK]
    watching = await perdure.spawn("watch", "--after", "0", "--type", "SessionCompleted", "--json")
    assert watching.stdout is not None
    told = [json.loads(await watching.stdout.readline()) for _ in range(2)]
    watching.send_signal(signal.SIGINT)
    assert (await ended(watching)).code == ExitCode.INTERRUPTED
    assert sorted(each["thread_id"] for each in told) == ["one", "two"]
    assert {each["type"] for each in told} == {"SessionCompleted"}
    assert told[0]["global_position"] < told[1]["global_position"]


async def test_what_others_wrote_stops_nobody_who_looks_on(perdure: Perdure, database: Database) -> None:
    """A stream with a strange name is told as it is; an event that cannot be read is told of, and the next comes."""
    rows = [("agent:v1-no name", "Noted", "{}"), ("agent:v1-t", "SessionPaused", '{"x": 1}')]
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as admin:
        await admin.execute("set search_path = message_store")
        for stream, type_, data in (*rows, ("agent:v1-t", "SessionPaused", '{"by": "bo"}')):
            query = "select write_message(%s::varchar, %s::varchar, %s::varchar, %s::jsonb)"
            await admin.execute(query, (str(uuid4()), stream, type_, data))
    watching = await perdure.spawn("watch", "--after", "0", "--json")
    assert watching.stdout is not None
    told = [json.loads(await watching.stdout.readline()) for _ in range(2)]
    watching.send_signal(signal.SIGINT)
    done = await ended(watching)
    assert [(each["thread_id"], each["type"]) for each in told] == [("no name", "Noted"), ("t", "SessionPaused")]
    assert (told[1]["data"]["by"], told[1]["position"]) == ("bo", 1)
    assert "SessionPaused at position 0 of agent:v1-t does not validate" in done.err


async def test_a_thread_is_watched_for_some_events(perdure: Perdure) -> None:
    """Only the types that are wanted, and at the end where it stands; one that does not exist is named."""
    thread = (await perdure("start", "hello", "--wait", "--json")).json["thread_id"]
    watched = await perdure("watch", thread, "--type", "LLMResponseReceived", "-t", "acme.Thing", "--json")
    *events, report = map(json.loads, watched.out.splitlines())
    assert [each["type"] for each in events] == ["LLMResponseReceived"]
    assert report["status"] == "completed"
    refused = await perdure("watch", thread, "--type", "LLMResponse")
    assert refused.code == ExitCode.USAGE
    assert "do you mean LLMResponseReceived" in refused.err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_watching_is_ended_quietly(perdure: Perdure, how: signal.Signals) -> None:
    """A signal in the middle of `watch` leaves no traceback behind; Ctrl-C ends with 130."""
    thread = f"t-{uuid4()}"
    await perdure("start", "talk", "--mode", "chat", "--thread", thread, "--wait")
    watching = await perdure.spawn("watch", thread, "--json")
    assert watching.stdout is not None
    await watching.stdout.readline()
    watching.send_signal(how)
    done = await ended(watching)
    assert done.code == (ExitCode.INTERRUPTED if how == signal.SIGINT else -how)
    assert done.err == ""


async def test_a_reader_that_leaves_early_is_no_news(perdure: Perdure) -> None:
    """A pipe that is closed before all is printed ends the command quietly and well."""
    thread = f"t-{uuid4()}"
    await perdure("start", "talk", "--mode", "chat", "--thread", thread, "--wait")
    watching = await perdure.spawn("watch", thread, "--json")
    assert watching.stdout is not None
    await watching.stdout.readline()
    watching.stdout._transport.close()  # type: ignore[attr-defined]
    await perdure("terminate", thread)
    assert watching.stderr is not None
    assert await asyncio.wait_for(watching.stderr.read(), 60) == b""
    assert await watching.wait() == ExitCode.OK


async def test_without_a_worker_it_is_said_how_to_start_one(perdure: Perdure) -> None:
    """A thread is started all the same; waiting for it in vain ends with 5, and so does asking it something."""
    thread, lonely = f"t-{uuid4()}", f"q-{uuid4()}"
    waited = await perdure("start", "hello", "--thread", thread, "--wait", "--json", PERDURE_TASK_QUEUE=lonely)
    assert (waited.code, waited.json["error"]["kind"]) == (ExitCode.UNREACHABLE, "no_worker")
    asked = await perdure("continue", thread, "anybody?", PERDURE_TASK_QUEUE=lonely)
    assert asked.code == ExitCode.UNREACHABLE
    assert "perdure worker" in asked.err
    sent = await perdure("terminate", thread, "--signal", "--json", PERDURE_TASK_QUEUE=lonely)
    assert (sent.code, sent.json["sent"], sent.json["position"]) == (ExitCode.OK, "signal", None)


async def test_a_worker_that_cannot_write_is_not_called_missing(perdure: Perdure, database: Database) -> None:
    """Where a worker runs and the database can only be read, nobody is told to start another one."""
    thread = f"t-{uuid4()}"
    await _may_write(database, "off")
    started = await perdure("start", "hello", "--thread", thread)
    await _may_write(database, "on")
    assert started.code == ExitCode.OK
    assert "has written its beginning: look with `perdure doctor`" in started.err
    assert "start one" not in started.err
    assert (await perdure("watch", thread)).code == ExitCode.OK


async def test_a_plugins_views_that_cannot_be_used_are_refused(perdure: Perdure) -> None:
    """No worker starts with a view of one of our names; a state that is no JSON is the plugin's mistake."""
    view = "from projections.fold import Projection\nseen = Projection({!r}, 1, object, lambda state, _: state)\n"
    for module, name in [("taken", "usage"), ("odd", "acme.odd")]:
        (perdure.folder / f"{module}.py").write_text(view.format(name))
    worker = await perdure("worker", "--json", PERDURE_PLUGINS="taken")
    assert (worker.code, worker.json["error"]["kind"]) == (ExitCode.USAGE, "plugin")
    assert "'taken' (from PERDURE_PLUGINS) brings a view named 'usage'" in worker.json["error"]["message"]
    thread = f"t-{uuid4()}"
    await perdure("start", "hello", "--thread", thread, "--wait")
    shown = await perdure("view", "acme.odd", thread, "--json", PERDURE_PLUGINS="odd")
    assert (shown.code, shown.json["error"]["kind"]) == (ExitCode.USAGE, "plugin"), shown
    assert "its state holds an object of the type object" in shown.json["error"]["message"]


async def _may_write(database: Database, may: Literal["on", "off"]) -> None:
    """Let every connection from now on write, or only read; those that there are end."""
    read_only = {"on": "off", "off": "on"}[may]
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        await connection.execute("set default_transaction_read_only = off")
        name = sql.Identifier(connection.info.dbname)
        await connection.execute(
            sql.SQL("alter database {} set default_transaction_read_only = {}").format(name, sql.SQL(read_only))
        )
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


async def test_up_keeps_a_worker_running_and_takes_it_along(perdure: Perdure) -> None:
    """With everything given from outside `up` is its worker's keeper: one that is killed is started again."""
    queue = {"PERDURE_TASK_QUEUE": f"q-{uuid4()}"}
    up = await perdure.spawn("up", "--json", **queue)
    assert up.stdout is not None
    answer = json.loads(await asyncio.wait_for(up.stdout.readline(), 60))
    assert answer["temporal"]["address"] == perdure.environment["TEMPORAL_ADDRESS"]
    worker = psutil.Process(answer["worker"]["pid"])
    worker.kill()
    done = await perdure("start", "hello", "--wait", **queue)
    for _ in range(5):
        if done.code != ExitCode.UNREACHABLE:
            break
        done = await perdure("start", "hello", "--wait", **queue)
    assert (done.code, done.out) == (ExitCode.OK, "Good day.\n")
    up.send_signal(signal.SIGTERM)
    assert (await ended(up)).code == ExitCode.OK
    assert not [child for child in psutil.process_iter() if queue_of(child) == queue["PERDURE_TASK_QUEUE"]]


async def test_who_asks_up_to_end_again_and_again_leaves_nothing_behind(perdure: Perdure) -> None:
    """A second Ctrl-C does not wait for a worker that hangs; it and the servers end, and a third one spoils nothing."""
    given = ("PATH", "HOME", "PERDURE_HOME", "TEMPORAL_ADDRESS", "DATABASE_URL")
    perdure.environment = {name: perdure.environment[name] for name in given if name in perdure.environment}
    up = await perdure.spawn("up", PERDURE_TASK_QUEUE=f"q-{uuid4()}")
    assert up.stderr is not None
    await asyncio.wait_for(up.stderr.readuntil(b"ready"), 60)
    children = psutil.Process(up.pid).children()
    [worker] = [child for child in children if "worker" in child.cmdline()]
    worker.suspend()
    up.send_signal(signal.SIGINT)
    await asyncio.wait_for(up.stderr.readuntil(b"stopping"), 60)
    up.send_signal(signal.SIGINT)
    await asyncio.to_thread(worker.wait, 60)
    up.send_signal(signal.SIGINT)
    assert (await ended(up)).code == ExitCode.INTERRUPTED
    assert len(children) == 2
    _, left = await asyncio.to_thread(psutil.wait_procs, children, 10)
    assert [child for child in left if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []


def queue_of(process: psutil.Process) -> str | None:
    """The task queue a process was started with."""
    try:
        return str(process.environ().get("PERDURE_TASK_QUEUE"))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


async def test_events_of_ones_own_by_commands(perdure: Perdure) -> None:
    """They are recorded, refused, shown with and without their plugin, folded and exported."""
    thread, plugin = f"t-{uuid4()}", {"PERDURE_PLUGINS": "examples.custom_events", "PYTHONPATH": str(CLIENT.parent)}
    await perdure("start", "talk", "--mode", "chat", "--thread", thread, "--wait")
    paid = ("record", thread, "acme.InvoicePaid", "--json")
    done = await perdure(*paid, "--data", '{"invoice": "17", "amount": "39.90"}')
    assert (done.code, done.json["request"]) == (ExitCode.OK, "record")
    older = await perdure(*paid, "--data", '{"invoice": "18", "amount": 1}', "--version", "1")
    assert older.json["position"] == done.json["position"] + 1
    wrong = await perdure(*paid, "--data", '{"invoice": 17}')
    assert (wrong.code, wrong.json["error"]["kind"]) == (ExitCode.FAILED, "refused")
    assert "amount: Field required" in wrong.json["error"]["message"]
    assert "invoice 17 is paid: 39.90 EUR" in (await perdure("show", thread, **plugin)).out
    bare = await perdure("show", thread)
    assert 'InvoicePaid {"amount": "39.90"' in bare.out
    events = (await perdure("show", thread, "--events", "--json")).json["events"]
    [first, _] = [each for each in events if each["type"] == "acme.InvoicePaid"]
    assert first["data"] == {"amount": "39.90", "currency": "EUR", "invoice": "17"}
    verified = await perdure("verify", thread, "--json")
    assert (verified.code, verified.json["findings"]) == (ExitCode.OK, [])
    payments = await perdure("view", "acme.payments", thread, "--json", **plugin)
    assert payments.json["state"] == {"invoices": ["17", "18"], "totals": {"EUR": "40.90"}}
    before = await perdure("view", "acme.payments", thread, "--at", str(done.json["position"]), **plugin)
    assert json.loads(before.out) == {"invoices": ["17"], "totals": {"EUR": "39.90"}}
    unknown = await perdure("view", "acme.payments", thread, "--json")
    assert (unknown.code, unknown.json["error"]["kind"]) == (ExitCode.NOT_FOUND, "not_found")
    schemas = await perdure("schema", "export", "--json", **plugin)
    assert schemas.json["acme.InvoicePaid"]["$id"] == "urn:perdure:event:acme.InvoicePaid:2"
    assert (await perdure("schema", "export", "kept", **plugin)).code == ExitCode.OK
    checked = await perdure("schema", "check", "kept", "--json")
    assert (checked.code, [each["name"] for each in checked.json["problems"]]) == (
        ExitCode.FAILED,
        ["acme.InvoicePaid"],
    )


@pytest.mark.parametrize("view", ["session", "summary", "timeline", "tool_calls", "transcript", "usage"])
async def test_every_view_of_ours_is_shown(perdure: Perdure, view: str) -> None:
    """Whatever a view holds, it is said in JSON."""
    thread = f"t-{uuid4()}"
    await perdure("start", "write", "--thread", thread, "--wait")
    found = await perdure("view", view, thread, "--json")
    assert (found.code, found.json["view"], found.json["thread_id"]) == (ExitCode.OK, view, thread)
    assert found.json["position"] > 0
    assert found.json["state"]
