"""Errors that other packages raise, in the words of `errors.py`."""

import errno

from cli.errors import BadUsage, ClientError, DatabaseUnreachable, Unreachable
from eventlog.log import LogError, LogUnavailable
from eventlog.streams import InvalidName
from stack.errors import StackError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


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
        case OSError(errno=number) if number in _NO_ROOM:
            return ClientError(f"the answer cannot be written: {error.strerror}", kind="output")
        case _:
            return None
