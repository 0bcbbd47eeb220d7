"""The report the demo writes: made of nothing but what the tools really answered."""

from collections.abc import Iterator, Sequence

from stack.scripted.conversation import Call
from stack.scripted.listing import Listing

NAME = "PERDURE_REPORT.md"
MOST_ROWS = 12
MOST_LINES = 6
"""Of one file, and of the matches of a search."""
LONGEST_LINE = 160


def report(listing: Listing, calls: Sequence[Call]) -> str:
    """The report as markdown."""
    return "\n".join([*_head(listing, calls), *_kinds(listing), *_files(calls), *_matches(calls)]).rstrip() + "\n"


def summary(listing: Listing) -> str:
    """What there is, in a few words."""
    size = sum(file.size for file in listing.files)
    at_least = "" if listing.whole else "at least "
    return f"{at_least}{_many(len(listing.files), 'file')} ({size:,} bytes) and {_many(listing.folders, 'folder')}"


def _head(listing: Listing, calls: Sequence[Call]) -> Iterator[str]:
    clock = next((call.result for call in calls if call.name == "get_current_time" and not call.failed), None)
    yield "# What is in this folder"
    yield ""
    yield f"Inspected {clock or 'at a time no clock could tell'} by an agent of Perdure with a scripted model."
    yield "The words are a template; every number and every quoted line came from a tool."
    yield ""
    yield f"There are {summary(listing)}."


def _kinds(listing: Listing) -> Iterator[str]:
    rows = listing.by_extension()
    if not rows:
        return
    yield from ("", "| kind | files | bytes |", "|---|---:|---:|")
    for extension, count, size in rows[:MOST_ROWS]:
        yield f"| {extension.replace('|', '')} | {count:,} | {size:,} |"
    if more := rows[MOST_ROWS:]:
        yield f"| {len(more)} more kinds | {sum(row[1] for row in more):,} | {sum(row[2] for row in more):,} |"


def _files(calls: Sequence[Call]) -> Iterator[str]:
    for call in calls:
        if call.name != "read_file":
            continue
        yield from ("", f"## {call.arguments.get('path')}", "")
        if call.failed:
            yield f"It could not be read: {_clipped(call.result)}"
        else:
            yield from (f"> {line}".rstrip() for line in _first_lines(call.result))


def _matches(calls: Sequence[Call]) -> Iterator[str]:
    for call in calls:
        if call.name != "search_files":
            continue
        yield from ("", f"## Lines with {call.arguments.get('pattern')}", "")
        if call.failed:
            yield f"The search failed: {_clipped(call.result)}"
        else:
            yield from (f"- {line}" for line in _first_lines(_of_others(call.result)))


def _of_others(matches: str) -> str:
    """Matches without those in an earlier report, which quotes what it found."""
    return (
        "\n".join(line for line in matches.splitlines() if not line.startswith(f"{NAME}:")) or "none but in this report"
    )


def _first_lines(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    more = [f"… and {_many(len(lines) - MOST_LINES, 'more line')}"] if len(lines) > MOST_LINES else []
    return [*map(_clipped, lines[:MOST_LINES]), *more]


def _clipped(line: str) -> str:
    plain = line.encode("utf-8", "replace").decode().strip()
    return plain if len(plain) <= LONGEST_LINE else f"{plain[:LONGEST_LINE]}…"


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
