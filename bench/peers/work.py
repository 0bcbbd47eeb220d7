"""The work that every library is given: so many turns, each one model call and one tool call, then an answer.

Runs in both environments, so it imports nothing but Python. `python -m bench.peers.work on_NAME` begins the thread that
`BENCH_WORK` describes, or goes on with it, and ends when the thread has ended. What the model was asked and what the
tool did is noted in a file, line by line, whatever becomes of the process.
"""

import asyncio
import importlib
import json
import os
import random
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

SYSTEM = "You look things up, one after the other, and say what you found."
PROMPT = "Look up all parts."
TOOL = "Look a part up."
HELD = 3
"""The turn in which a process that shall die waits for its death."""
FOR_EVER = 3600.0

What = Literal["asked", "acted", "ended"]

_VARIABLE = "BENCH_WORK"
_WORDS = (
    "the",
    "of",
    "is",
    "in",
    "reads",
    "writes",
    "file",
    "line",
    "table",
    "index",
    "parser",
    "token",
    "cache",
    "never",
)


@dataclass(frozen=True)
class Work:
    """One thread, and where it is done. Plain strings and numbers: it travels through the environment."""

    thread: str
    turns: int
    size: int
    """Characters of a tool's result."""
    notes: str
    """The file of the notes."""
    temporal: str
    database: str
    folder: str
    """Where a library may keep large payloads."""
    hold: Literal["", "model", "tool"] = ""
    """Where a process that shall die waits for it, in turn `HELD`."""

    @classmethod
    def given(cls) -> "Work":
        """The work this process was started for."""
        return cls(**json.loads(os.environ[_VARIABLE]))

    def environment(self) -> dict[str, str]:
        """What a process must find to do this work."""
        return {_VARIABLE: json.dumps(asdict(self))}


@dataclass(frozen=True)
class Note:
    """One line of the notes."""

    at: float
    """Seconds since 1970."""
    what: What
    turn: int
    pid: int


def topic_of(turn: int) -> str:
    """What the tool is asked in a turn."""
    return f"part {turn}"


async def next_call(replies: int) -> str | None:
    """What the model does after so many replies of its own: the topic it wants to look up, or None: it answers."""
    work, turn = Work.given(), replies + 1
    _note(work, "asked", turn)
    if work.hold == "model" and turn == HELD:
        await asyncio.sleep(FOR_EVER)
    return topic_of(turn) if turn <= work.turns else None


async def act(topic: str) -> str:
    """What the tool does: its effect is one line that is on the disk when it has happened."""
    work, turn = Work.given(), int(topic.rpartition(" ")[2])
    _note(work, "acted", turn)
    if work.hold == "tool" and turn == HELD:
        await asyncio.sleep(FOR_EVER)
    return page(turn, work.size)


def page(turn: int, size: int) -> str:
    """A text of so many characters that compresses about as prose does, the same in every run."""
    chance = random.Random(turn)  # noqa: S311 - nothing is secret here
    text = " ".join(chance.choice(_WORDS) + str(chance.randrange(1000)) for _ in range(size // 6))
    return text[:size].ljust(size, ".")


def _note(work: Work, what: What, turn: int) -> None:
    line = json.dumps(asdict(Note(time.time(), what, turn, os.getpid()))).encode() + b"\n"
    file = os.open(work.notes, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.write(file, line)
        if work.hold:
            os.fsync(file)
    finally:
        os.close(file)


def main(library: str) -> None:
    """Do the work with a library's module, which has `async def do(work)`."""
    module: Any = importlib.import_module(f"bench.peers.{library}")
    asyncio.run(_to_the_end(module, Work.given()))


async def _to_the_end(module: Any, work: Work) -> None:
    await module.do(work)
    _note(work, "ended", 0)


if __name__ == "__main__":
    main(sys.argv[1])
