"""What a command may have to tell its user instead of an answer.

    ClientError
    ├── BadUsage        what was asked for cannot be meant
    ├── NotFound        there is no such thread, call or model call
    ├── Refused         the thread, or the store, says no
    └── Unreachable     nothing answers
        ├── NothingRunning        no address is set and no stack is up
        ├── TemporalUnreachable
        ├── DatabaseUnreachable
        ├── NoWorker              nobody works on the task queue
        └── WorkerDoesNotStart

Each has a `kind`, a stable word for scripts, and a `remedy`, what to do about it.
"""

from typing import ClassVar

from cli.exits import ExitCode


class ClientError(Exception):
    """A command cannot do what it was asked."""

    exit: ClassVar[ExitCode] = ExitCode.FAILED
    kind: str = "error"

    def __init__(self, message: str, *, remedy: str | None = None, kind: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.kind = kind or type(self).kind


class BadUsage(ClientError):
    """An argument, an option or a setting cannot be used."""

    exit = ExitCode.USAGE
    kind = "usage"


class NotFound(ClientError):
    """There is nothing of that name."""

    exit = ExitCode.NOT_FOUND
    kind = "not_found"


class Refused(ClientError):
    """The request came too late, twice or for nothing, or cannot be allowed."""

    kind = "refused"


class Unreachable(ClientError):
    """A part of the system does not answer."""

    exit = ExitCode.UNREACHABLE
    kind = "unreachable"


class NothingRunning(Unreachable):
    """Nobody said where the system is, and none runs here."""

    kind = "nothing_running"


class TemporalUnreachable(Unreachable):
    """The Temporal server does not answer."""

    kind = "temporal_unreachable"


class DatabaseUnreachable(Unreachable):
    """The log's database does not answer."""

    kind = "database_unreachable"


class NoWorker(Unreachable):
    """Requests can be delivered only where a worker runs, and none does."""

    kind = "no_worker"


class WorkerDoesNotStart(Unreachable):
    """The worker that was to be kept running ends at once."""

    kind = "worker"
