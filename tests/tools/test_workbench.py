"""Tools are run within their time, and whatever they raise is data."""

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from eventlog.terms import Effect
from llm.messages import text_block
from tests.tools.conftest import MakeBench
from tools.context import ToolContext
from tools.errors import InvalidTool, OutcomeUnknown, ToolFailed, ToolUnavailable
from tools.tool import Tool, tool
from tools.toolbox import Failed, Succeeded, UnknownTool, Unplanned
from tools.workbench import Workbench

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")
EFFECTS: tuple[Effect, ...] = ("read_only", "idempotent", "unsafe")


def _raising(error: BaseException, effect: Effect = "unsafe") -> tuple[Tool, Tool]:
    """Two tools that raise, one sync and one async."""

    @tool(effect=effect)
    def fail_in_thread() -> NoReturn:
        """Fail."""
        raise error

    @tool(effect=effect)
    async def fail_async() -> NoReturn:
        """Fail."""
        raise error

    return fail_in_thread, fail_async


@tool
def who(context: ToolContext, greeting: str = "hello") -> str:
    """Tell what the context says."""
    context.heartbeat("half way")
    return f"{greeting} {context.principal} of {context.tenant}: {context.idempotency_key} in {VARIABLE.get()}"


@tool
async def who_async(*, context: ToolContext, greeting: str = "hello") -> str:
    """Tell what the context says."""
    await asyncio.sleep(0)
    context.heartbeat("half way")
    return f"{greeting} {context.principal} of {context.tenant}: {context.idempotency_key} in {VARIABLE.get()}"


@pytest.mark.parametrize("name", ["who", "who_async"])
async def test_a_tool_is_told_its_context(bench_of: MakeBench, name: str) -> None:
    """Sync or async, a tool gets its context, its heart beats are heard, and context variables reach it."""
    bench = bench_of(who, who_async)
    VARIABLE.set("the caller's context")
    result = await bench.run(name)
    assert result == Succeeded((text_block("hello ana of acme: key-1 in the caller's context"),))
    await asyncio.sleep(0)
    assert bench.heard == ["half way"]


async def test_tools_run_beside_one_another(bench_of: MakeBench) -> None:
    """Two sync tools that wait for each other both end: each has its own thread, and the loop is free."""
    meeting = threading.Barrier(2, timeout=30)

    @tool
    def meet() -> int:
        """Wait for the other."""
        return meeting.wait() + threading.active_count() * 0

    bench = bench_of(meet)
    results = await asyncio.gather(bench.run("meet"), bench.run("meet"))
    assert {str(result) for result in results} == {
        str(Succeeded((text_block("0"),))),
        str(Succeeded((text_block("1"),))),
    }


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no such city"), "ValueError: no such city"),
        (KeyError("x"), "KeyError: 'x'"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (StopIteration(), "StopIteration"),
        (asyncio.CancelledError(), "CancelledError"),
        (ToolFailed("the account is closed"), "the account is closed"),
    ],
)
async def test_whatever_a_tool_raises_is_data(bench_of: MakeBench, error: BaseException, said: str) -> None:
    """The model reads type and message, no stack trace; nothing ends the worker."""
    bench = bench_of(*_raising(error))
    in_thread = await bench.run("fail_in_thread")
    assert in_thread == Failed("error", said)
    if not isinstance(error, StopIteration):  # Python itself turns it into a RuntimeError in a coroutine
        assert await bench.run("fail_async") == in_thread


async def test_endless_recursion_is_data(bench_of: MakeBench) -> None:
    """A tool that calls itself for ever fails like any other."""

    @tool
    def dig(depth: int = 0) -> Any:
        """Dig."""
        return dig(depth + 1)

    failed = await bench_of(dig).run("dig")
    assert isinstance(failed, Failed)
    assert failed.problem.startswith("RecursionError")


