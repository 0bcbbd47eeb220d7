"""`python -m bench.peers [MEASURE ...]`: prints the tables of docs/benchmarks.md, ready to be pasted there.

The measures are `luggage`, `short`, `medium`, `tokens`, `long` and `crash`; without a name, all of them run.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import TypeAlias

from bench.peers.crash import Recovered, crashes
from bench.peers.luggage import Luggage, luggage, versions_of_servers
from bench.peers.speed import Conversation, Held, hold
from bench.peers.stage import Stage, stage
from bench.peers.ways import LIBRARIES, PEERS, PERDURE, WAYS

WARM_UP = Conversation(turns=3, size=2_000, rounds=1, at_most=60)
CONVERSATIONS = {
    "short": Conversation(turns=10, size=2_000, rounds=3, at_most=60),
    "medium": Conversation(turns=100, size=2_000, rounds=2, at_most=120),
    "tokens": Conversation(turns=100, size=8_000, rounds=1, at_most=180),
    "long": Conversation(turns=1_000, size=2_000, rounds=1, at_most=180),
}
MEASURES = ("luggage", *CONVERSATIONS, "crash")
LONGEST_TROUBLE = 160
"""Characters of an error."""

Cells: TypeAlias = Sequence[str]


async def main(names: Sequence[str]) -> None:
    """Measure what is named, and print a table for each."""
    _say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; {versions_of_servers()}\n")
    if "luggage" in names:
        await _luggage()
    if on_servers := [name for name in names if name != "luggage"]:
        async with stage() as servers:
            await hold(servers, WAYS, WARM_UP)
            for name in on_servers:
                await _measure(servers, name)
    _say(f"load {os.getloadavg()[0]:.1f} after")


async def _measure(servers: Stage, name: str) -> None:
    if name == "crash":
        await _crash(servers)
    else:
        await _converse(servers, CONVERSATIONS[name])


# -- the tables ------------------------------------------------------------------------------------


async def _converse(servers: Stage, conversation: Conversation) -> None:
    held = await hold(servers, WAYS, conversation)
    ours = next(each for each in held if each.way is PERDURE)
    _say(f"{conversation.turns:,} turns, tool results of {conversation.size:,} characters\n")
    head = ("way", "ms a turn", "over Perdure", "ms, last tenth", "history B a turn", "PostgreSQL B", "files B", "end")
    _table(head, [_held(each, ours) for each in held])


def _held(held: Held, ours: Held) -> Cells:
    kept, turns = held.kept, max(held.calls - 1, 1)
    return (
        held.way.name,
        f"{held.turn_ms:.1f}",
        f"{held.turn_ms / ours.turn_ms:.2f}",
        f"{held.last_ms:.1f}",
        *(f"{each / turns:,.0f}" for each in (kept.history, kept.database, kept.files)),
        _end(held),
    )


def _end(held: Held) -> str:
    match held.end:
        case "ended":
            return "answers" + (f", {held.kept.runs} runs" if held.kept.runs > 1 else "")
        case "slow":
            return f"{held.calls:,} calls in {held.conversation.at_most:.0f} s"
        case _:
            trouble = " ".join(held.trouble.split()).replace("|", "/")
            return f"{held.end} at call {held.calls:,}: {trouble[:LONGEST_TROUBLE]}"


async def _crash(servers: Stage) -> None:
    tools = await crashes(servers, LIBRARIES, "tool")
    models = await crashes(servers, LIBRARIES, "model")
    _say("The process is killed in the middle of a call, and started again at once\n")
    head = ("library", "effects of the tool", "moves after, s", "model asked", "moves after, s", "answers")
    _table(head, [_recovered(*each) for each in zip(tools, models, strict=True)])


def _recovered(tool: Recovered, model: Recovered) -> Cells:
    ended = "yes" if tool.ended and model.ended else "no"
    each = [cell for one in (tool, model) for cell in (_times(one.effects), _seconds(one.moved_after))]
    return (tool.way.name, *each, ended)


def _times(count: int) -> str:
    return {0: "none", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f}"


async def _luggage() -> None:
    _say("What a user takes on\n")
    head = ("library", "version", "lines of the agent", "packages", "MB", "seconds to import")
    _table(head, [_carried(await luggage(way)) for way in LIBRARIES])


def _carried(it: Luggage) -> Cells:
    version = f"{it.way.packages[0].partition('[')[0]} {it.version}"
    return (it.way.name, version, str(it.lines), str(it.packages), f"{it.size / 1e6:.0f}", f"{it.import_seconds:.2f}")


def _table(head: Cells, rows: Sequence[Cells]) -> None:
    """GitHub's Markdown, aligned so that it can be read in a terminal too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = tuple("-" * width for width in widths)
    for row in (head, rule, *rows):
        _say("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
    _say("")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(arguments: Sequence[str]) -> None:
    """Check the arguments and measure."""
    if unknown := set(arguments) - set(MEASURES):
        sys.exit(f"no such measure: {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    if not PEERS.exists():
        sys.exit(f"{PEERS} is not there: `make bench-peers` makes the environment of the peers, and runs this")
    asyncio.run(main(list(arguments) or MEASURES))


if __name__ == "__main__":
    run(sys.argv[1:])
