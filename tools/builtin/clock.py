"""The time of day, anywhere."""

import difflib
from datetime import UTC, datetime, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field

from tools.errors import ToolFailed
from tools.tool import tool


@tool(effect="read_only", quick=True)
def get_current_time(
    timezone: Annotated[str, Field(description="IANA time zone, such as Europe/Berlin", max_length=100)] = "UTC",
) -> str:
    """Tell the current date, weekday and time in a time zone."""
    now = datetime.now(_zone(timezone))
    return f"{now.isoformat(timespec='seconds')} ({now:%A}, {timezone})"


def _zone(name: str) -> tzinfo:
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:  # a folder of the database is no zone either
        close = difflib.get_close_matches(name, available_timezones(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else "give an IANA name, such as Europe/Berlin"
        raise ToolFailed(f"there is no time zone {name!r}: {hint}") from error
