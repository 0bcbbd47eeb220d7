"""A server's process: in a session of its own, its output in a log file, known again after its starter has died."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from stack.errors import CannotStart, DataFolderUnusable, StackError
from stack.files import write_private
from stack.osuser import OsUser

INTERVAL = 0.02
"""Seconds between two looks at an ending process."""
LOOKS = 40
"""At a command line that is empty, before it is believed."""
LOG_LIMIT = 16 * 1024 * 1024
"""Bytes after which a log is put aside at the next start."""
MARK = "PERDURE_SERVER_RECORD"
"""The variable that tells, in a server's environment, whose server it is."""


class ProcessRecord(BaseModel):
    """What is remembered of a started process."""

    model_config = ConfigDict(frozen=True)

    pid: int
    command: tuple[str, ...]

    def find(self) -> psutil.Process | None:
        """The process, if it still runs; never another that was given its number.

        The command tells them apart, for it names the folder or the port; a creation time would not do, since the
        clock it is read from may be set anew.
        """
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                _reap(process)
                return None
            return process if _command_of(process) == self.command else None
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None


def _command_of(process: psutil.Process) -> tuple[str, ...]:
    """The command line. While a program is being loaded into a process, it has none for a moment."""
    for _ in range(LOOKS):
        command = tuple(process.cmdline())
        if command:
            return command
        time.sleep(INTERVAL / 4)
    return ()


def _reap(process: psutil.Process) -> None:
    try:
        process.wait(timeout=0)
    except psutil.TimeoutExpired:
        return


class ServerProcess:
    """One server's process, remembered in a file."""

    def __init__(self, name: str, record: Path, log: Path) -> None:
        self.name = name
        self.log = log
        self._file = record

    def _recorded(self) -> ProcessRecord | None:
        try:
            return ProcessRecord.model_validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return None

    def find(self) -> psutil.Process | None:
        """The process, if it runs."""
        record = self._recorded()
        return record.find() if record else None

    @property
    def pid(self) -> int | None:
        """The process's number, if it runs."""
        process = self.find()
        return process.pid if process else None

    def spawn(self, command: Sequence[str], *, env: Mapping[str, str], user: OsUser | None = None) -> None:
        """Start the command; it goes on when its starter ends and hears nothing of the terminal's Ctrl-C."""
        with self._open_log() as log:
            child = self._popen(command, env, user, log.fileno())
        try:
            self._remember(child.pid, command)
        except StackError:
            child.kill()
            child.wait()
            raise
        # The server outlives its starter on purpose, so Popen need not warn that it is still running.
        child.returncode = 0

    def _open_log(self) -> BinaryIO:
        try:
            for file in (self._file, self.log):
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
                self.log.replace(self.log.with_suffix(".old.log"))
            return self.log.open("ab")
        except OSError as error:
            raise DataFolderUnusable(self.log.parent, str(error)) from error

    def _popen(
        self, command: Sequence[str], env: Mapping[str, str], user: OsUser | None, log: int
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(env) | {MARK: str(self._file)},
                cwd="/",
                umask=0o077,
                start_new_session=True,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
            )
        except OSError as error:
            raise CannotStart(self.name, error) from error

    def _remember(self, pid: int, command: Sequence[str]) -> None:
        write_private(self._file, ProcessRecord(pid=pid, command=tuple(command)).model_dump_json())

    def adopt(self, command: Sequence[str]) -> bool:
        """Find and remember a process of ours that runs this command though no record tells of it."""
        for process in psutil.process_iter(["cmdline"]):
            if process.info["cmdline"] == list(command) and self._is_ours(process):
                self._remember(process.pid, command)
                return True
        return False

    def _is_ours(self, process: psutil.Process) -> bool:
        """Another home's server may have been started by the same command."""
        try:
            return process.environ().get(MARK) == str(self._file)
        except psutil.Error:
            return False

    async def stop(self, gentle: signal.Signals = signal.SIGTERM, patience: float = 15.0) -> None:
        """End the process: gently first, at once when it takes longer than `patience` seconds."""
        self._signal(gentle)
        try:
            async with asyncio.timeout(patience):
                await self._ended()
        except TimeoutError:
            self._kill_session()
            await self._ended()
        self._file.unlink(missing_ok=True)

    async def _ended(self) -> None:
        while self.find():  # noqa: ASYNC110 - the process need not be our child
            await asyncio.sleep(INTERVAL)

    def _signal(self, number: signal.Signals) -> None:
        process = self.find()
        if process:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _kill_session(self) -> None:
        process = self.find()
        if process:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
