"""How a command ends: the exit codes, all of them, and nowhere else."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What scripts may rely on."""

    OK = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    NOT_FOUND = 4
    UNREACHABLE = 5
    DEFECT = 70
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """The code in words, as the help shows it."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "done; a thread that was waited for has completed, or a chat has replied",
    ExitCode.FAILED: "the thread failed or was terminated, the request was refused, or a check did not hold",
    ExitCode.USAGE: "the command line or the settings are wrong",
    ExitCode.WAITING: "the thread waits for a person (to approve, or to resume)",
    ExitCode.NOT_FOUND: "there is no such thread, call or model call",
    ExitCode.UNREACHABLE: "Temporal, the database or a worker does not answer",
    ExitCode.DEFECT: "a defect of perdure itself",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}
