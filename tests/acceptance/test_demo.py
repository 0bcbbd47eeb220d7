"""`perdure demo`, played for real: with and without a person, and cut short."""

import asyncio
import hashlib
import json
import os
import pty
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.demonstration.report_file import ReportFile
from cli.errors import BadUsage
from stack.addresses import Options
from stack.home import Home, cache_folder
from stack.scripted.report import NAME
from stack.servers import Servers
from stack.stack import down, running, up

CLIENT = Path(__file__).parents[2] / "client.py"
OURS = ("PERDURE_", "TEMPORAL_", "ANTHROPIC_", "DATABASE_URL")


@dataclass(frozen=True)
class Theatre:
    """Where the demo is played: a home of its own, and a folder to inspect."""

    home: Path
    folder: Path

    @property
    def report(self) -> Path:
        """Where the report is to stand."""
        return self.folder / NAME

    async def start(self, *arguments: str, **streams: Any) -> asyncio.subprocess.Process:
        """The demo's process, with none of our settings."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        environment |= {"PERDURE_HOME": str(self.home), "PERDURE_CACHE": str(cache_folder())}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, str(CLIENT), "demo", *arguments), cwd=self.folder, env=environment, **streams
        )

    async def play(self, *arguments: str) -> tuple[int | None, dict[str, Any]]:
        """Exit code and answer of a whole performance to which nobody comes."""
        pipe, nobody = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await self.start("--json", *arguments, stdin=nobody, stdout=pipe)
        output, _ = await process.communicate()
        return process.returncode, json.loads(output)

    async def play_before(self, answers: dict[bytes, bytes]) -> tuple[int | None, str]:
        """Exit code and words of a performance to which a person comes, who types these answers when asked."""
        ours, theirs = pty.openpty()
        try:
            process = await self.start(
                str(self.folder), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
            )
            os.close(theirs)
            said = await asyncio.to_thread(_converse, ours, dict(answers))
            return await process.wait(), said
        finally:
            os.close(ours)

    def left_behind(self) -> dict[str, int]:
        """The servers that still run."""
        return Servers(Home(self.home)).pids()


def _converse(terminal: int, answers: dict[bytes, bytes]) -> str:
    said, heard = b"", 0
    with suppress(OSError):  # the terminal's other end is closed when the demo ends
        while data := os.read(terminal, 65536):
            said += data
            for question in [question for question in answers if question in said[heard:]]:
                heard = len(said)
                os.write(terminal, answers.pop(question))
    return said.decode(errors="replace")


@pytest.fixture(scope="module")
async def home() -> AsyncIterator[Path]:
    """A home for all performances, one after another; the state stays."""
    with tempfile.TemporaryDirectory(prefix="perdure-test-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        try:
            yield home
        finally:
            await down(home)


@pytest.fixture
def theatre(home: Path, tmp_path: Path) -> Theatre:
    """A folder with something in it, and a home for the system."""
    (tmp_path / "README.md").write_text("# The Ark\n\nTODO: animals\n")
    return Theatre(home, tmp_path)


async def test_a_killed_worker_costs_nothing_and_the_report_is_written_once(theatre: Theatre) -> None:
    """Without a terminal all of it happens by itself, and nothing is left running."""
    code, answer = await theatre.play(str(theatre.folder))
    assert (code, answer["ok"], answer["problems"], answer["status"]) == (0, True, [], "completed")
    assert answer["killed"]["exit_code"] == -signal.SIGKILL
    assert answer["taken_over"]["attempt"] == 2
    assert answer["report"]["approved"]
    assert answer["report"]["written"] == 1
    assert answer["report"]["sha256"] == hashlib.sha256(theatre.report.read_bytes()).hexdigest()
    assert "README.md" in theatre.report.read_text()
    assert not theatre.left_behind()
    assert not psutil.pid_exists(answer["taken_over"]["pid"])


async def test_a_person_at_a_terminal_may_say_no(theatre: Theatre) -> None:
    """Then no report is written, which is as promised; a system that ran before goes on."""
    await up(Options(home=theatre.home, cache=cache_folder()))
    try:
        code, said = await theatre.play_before({b"[y/n]": b"n\n", b"no reason]": b"too early\n"})
        assert code == 0, said
        assert not theatre.report.exists()
        assert "because you said no" in said
        assert "too early" in said
        assert await running(theatre.home) is not None
    finally:
        await down(theatre.home)


async def test_a_demo_that_is_told_to_stop_leaves_nothing_running(theatre: Theatre) -> None:
    """Its worker and the system it started end with it."""
    pipe, nobody = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await theatre.start(str(theatre.folder), stdin=nobody, stdout=pipe)
    assert process.stdout is not None
    async for line in process.stdout:
        if b"is at work" in line:
            worker = int(line.split()[1])
            process.terminate()
    assert await process.wait() == 130
    assert not psutil.pid_exists(worker)
    assert not theatre.left_behind()
    assert not theatre.report.exists()


@pytest.mark.parametrize("name", ["nowhere", "README.md"])
async def test_a_folder_that_cannot_be_used_is_refused_at_once(theatre: Theatre, name: str) -> None:
    """Nothing is started for it."""
    code, answer = await theatre.play(str(theatre.folder / name))
    assert (code, answer["error"]["kind"]) == (2, "folder")
    assert not theatre.left_behind()


async def test_a_file_of_yours_in_the_reports_place_is_never_written_over(theatre: Theatre) -> None:
    """The demo refuses to begin, and says what to do."""
    theatre.report.write_text("my own report")
    code, answer = await theatre.play(str(theatre.folder))
    assert (code, answer["error"]["kind"]) == (2, "folder")
    assert "move it away" in answer["error"]["remedy"]
    assert theatre.report.read_text() == "my own report"


def test_the_demo_knows_its_own_report_again_until_somebody_changes_it(tmp_path: Path) -> None:
    """What it wrote it may write again, whoever the model was; an edit makes the file yours."""
    file = ReportFile.within(tmp_path, tmp_path / "home")
    file.path.write_text("written by Claude, say")
    with pytest.raises(BadUsage):
        file.require_ours()
    file.remember()
    file.require_ours()
    file.path.write_text("written by Claude, say, and then by me")
    with pytest.raises(BadUsage):
        file.require_ours()


def test_a_link_in_the_reports_place_is_not_the_demos(tmp_path: Path) -> None:
    """What it points to may be anybody's."""
    (tmp_path / "precious").write_text("by an agent of Perdure with a scripted model.")
    (tmp_path / NAME).symlink_to("precious")
    with pytest.raises(BadUsage):
        ReportFile.within(tmp_path, tmp_path / "home")