async def test_an_exception_that_cannot_be_shown_is_named(bench_of: MakeBench) -> None:
    """A stranger's exception may fail to write itself, or write too much."""

    class Mute(Exception):
        """An exception that cannot write itself."""

        def __str__(self) -> str:
            raise RuntimeError

    assert await bench_of(*_raising(Mute())).run("fail_async") == Failed("error", "Mute")
    loud = await bench_of(*_raising(ValueError("x" * 100_000))).run("fail_async")
    assert isinstance(loud, Failed)
    assert loud.problem.endswith("[cut: 4,000 of 100,012 characters shown]")


@pytest.mark.parametrize("effect", EFFECTS)
async def test_an_unavailable_tool_is_tried_again_where_it_may_be_repeated(bench_of: MakeBench, effect: Effect) -> None:
    """`ToolUnavailable` says that nothing was done; only tools that may be repeated are."""
    bench = bench_of(*_raising(ToolUnavailable("busy", retry_after=7), effect))
    expected = Failed("unavailable", "busy", retry=effect != "unsafe", retry_after=7, happened=False)
    assert await bench.run("fail_async") == await bench.run("fail_in_thread") == expected


@pytest.mark.parametrize(
    ("effect", "retry", "happened"), [("read_only", True, False), ("idempotent", True, False), ("unsafe", False, None)]
)
@pytest.mark.parametrize("error", [ConnectionResetError("gone"), TimeoutError("too slow")])
async def test_a_broken_connection_leaves_an_unsafe_call_unknown(
    bench_of: MakeBench, error: Exception, effect: Effect, retry: bool, happened: bool | None
) -> None:
    """The request may have arrived before the connection broke: nobody knows, and it is not repeated."""
    bench = bench_of(*_raising(error, effect))
    expected = Failed("unavailable", f"{type(error).__name__}: {error}", retry=retry, happened=happened)
    assert await bench.run("fail_async") == expected


async def test_a_tool_may_say_that_it_does_not_know(bench_of: MakeBench) -> None:
    """`OutcomeUnknown` leaves the outcome open."""
    bench = bench_of(*_raising(OutcomeUnknown("no receipt came")))
    assert await bench.run("fail_async") == Failed("error", "no receipt came", happened=None)


@pytest.mark.parametrize(("effect", "retry"), [("read_only", True), ("idempotent", True), ("unsafe", False)])
async def test_a_tool_that_does_not_end_is_stopped(bench_of: MakeBench, effect: Effect, retry: bool) -> None:
    """After its timeout an async tool is cancelled and a sync one told; what an unsafe one did is not known."""
    stopped: list[str] = []

    @tool(effect=effect, timeout=0.05)
    async def hang_async() -> None:
        """Hang."""
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append("async")

    @tool(effect=effect, timeout=0.05)
    def hang_in_thread(context: ToolContext) -> None:
        """Hang."""
        context.cancelled.wait()
        stopped.append("thread")
        over.set()

    over = threading.Event()
    bench = bench_of(hang_async, hang_in_thread)
    for name in ("hang_async", "hang_in_thread"):
        failed = await bench.run(name)
        assert isinstance(failed, Failed)
        assert (failed.kind, failed.retry, failed.happened) == ("timeout", retry, None)
        assert "did not end within 0.05 seconds" in failed.problem
    assert await asyncio.to_thread(over.wait, 30)
    assert stopped == ["async", "thread"]


