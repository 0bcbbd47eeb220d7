"""A worker that halts where it is told to, so that it can be struck at that very moment and not by luck.

It is `perdure worker` with a log that waits, once in each thread, before or after what it is asked. A thread's id
begins with the point at which it halts. Whoever started the worker reads in a folder which threads have come there.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from temporalio import activity

from client import main
from eventlog import postgres
from eventlog.log import Entry, Outcome, Recorded
from eventlog.postgres import PostgresEventLog
from eventlog.streams import AGENT, StreamName
from tests.acceptance.worker_process import PATIENCE

FOLDER = "CHAOS_FOLDER"
"""The variable that says where it is noted who has halted."""
READING = "(reading)"


@dataclass(frozen=True, slots=True)
class Point:
    """One point in the work of an activity."""

    activity: str
    when: Literal["before", "after"]
    event: str
    """The type of the event that is appended; or the stream is being read."""


POINTS: Mapping[str, Point] = {
    "before-intent": Point("run_tool", "before", "ToolExecutionRequested"),
    "after-intent": Point("run_tool", "after", "ToolExecutionRequested"),
    "after-effect": Point("run_tool", "before", "ToolExecutionCompleted"),
    "after-outcome": Point("run_tool", "after", "ToolExecutionCompleted"),
    "batch-commit": Point("run_tool", "before", "ToolExecutionCompleted"),
    "terminated": Point("run_tool", "before", "ToolExecutionRequested"),
    "continue-as-new": Point("recall_session", "before", READING),
    "set-aside": Point("call_model", "after", "LLMCallRequested"),
    "unsettled": Point("call_model", "after", "LLMResponseReceived"),
    "tool-set-aside": Point("run_tool", "after", "ToolExecutionRequested"),
    "tool-settled": Point("run_tool", "before", "ToolExecutionCompleted"),
    "standing-in": Point("call_model", "after", "ModelChanged"),
    "answering": Point("tell", "before", "ApprovalGranted"),
}
"""Where threads halt whose ids begin with this word and a full stop."""


class Halts:
    """Which threads have come to the point, and whether they may go on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, thread: str) -> bool:
        """Write down that the thread is there; false where it has been there before."""
        try:
            self._note(thread).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    async def stay(self, thread: str) -> None:
        """Wait until all may go on; at once in a thread that was here before."""
        if self.note(thread):
            await _all_there([self._over])
            self._left(thread).touch()

    async def reached_by(self, threads: Iterable[str]) -> None:
        """Return as soon as all of these threads have come to the point."""
        async with asyncio.timeout(PATIENCE):
            await _all_there([self._note(thread) for thread in threads])

    async def left_by(self, threads: Iterable[str]) -> None:
        """Return as soon as all of these threads go on, and do what comes after the point."""
        async with asyncio.timeout(PATIENCE):
            await _all_there([self._left(thread) for thread in threads])

    def let_go(self) -> None:
        """Let all go on."""
        self._over.touch()

    @property
    def _over(self) -> Path:
        return self._folder / "halt.over"

    def _note(self, thread: str) -> Path:
        return self._folder / f"{thread}.halt"

    def _left(self, thread: str) -> Path:
        return self._folder / f"{thread}.left"


async def _all_there(files: list[Path]) -> None:
    while not all(file.exists() for file in files):
        await asyncio.sleep(0.01)


class HaltingLog(PostgresEventLog):
    """The log as it is, but for one point in each thread."""

    halts: ClassVar[Halts]

    async def append(self, stream: StreamName, entry: Entry, expected_version: int | None = None) -> Outcome:
        """Append one event, and halt on the way."""
        await self._pass("before", entry.event.type, stream)
        outcome = await super().append(stream, entry, expected_version)
        await self._pass("after", entry.event.type, stream)
        return outcome

    async def chunks(
        self, stream: StreamName, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[list[Recorded], None]:
        """The events of a stream, some at a time, after a halt."""
        await self._pass("before", READING, stream)
        async for chunk in super().chunks(stream, start, end):
            yield chunk

    async def _pass(self, when: Literal["before", "after"], event: str, stream: StreamName) -> None:
        thread = stream.removeprefix(f"{AGENT}-")
        point = POINTS.get(thread.partition(".")[0])
        if activity.in_activity() and Point(activity.info().activity_type, when, event) == point:
            await self.halts.stay(thread)


if __name__ == "__main__":
    HaltingLog.halts = Halts(Path(os.environ[FOLDER]))
    postgres.PostgresEventLog = HaltingLog  # type: ignore[misc]
    main()
