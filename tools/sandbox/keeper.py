"""The process around one program: it closes itself in, has the interpreter run the code, reports, and is gone.

The interpreter is Monty, a small Python in Rust that has no way to the system of its own: it runs in a process below
this one, and whatever it wants of its folder it asks for here. One line of JSON comes in at the beginning, one goes
out at the end. As soon as nobody holds the other end of the standard input any more, all of it is over.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic_monty import Monty, MontyCrashedError, MontyError, MontyRuntimeError, MountDir, ResourceLimits

from tools.sandbox import walls

FOLDER = "/folder"
"""The program's folder, as the program sees it."""
LONGEST_PROBLEM = 4_000
"""Characters of a traceback that are told, from its end."""
_ROOM = 2 << 30
"""Bytes of address space beyond the program's memory: code, stacks and what allocators set aside."""
_GRACE_SECONDS = 2
_SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/bin", "/nix/store", "/etc/ld.so.cache")
"""Where the interpreter's libraries and the time zones are."""
_SAID = {
    "memory limit exceeded": "memory",
    "the worker exceeded its memory limit": "memory",
    "feed time limit exceeded": "cpu",
    "sleep limit exceeded": "time",
    "suspension limit": "calls",
    "disk write limit": "folder",
}
"""What the interpreter says when it stops a program."""


class Report:
    """What is told at the end, once, by whoever is first: the program's end, or the end of what it may use."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._printed: list[str] = []
        self._once = threading.Lock()

    def printed(self, _: Literal["stdout", "stderr"], text: str) -> None:
        """Take down what the program prints; where there is no room for it, that was the end."""
        data = text.encode(errors="replace")
        self._printed.append(data[: self._left].decode(errors="ignore"))
        self._left -= len(data)
        if self._left < 0:
            self.end(reached="output")

    def end(self, **outcome: Any) -> NoReturn:
        """Tell it, and end every process there is for this program."""
        if self._once.acquire(blocking=False):
            line = json.dumps({"output": "".join(self._printed), **outcome}) + "\n"
            with contextlib.suppress(OSError):
                sys.stdout.write(line)
                sys.stdout.flush()
            end_all()
        threading.Event().wait()  # the other one ends all of it, this thread included
        raise AssertionError


def end_all() -> None:
    """Kill this process and those it started."""
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run the program that the standard input describes."""
    asked = json.loads(sys.stdin.readline())
    report = Report(asked["output_bytes"])
    watch = threading.Thread(target=_watch, args=(asked["folder"], asked["seconds"], report), daemon=True)
    watch.start()  # before the walls, which close in only the thread that raises them, and those it starts
    try:
        _shut(asked)
        outcome = _run(asked, report)
    except BaseException as error:  # noqa: BLE001 - nobody else could tell
        outcome = {"broken": f"{type(error).__name__}: {error}"[:LONGEST_PROBLEM]}
    report.end(**outcome)


def _watch(folder: str, seconds: float, report: Report) -> None:
    """End everything when the time is up, or when nobody waits."""
    waiting, _, _ = select.select([sys.stdin], [], [], seconds)
    if not waiting:
        report.end(reached="time")
    shutil.rmtree(folder, ignore_errors=True)
    end_all()


def _shut(asked: dict[str, Any]) -> None:
    most_seconds = int(asked["cpu_seconds"] + _GRACE_SECONDS) + 1
    walls.bound_resources(most_seconds, 2 * asked["memory_bytes"] + _ROOM)
    interpreter = sysconfig.get_path("scripts")
    devices = ("/dev/null", "/dev/urandom")
    walls.close(map(Path, (*_SYSTEM_FOLDERS, *devices, sys.base_prefix, interpreter, asked["folder"])))


def _run(asked: dict[str, Any], report: Report) -> dict[str, Any]:
    with _session(asked, report) as feed:
        try:
            value = feed(asked["code"])
            return {} if value is None else {"value": _cut(repr(value), asked["output_bytes"])}
        except MontyCrashedError as error:
            return {"reached": "cpu"} if error.timed_out else {"problem": f"the interpreter died: {error}"}
        except MontyError as error:
            return _failed(error)
        except (ValueError, RecursionError, MemoryError) as error:
            return {"problem": f"it ended, but its last value cannot be shown: {error or type(error).__name__}"}


@contextlib.contextmanager
def _session(asked: dict[str, Any], report: Report) -> Iterator[Callable[[str], Any]]:
    """A fresh interpreter with its folder."""
    limits = ResourceLimits(
        max_memory=asked["memory_bytes"],
        max_feed_duration_secs=asked["cpu_seconds"],
        max_total_sleep_secs=asked["seconds"],
        max_suspensions=asked["calls"],
    )
    # What the program writes is kept in memory, and forgotten with it.
    folder = MountDir(
        host_path=asked["folder"], virtual_path=FOLDER, mode="overlay", write_bytes_limit=asked["folder_bytes"]
    )
    pool = Monty(min_processes=1, max_processes=1)
    with folder, pool, pool.checkout(limits=limits, os_policy={"sleep_system_max": asked["seconds"]}) as session:
        yield lambda code: session.feed_run(code, print_callback=report.printed, mount=folder)


def _failed(error: MontyError) -> dict[str, Any]:
    said = str(error).partition(": ")[2] if isinstance(error, MontyRuntimeError) else ""
    reached = next((limit for words, limit in _SAID.items() if said.startswith(words)), None)
    problem = error.display() if hasattr(error, "display") else str(error)
    return {"problem": problem[-LONGEST_PROBLEM:], "reached": reached}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… [cut: {most:,} of {len(text):,} characters shown]"