async def test_a_tool_that_finishes_when_told_to_stop_has_finished(bench_of: MakeBench) -> None:
    """A result that comes at the last moment is better than not knowing."""

    @tool(timeout=0.05)
    async def late() -> str:
        """Finish late."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "sent"
        return "never"

    assert await bench_of(late).run("late") == Succeeded((text_block("sent"),))


async def test_cancellation_reaches_the_tool_and_the_caller(bench_of: MakeBench) -> None:
    """Whoever cancels the run cancels an async tool and tells a sync one, and gets the cancellation back."""
    begun, told = asyncio.Event(), threading.Event()
    cancelled: list[str] = []
    loop = asyncio.get_running_loop()

    @tool
    async def wait_async() -> None:
        """Wait."""
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("async")
            raise

    @tool
    def wait_in_thread(context: ToolContext) -> None:
        """Wait."""
        loop.call_soon_threadsafe(begun.set)
        context.cancelled.wait()
        context.heartbeat("nobody hears this")
        told.set()

    bench = bench_of(wait_async, wait_in_thread)
    for name in ("wait_async", "wait_in_thread"):
        begun.clear()
        task = asyncio.create_task(bench.run(name))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert cancelled == ["async"]
    assert await asyncio.to_thread(told.wait, 30)
    assert bench.heard == []


async def test_calls_that_find_every_thread_taken_say_so(bench_of: MakeBench) -> None:
    """Tools that hang cannot use up the worker's threads without bound; what was not begun may be tried again."""
    release = threading.Event()

    @tool(effect="idempotent", timeout=0.05)
    def hang() -> None:
        """Hang."""
        release.wait()

    bench = bench_of(hang, max_threads=1)
    try:
        first, second = await bench.run("hang"), await bench.run("hang")
    finally:
        release.set()
    assert isinstance(first, Failed)
    assert first.kind == "timeout"
    assert isinstance(second, Failed)
    assert (second.kind, second.retry, second.happened) == ("unavailable", True, False)


async def test_a_hanging_tool_does_not_keep_the_process_from_ending() -> None:
    """A worker ends although a tool of it hangs in a thread."""
    program = (
        "import asyncio, threading\n"
        "from tools.invocation import Invocations\n"
        "hang, cancelled = threading.Event(), threading.Event()\n"
        "print(asyncio.run(Invocations(1).run(hang.wait, str, 0.05, cancelled)))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, output.decode().strip()) == (0, "TimedOut()")


async def test_output_is_bounded(bench_of: MakeBench) -> None:
    """No result is longer than the bench allows."""

    @tool
    def talk() -> str:
        """Talk."""
        return "x" * 200

    result = await bench_of(talk, max_output_chars=100).run("talk")
    assert isinstance(result, Succeeded)
    assert len(result.result[0]["text"]) == 100


async def test_reconcile_tells_what_became_of_a_call(bench_of: MakeBench) -> None:
    """The tool's own `reconcile` gets context and arguments, defaults too; its None means that it cannot tell."""
    sent = {"key-1": "receipt 17"}

    async def look(context: ToolContext, to: str, text: str) -> str | None:
        """Look in the sent mail."""
        await asyncio.sleep(0)
        return f"{sent[context.idempotency_key]} to {to}: {text}" if context.idempotency_key in sent else None

    @tool(reconcile=look)
    def send(to: str, text: str = "hi") -> str:
        """Send it."""
        return f"{to} {text}"

    bench = bench_of(send, who)
    plan = bench.plan("send", {"to": "bo"})
    found = await bench.workbench.reconcile(plan, bench.context())
    assert found == Succeeded((text_block("receipt 17 to bo: hi"),))
    assert await bench.workbench.reconcile(plan, bench.context("key-2")) is None
    assert await bench.workbench.reconcile(bench.plan("who", {}), bench.context()) is None


@pytest.mark.parametrize(
    ("error", "known"),
    [(ToolFailed("never sent"), Failed("error", "never sent")), (ToolUnavailable("busy"), None), (OSError(), None)],
)
async def test_a_reconcile_that_fails_says_it_was_not_done_or_nothing(
    bench_of: MakeBench, error: Exception, known: Failed | None
) -> None:
    """`ToolFailed` is certain that nothing was done; any other error leaves the outcome open."""

    def look(context: ToolContext) -> NoReturn:
        """Look, and fail."""
        assert context.call_id == "call-1"
        raise error

    @tool(reconcile=look)
    def send() -> None:
        """Send it."""

    bench = bench_of(send)
    assert await bench.workbench.reconcile(bench.plan("send", {}), bench.context()) == known


async def test_a_clean_up_is_called_with_context_and_arguments(bench_of: MakeBench) -> None:
    """Defaults too; what it says is told, and a tool without one has nothing to say."""

    async def unlock(context: ToolContext, name: str, hard: bool) -> str:
        """Unlock it."""
        await asyncio.sleep(0)
        return f"{name} for {context.call_id}, {hard=}"

    @tool(cleanup=unlock)
    def lock(name: str, hard: bool = False) -> None:
        """Lock it."""

    bench = bench_of(lock, who)
    told = await bench.workbench.clean_up(bench.plan("lock", {"name": "a"}), bench.context())
    assert told == "It was cleaned up: a for call-1, hard=False"
    assert await bench.workbench.clean_up(bench.plan("who", {}), bench.context()) == ""


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda _context: None, "It was cleaned up."),
        (lambda _context: 1 / 0, "Its clean-up failed: ZeroDivisionError: division by zero"),
        (lambda context: context.cancelled.wait(), "Its clean-up did not end in time."),
    ],
    ids=["silent", "failing", "endless"],
)
async def test_a_clean_up_may_say_nothing_fail_or_hang(
    bench_of: MakeBench, function: Callable[[ToolContext], object], told: str
) -> None:
    """Nothing of that is raised, and none is waited for longer than its tool."""

    @tool(cleanup=function, timeout=0.5)
    def lock() -> None:
        """Lock it."""

    bench = bench_of(lock)
    assert await bench.workbench.clean_up(bench.plan("lock", {}), bench.context()) == told


