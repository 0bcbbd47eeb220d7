"""Errors that other packages raise, in the words of `errors.py`."""

from cli.errors import BadUsage, ClientError, DatabaseUnreachable, Unreachable
from eventlog.log import LogError, LogUnavailable
from eventlog.streams import InvalidName
from stack.errors import StackError


def translated(error: Exception) -> ClientError | None:
    """What a user is told of `error`; None where it is nobody's but ours."""
    match error:
        case InvalidName():
            return BadUsage(str(error))
        case LogUnavailable():
            return DatabaseUnreachable(
                f"the log cannot be reached: {error}",
                remedy="start it with `perdure up`, or check DATABASE_URL; `perdure doctor` looks at every part",
            )
        case LogError():
            return ClientError(f"the log refuses: {error}", kind="log")
        case StackError():
            return Unreachable(error.problem, kind="stack", remedy=error.remedy)
        case _:
            return None
