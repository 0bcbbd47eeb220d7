"""The real command, run as a process of its own, and threads for it to ask about."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.threads import Threads
from eventlog.vocabulary import Vocabulary
from examples.custom_events import InvoicePaid
from stack.scripted.answers import Reply
from tests.cli import nursery as nurseries
from tests.cli.nursery import Nursery
from tests.conftest import Database
from tests.workflow.conftest import Play, play  # noqa: F401 - a fixture
from tests.workflow.world import World

CLIENT = Path(__file__).parents[2] / "client.py"
PATIENCE = 60.0
"""Seconds after which a test gives up on a command; nothing is measured by it."""
WRITE = ("write_file", {"path": "report.md", "content": "all is well\n"})
CHOICE = ("ask_human", {"question": "Which?", "kind": "choose", "options": ["red", "blue"]}, "ask_1")
DRAFT = {"question": "Good?", "kind": "review", "text": "Dear Sir"}
BOOKING = {"type": "object", "properties": {"seats": {"type": "integer"}}, "required": ["seats"]}
ALL = (
    (*WRITE, "all_1"),
    ("ask_human", {"question": "Go on?", "kind": "confirm"}, "all_2"),
    ("ask_human", {"question": "Which?", "kind": "choose", "options": ["red", "blue"], "several": True}, "all_3"),
    ("ask_human", {"question": "Your name?"}, "all_4"),
    ("ask_human", {"question": "How many seats?", "form": BOOKING}, "all_5"),
    ("ask_human", {"question": "The figures?", "kind": "upload", "accept": ["text/csv"]}, "all_6"),
    ("ask_human", DRAFT, "all_7"),
)
"""A question of every kind."""
CONVERSATIONS = {
    "hello": [Reply.text("Good day.")],
    "talk": [Reply.text("What about?"), Reply.text("I see.")],
    "write": [Reply.tools(WRITE, text="I will write it."), Reply.text("It is written.")],
    "ask": [Reply.tools(CHOICE), Reply.text("So be it.")],
    "ask for all": [Reply.tools(*ALL), Reply.text("Thank you.")],
    "go round": [Reply.tools(("echo", {"text": "again"}))] * 9,
    "write two": [Reply.tools((*WRITE, "toolu_aaa1"), (*WRITE, "toolu_aab2")), Reply.text("Both are written.")],
}


@dataclass(frozen=True)
class Ended:
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it answered."""
        return json.loads(self.out)


INHERITED = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


class Perdure:
    """The command, with a home and settings of its own; a fork of the nursery, where one is given."""

    def __init__(self, folder: Path, settings: Mapping[str, str], nursery: Nursery | None = None) -> None:
        self.folder = folder
        self.environment = {**INHERITED, "PERDURE_HOME": str(folder / "home"), **settings}
        self._nursery = nursery

    async def spawn(self, *arguments: str, **settings: str) -> asyncio.subprocess.Process:
        """Start it, and leave it running."""
        return await self._spawn(asyncio.subprocess.DEVNULL, arguments, settings)

    async def spawn_for_typing(self, *arguments: str) -> asyncio.subprocess.Process:
        """The same, with a pipe into which somebody may type."""
        return await self._spawn(asyncio.subprocess.PIPE, arguments, {})

    async def _spawn(
        self, stdin: int, arguments: Sequence[str], settings: Mapping[str, str]
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            CLIENT,
            *arguments,
            cwd=self.folder,
            env={**self.environment, **settings},
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def imported(self, *arguments: str) -> tuple[int, set[str]]:
        """How a command ends, and what it has imported by then."""
        code = "import client, json, sys; print(json.dumps([client.run(sys.argv[1:]), *sys.modules]), file=sys.stderr)"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, *arguments),
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(CLIENT.parent)},
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        ended_with, *modules = json.loads((await ended(process)).err.splitlines()[-1])
        return ended_with, set(modules)

    async def __call__(self, *arguments: str, **settings: str) -> Ended:
        """Run it to its end."""
        if self._nursery is None:
            return await ended(await self.spawn(*arguments, **settings))
        return Ended(*await self._nursery.run(arguments, {**self.environment, **settings}, self.folder, PATIENCE))


async def ended(process: asyncio.subprocess.Process) -> Ended:
    """What became of a process, when it has ended; it is killed if it does not."""
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        raise
    return Ended(process.returncode or 0, (out or b"").decode(), err.decode())


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """What forks commands."""
    with nurseries.nursery(INHERITED) as found:
        yield found


@pytest.fixture
def alone(tmp_path: Path) -> Perdure:
    """The command on a machine where nothing runs."""
    return Perdure(tmp_path, {})


@pytest.fixture
async def world(play: Play) -> World:  # noqa: F811 - pytest's way to ask for a fixture
    """A worker and the conversations it can hold."""
    return await play(CONVERSATIONS, vocabulary=Vocabulary([InvoicePaid]))


@pytest.fixture
def threads(world: World) -> Threads:
    """The programmatic client of that world."""
    return Threads(world.client, world.log, world.settings)


@pytest.fixture
def reach(temporal_server: str, database: Database) -> Callable[[World], dict[str, str]]:
    """The settings with which a command reaches a world."""

    def settings_of(world: World) -> dict[str, str]:
        return {
            "TEMPORAL_ADDRESS": temporal_server,
            "DATABASE_URL": database.url,
            "PERDURE_TASK_QUEUE": world.queue,
            "ANTHROPIC_BASE_URL": world.model.url,
            "ANTHROPIC_API_KEY": "key-of-the-tests",
            "PERDURE_PRINCIPAL": "ana",
        }

    return settings_of


@pytest.fixture
def perdure(tmp_path: Path, world: World, reach: Callable[[World], dict[str, str]], nursery: Nursery) -> Perdure:
    """The command in that world."""
    return Perdure(tmp_path, reach(world), nursery)