def test_terms_and_specs(bench_of: MakeBench) -> None:
    """Terms are for all tools or the named ones; an unknown name is an error that lists what there is."""
    workbench = bench_of(who, who_async).workbench
    assert [terms.name for terms in workbench.terms(None)] == ["who", "who_async"]
    assert [terms.name for terms in workbench.terms(["who_async", "who_async"])] == ["who_async"]
    who_terms, async_terms = workbench.terms(None)
    gone = who_terms.model_copy(update={"name": "gone"})
    assert [spec.name for spec in workbench.specs([async_terms, gone, who_terms])] == ["who_async", "who"]
    assert [spec.name for spec in workbench.specs(["who_async", "gone", "who"])] == ["who_async", "who"]
    with pytest.raises(UnknownTool, match=r"Did you mean 'who'\? Available: who, who_async"):
        workbench.terms(["whom"])


def test_only_allowed_tools_are_planned(bench_of: MakeBench) -> None:
    """A tool the session did not take on is as unknown as one that is not there."""
    workbench = bench_of(who, who_async).workbench
    assert workbench.plan("who", {}, ["who_async"]) == Unplanned(
        "unknown_tool", "There is no tool 'who'. Available: who_async."
    )
    assert workbench.plan("gone", {}, ["gone"]) == Unplanned(
        "unknown_tool", "There is no tool 'gone'. Available: none."
    )


async def test_a_tool_that_is_gone_since_the_plan_is_unavailable(bench_of: MakeBench) -> None:
    """Another worker may still have the tool."""
    bench = bench_of(who)
    plan = bench.plan("who", {})
    failed = await bench_of().workbench.run(plan, bench.context())
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.happened) == ("unavailable", False)


def test_two_tools_of_one_name_are_refused(workspace: Path) -> None:
    """A name stands for one tool."""
    twin = tool(name="who", description="Another.")(lambda: None)
    with pytest.raises(InvalidTool, match="two tools are named 'who'"):
        Workbench([who, twin], workspace)


def test_the_workspace_must_be_a_folder(tmp_path: Path) -> None:
    """A worker learns when it starts that its workspace is missing."""
    with pytest.raises(NotADirectoryError, match="create it, or name another"):
        Workbench([], tmp_path / "missing")
