"""Windows of time: days of the week and hours of the day, as the clocks of one place show them."""

import re
from datetime import datetime
from typing import Annotated, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from policy.truth import Truth
from policy.words import Words, listed

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"no time zone {name!r}: write one as in Europe/Berlin or UTC") from error
    return name


def _hours(text: str) -> str:
    found = _HOURS.fullmatch(text)
    if found is None or found[3] + found[4] > "2400":
        raise ValueError('write hours as in "08:00-18:00", in quotes')
    if found[1] + found[2] == found[3] + found[4]:
        raise ValueError("the window ends when it begins: leave hours out for the whole day")
    return text


def _days(given: object) -> object:
    """Days as a list, spans such as `mon-fri` spelled out; what is none of them stays, to be complained of."""
    days: list[object] = []
    for each in listed(given) if isinstance(given, list | tuple | str) else [given]:
        first, dash, last = each.partition("-") if isinstance(each, str) else (each, "", "")
        if dash and first in DAYS and last in DAYS and DAYS.index(first) <= DAYS.index(last):
            days += DAYS[DAYS.index(first) : DAYS.index(last) + 1]
        else:
            days.append(each)
    return tuple(days)


class Times(Words):
    """When a rule counts. A window over midnight belongs to the day it begins on."""

    days: Annotated[tuple[Day, ...], BeforeValidator(_days)] = Field(default=DAYS, min_length=1)
    """Days of the week: `mon` to `sun`, spans as `mon-fri`."""
    hours: Annotated[str, AfterValidator(_hours)] | None = None
    """From the first minute until before the last, as in `"08:00-18:00"`; `"22:00-06:00"` goes over midnight."""
    zone: Annotated[str, AfterValidator(_zone)]
    """Whose clocks: a name of the time zone database."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.hours is None and set(self.days) == set(DAYS):
            raise ValueError("it leaves nothing out: say days, hours or both")
        return self


class Clock:
    """A window of time, ready to be held against moments."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._zone = ZoneInfo(times.zone)
        self._days = frozenset(DAYS.index(day) for day in times.days)
        self._begin, self._end = _minutes(times.hours)

    def match(self, moment: datetime | None) -> Truth:
        """Whether the moment lies in the window; None where it is not known, or of no time zone."""
        here = self._here(moment)
        if here is None:
            return None
        now = here.hour * 60 + here.minute
        today, yesterday = here.weekday(), (here.weekday() - 1) % len(DAYS)
        if self._begin < self._end:
            return today in self._days and self._begin <= now < self._end
        return (today in self._days and now >= self._begin) or (yesterday in self._days and now < self._end)

    def told(self, moment: datetime | None) -> str:
        """What was compared, for people."""
        here = self._here(moment)
        if here is None:
            return "the time is not known"
        hours = f" {self._times.hours}" if self._times.hours else ""
        window = f"{','.join(self._times.days)}{hours} in {self._times.zone}"
        return f"it is {DAYS[here.weekday()]} {here:%H:%M} there; the rule says {window}"

    def _here(self, moment: datetime | None) -> datetime | None:
        """The moment by the clocks of the place."""
        try:
            return moment.astimezone(self._zone) if moment is not None and moment.tzinfo is not None else None
        except OverflowError:
            return None


def _minutes(hours: str | None) -> tuple[int, int]:
    found = _HOURS.fullmatch(hours or "00:00-24:00")
    if found is None:
        raise AssertionError("hours are checked when a policy is read")
    begin, begin_minute, end, end_minute = map(int, found.groups())
    return begin * 60 + begin_minute, end * 60 + end_minute
