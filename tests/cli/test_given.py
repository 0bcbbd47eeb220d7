"""What is given on the command line, parsed."""

import pytest

from cli import given
from cli.errors import BadUsage
from eventlog.terms import Limits


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("8h", 28_800), ("7d", 604_800), ("0.5", 0.5), ("1.5H", 5400)],
)
def test_durations_are_seconds_or_have_a_unit(text: str, seconds: float) -> None:
    """A bare number is seconds."""
    assert given.seconds("--idle-timeout", text) == seconds


@pytest.mark.parametrize("text", ["", "m", "soon", "-5", "0", "inf", "nan", "5 weeks"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """No time, none at all, or for ever cannot be meant."""
    with pytest.raises(BadUsage, match="no duration"):
        given.seconds("--idle-timeout", text)


def test_limits_not_named_keep_their_defaults() -> None:
    """`none` lifts a limit; the others stay as they are."""
    limits = given.limits(["turns=3", "tokens=none", "runtime=1.5"])
    assert limits == Limits(turns=3, tokens=None, runtime=1.5)
    assert limits.tool_calls == Limits().tool_calls


def test_tools_can_be_none_at_all() -> None:
    """Not given means all of them, an empty text none."""
    assert given.names(None) is None
    assert given.names("") == ()
    assert given.names(" echo, calculate ,") == ("echo", "calculate")
