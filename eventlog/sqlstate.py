"""What the database's errors mean to the log: told by SQLSTATE and constraint, never by the words of a message.

LogUnavailable
├── ConnectionLost    the connection ended under a statement: nobody knows whether it was carried out
├── HeldUp            somebody else's lock, or a stall, outlasted a time limit: nothing was carried out
└── LogMisconfigured
EntryRejected
└── Refused           `write_message` raised, or a unique index did: only a second look tells what it means
"""

import psycopg
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from eventlog.log import EntryRejected, LogError, LogMisconfigured, LogUnavailable

_LOST = ("08", "57P01", "57P02", "57P03", "57P04", "57P05", "25P03")
_MISCONFIGURED = ("28", "3D", "3F", "42")
_REJECTED = ("22", "23", "54")
_HELD_UP = ("55P03", "57014")
_REFUSED = ("P0001", "23505")
_TAKES_NOTHING = {
    "53100": "its disk is full: make room there, and the same call succeeds",
    "25006": "it is read-only: let DATABASE_URL name the primary, or end the database's default_transaction_read_only",
}
_MAKES_NUMBERS = "messages_pkey"

_SAFE_TO_REPEAT = "nothing is lost: the same call may succeed later"


class ConnectionLost(LogUnavailable):
    """The connection ended before the database had answered."""


class HeldUp(LogUnavailable):
    """A statement took longer than it may, and was ended by the database."""


class Refused(EntryRejected):
    """The database refused a row for a reason that its error alone does not tell."""

    def __init__(self, message: str, constraint: str | None) -> None:
        super().__init__(message)
        self.constraint = constraint
        """The unique index that refused it; None where `write_message` raised."""


def translate(error: psycopg.Error) -> LogError:
    """The log's error for one of the driver's."""
    state = error.sqlstate
    if state is None:
        return _without_state(error)
    words = f"{_words(error)} (SQLSTATE {state})"
    if error.diag.constraint_name == _MAKES_NUMBERS:
        return LogMisconfigured(
            f"{words}: the sequence of global positions is behind its table; "
            "setval('message_store.messages_global_position_seq', …) to the highest global position"
        )
    if state in _REFUSED:
        return Refused(words, error.diag.constraint_name)
    if state.startswith(_LOST):
        return ConnectionLost(f"the database closed the connection: {words}")
    if state.startswith(_MISCONFIGURED):
        return LogMisconfigured(f"{words}: {_repair(error)}")
    if state.startswith(_REJECTED):
        return EntryRejected(f"the database refuses the entry: {words}")
    if remedy := _TAKES_NOTHING.get(state):
        return LogUnavailable(f"the database takes nothing new: {words}", remedy)
    kind = HeldUp if state in _HELD_UP else LogUnavailable
    return kind(f"the database did not do it: {words}; {_SAFE_TO_REPEAT}")


def _without_state(error: psycopg.Error) -> LogError:
    """What the driver or the pool found by themselves."""
    match error:
        case PoolClosed():
            return LogUnavailable("the log is closed")
        case PoolTimeout() | TooManyRequests():
            return LogUnavailable(f"no connection to the database is free, or it does not answer: {_words(error)}")
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return ConnectionLost(f"the connection to the database was lost: {_words(error)}")
        case psycopg.DataError():
            return EntryRejected(f"the entry cannot be sent to the database: {_words(error)}")
        case _:
            return LogUnavailable(f"the database driver failed: {type(error).__name__}: {_words(error)}")


def _repair(error: psycopg.Error) -> str:
    match error:
        case errors.InsufficientPrivilege():
            return "the role needs the rights Message DB grants to its role message_store; connect as that role"
        case errors.InvalidAuthorizationSpecification() | errors.InvalidPassword():
            return "check the user and password in the database's address"
        case _:
            return (
                "Message DB 1.3 is not installed in this database, or not whole; "
                "install it, or correct the database's address"
            )


def _words(error: psycopg.Error) -> str:
    return error.diag.message_primary or " ".join(str(error).split())
