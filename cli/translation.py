"""Errors that other packages raise, in the words of `errors.py`."""

import errno

from temporalio.service import RPCError

from cli.errors import BadUsage, ClientError, DatabaseUnreachable, TemporalUnreachable, Unreachable
from eventlog.artifacts.store import ArtifactsUnavailable
from eventlog.custom import RefusedEvent
from eventlog.log import LogCorrupted, LogError, LogMisconfigured, LogUnavailable
from eventlog.releases import NotASchema
from eventlog.streams import InvalidName
from llm.errors import ModelRefusesRequest
from llm.pricing import UnusablePrices
from policy.mistakes import InvalidFile
from stack.errors import StackError
from tools.errors import InvalidServers, ToolError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
_DOCTOR = "`perdure doctor` looks at every part"


def translated(error: Exception) -> ClientError | None:
    """What a user is told of `error`; None where it is nobody's but ours."""
    match error:
        case InvalidName():
            return BadUsage(str(error))
        case NotASchema():
            return BadUsage(str(error), kind="damaged", remedy="put it back as it was released")
        case LogMisconfigured():
            return DatabaseUnreachable(str(error), remedy=_DOCTOR, kind="database_misconfigured")
        case ArtifactsUnavailable():
            return Unreachable(f"large content cannot be read or written: {error}", remedy=_DOCTOR)
        case LogUnavailable(remedy=str(remedy)):
            return DatabaseUnreachable(
                f"the log cannot be written: {error}", remedy=f"{remedy}; {_DOCTOR}", kind="database_unwritable"
            )
        case LogUnavailable():
            return DatabaseUnreachable(
                f"the log cannot be reached: {error}",
                remedy=f"start it with `perdure up`, or check DATABASE_URL; {_DOCTOR}",
            )
        case LogCorrupted():
            return ClientError(
                f"the log refuses: {error}",
                remedy="`perdure verify` tells of all that is damaged; `perdure show --at` shows what stands before it",
                kind="log",
            )
        case LogError():
            return ClientError(f"the log refuses: {error}", kind="log")
        case StackError():
            return Unreachable(error.problem, kind="stack", remedy=error.remedy)
        case RPCError():
            return TemporalUnreachable(f"Temporal says: {error.message}", remedy=_DOCTOR)
        case RuntimeError() if "Failed client connect" in str(error):
            return TemporalUnreachable("Temporal does not answer", remedy=f"check TEMPORAL_ADDRESS; {_DOCTOR}")
        case RefusedEvent():
            return BadUsage(
                str(error), kind="plugin", remedy="correct the event's class: it must read what was written"
            )
        case InvalidFile():
            return BadUsage(str(error), kind="file", remedy="correct the file: each line begins with the place")
        case UnusablePrices():
            return BadUsage(str(error), kind="file", remedy="correct the file that PERDURE_PRICES_FILE names")
        case InvalidServers():
            return BadUsage(str(error), kind="mcp", remedy="correct the file that PERDURE_MCP names")
        case ToolError():
            return BadUsage(str(error), kind="plugin", remedy="correct PERDURE_PLUGINS, or the plugin")
        case ModelRefusesRequest():
            return BadUsage(error.message, kind="settings")
        case OSError(errno=number) if number in _NO_ROOM:
            return ClientError(f"the answer cannot be written: {error.strerror}", kind="output")
        case _:
            return None
