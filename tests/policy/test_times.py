"""Windows of time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from policy.times import Clock, Times
from policy.truth import Truth


def clock(**fields: object) -> Clock:
    """A window."""
    return Clock(Times.model_validate({"zone": "Europe/Berlin", **fields}))


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T06:59", False),  # a Monday, 07:59 in Berlin
        ("2026-11-23T07:00", True),
        ("2026-11-23T16:59", True),
        ("2026-11-23T17:00", False),
        ("2026-11-22T10:00", False),  # a Sunday
        ("2026-07-20T06:00", True),  # summer time: 08:00
    ],
)
def test_office_hours(moment: str, expected: Truth) -> None:
    """Hours are those of the place, summer time included; the first minute belongs to the window, the last does not."""
    assert clock(days="mon-fri", hours="08:00-18:00").match(at(moment)) is expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-27T20:59", False),
        ("2026-11-27T21:00", True),  # Friday 22:00
        ("2026-11-28T04:59", True),  # Saturday 05:59
        ("2026-11-28T05:00", False),
        ("2026-11-28T21:30", False),  # Saturday night is not meant
        ("2026-11-27T04:00", False),  # nor is Thursday night
    ],
)
def test_a_window_over_midnight(moment: str, expected: Truth) -> None:
    """Friday night ends on Saturday morning."""
    assert clock(days=["fri"], hours="22:00-06:00").match(at(moment)) is expected


def test_days_alone() -> None:
    """Without hours it is the whole day, from midnight to midnight of the place."""
    weekend = clock(days=["sat", "sun"])
    assert weekend.match(at("2026-11-27T23:00")) is True
    assert weekend.match(at("2026-11-29T22:59")) is True
    assert weekend.match(at("2026-11-29T23:00")) is False


@pytest.mark.parametrize(
    "moment",
    [
        None,
        datetime(2026, 11, 23),  # noqa: DTZ001 - that it is naive is the point
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    ],
)
def test_no_moment(moment: datetime | None) -> None:
    """Of no moment, of one without a zone and of one beyond the calendar it cannot be told."""
    assert clock(days="mon-fri").match(moment) is None
    assert clock(days="mon-fri").told(moment) == "the time is not known"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"zone": "Mars"},
        {"zone": "../../etc/passwd"},
        {"days": []},
        {"days": "mon-someday"},
        {"days": "fri-mon"},
        {"days": 5},
        {"hours": "8-18"},
        {"hours": "08:00-24:30"},
        {"hours": "25:00-26:00"},
        {"hours": "08:00-08:00"},
        {"days": "mon-sun"},
        {"hours": 8},
    ],
)
def test_what_is_no_window(wrong: dict[str, object]) -> None:
    """A window that says nothing or cannot be meant is refused."""
    with pytest.raises(ValidationError):
        clock(**wrong)
