"""Every error the database or its driver can raise has its meaning."""

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from cli.translation import translated
from eventlog.log import EntryRejected, LogError, LogMisconfigured, LogUnavailable
from eventlog.sqlstate import ConnectionLost, HeldUp, Refused, translate

TABLE = [
    ("08006", ConnectionLost),  # connection failure
    ("57P01", ConnectionLost),  # terminated by an administrator
    ("57P02", ConnectionLost),  # the server crashed
    ("57P03", ConnectionLost),  # it is starting up or shutting down
    ("57P05", ConnectionLost),  # idle for too long
    ("25P03", ConnectionLost),  # idle in a transaction for too long
    ("55P03", HeldUp),  # lock timeout
    ("57014", HeldUp),  # statement timeout
    ("40001", LogUnavailable),  # serialisation failure
    ("40P01", LogUnavailable),  # deadlock
    ("53100", LogUnavailable),  # disk full
    ("53300", LogUnavailable),  # too many connections
    ("25006", LogUnavailable),  # read only: a stand-by after a failover
    ("58030", LogUnavailable),  # input/output error
    ("XX000", LogUnavailable),  # internal error
    ("42501", LogMisconfigured),  # missing rights
    ("42883", LogMisconfigured),  # no such function
    ("42P01", LogMisconfigured),  # no such table
    ("3F000", LogMisconfigured),  # no such schema
    ("3D000", LogMisconfigured),  # no such database
    ("28000", LogMisconfigured),  # user refused
    ("28P01", LogMisconfigured),  # wrong password
    ("22P02", EntryRejected),  # not a UUID, not JSON
    ("22P05", EntryRejected),  # a character that cannot be kept
    ("22003", EntryRejected),  # a number out of range
    ("23502", EntryRejected),  # something is missing
    ("54000", EntryRejected),  # too long for an index
    ("P0001", Refused),  # raised by write_message
    ("23505", Refused),  # a unique index
]


@pytest.mark.parametrize(("state", "expected"), TABLE)
def test_a_sqlstate_has_its_meaning(state: str, expected: type[LogError]) -> None:
    """The class of the error follows from the state alone, and the message shows the state."""
    error = translate(errors.lookup(state)("words"))
    assert type(error) is expected
    assert state in str(error)


@pytest.mark.parametrize(("state", "words"), [("53100", "its disk is full"), ("25006", "it is read-only")])
def test_a_database_that_takes_nothing_new_is_not_called_away(state: str, words: str) -> None:
    """A full or read-only database answers: nobody is told to start it, but what to do."""
    told = translated(translate(errors.lookup(state)("words")))
    assert told is not None
    assert (told.kind, told.message.startswith("the log cannot be written: ")) == ("database_unwritable", True)
    assert told.remedy is not None
    assert told.remedy.startswith(words)
    assert "perdure up" not in told.remedy


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (psycopg.OperationalError("server closed the connection"), ConnectionLost, "lost"),
        (psycopg.InterfaceError("the connection is closed"), ConnectionLost, "lost"),
        (psycopg.DataError("NUL"), EntryRejected, "cannot be sent"),
        (psycopg.NotSupportedError("odd"), LogUnavailable, "NotSupportedError"),
        (PoolTimeout("5 sec"), LogUnavailable, "no connection to the database is free"),
        (TooManyRequests("100"), LogUnavailable, "no connection to the database is free"),
        (PoolClosed("closed"), LogUnavailable, "the log is closed"),
    ],
)
def test_an_error_without_a_sqlstate_has_its_meaning(
    error: psycopg.Error, expected: type[LogError], words: str
) -> None:
    """What the driver finds by itself is told by its class; a pool's time-out is no lost connection."""
    translated = translate(error)
    assert type(translated) is expected
    assert words in str(translated)


def _subclasses(kind: type[psycopg.Error]) -> list[type[psycopg.Error]]:
    """The class and all below it."""
    return [kind, *(deeper for direct in kind.__subclasses__() for deeper in _subclasses(direct))]


def test_no_error_of_the_driver_is_unmapped() -> None:
    """Each of its classes, hundreds of them, becomes an error of the log."""
    kinds = {kind for kind in _subclasses(psycopg.Error) if not kind.__name__.startswith("_")}
    assert len(kinds) > 200
    assert {issubclass(type(translate(kind("words"))), LogError) for kind in kinds} == {True}
