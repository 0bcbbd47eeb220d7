"""A worker dies while a program of the model runs in the sandbox."""

import asyncio
import contextlib
from pathlib import Path

import psutil
import pytest

from eventlog.events import ToolExecutionCompleted
from stack.scripted.answers import Reply
from tests.acceptance.servers import Servers
from tests.acceptance.stage import staged
from tests.acceptance.worker_process import PATIENCE, WorkerProcess

CODE = "import time\ntime.sleep(float(open('pause').read()))\n6 * 7"
PLAYS = {"compute": [Reply.tools(("run_python", {"code": CODE, "files": ["pause"]}, "call-1")), Reply.text("42")]}


async def _running(worker: WorkerProcess) -> list[psutil.Process]:
    """The processes of the program that runs, as soon as there are both."""
    async with asyncio.timeout(PATIENCE):
        while len(found := psutil.Process(worker.pid).children(recursive=True)) < 2:
            await asyncio.sleep(0.02)
    return found


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


async def _gone(folder: Path, processes: list[psutil.Process]) -> None:
    async with asyncio.timeout(PATIENCE):
        while any(map(_lives, processes)) or list(folder.iterdir()):  # noqa: ASYNC240 - a look
            await asyncio.sleep(0.02)


async def test_a_program_dies_with_its_worker_and_is_run_again(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes and its folder are gone at once; the next worker runs it anew, and the thread ends well."""
    place, pause = tmp_path / "place", tmp_path / "stage" / "pause"
    for folder in (place, pause.parent):
        folder.mkdir()
    pause.write_text("600")
    monkeypatch.setenv("TMPDIR", str(place))
    async with staged(servers, pause.parent, PLAYS) as stage:
        stage_settings = {**stage.settings(), "PERDURE_SANDBOX_SECONDS": "600"}
        monkeypatch.setattr(stage, "settings", lambda: stage_settings)
        worker = await stage.hire()
        handle = await stage.start("compute")
        processes = await _running(worker)
        await worker.kill()
        await _gone(place, processes)
        pause.write_text("0")
        await stage.hire()
        outcome = await stage.done(handle)
        events = [each.event for each in await stage.recorded(handle.id)]
    assert outcome["reason"] == "success"
    (completed,) = [each for each in events if isinstance(each, ToolExecutionCompleted)]
    assert completed.result[0]["text"] == "value: 42"
