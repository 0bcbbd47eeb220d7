"""What it takes to make the next request of a thread, as the thread grows; over making it with nothing kept.

`python -m bench.requests` runs it in seconds, without a server. A request is rendered from the view of the thread,
written as JSON and hashed. The plain way renders and writes every message each time, as a process does that sees the
thread first.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import median

from bench.goals import machine, show
from bench.thread import entries
from eventlog.ids import new_thread_id
from eventlog.log import Recorded
from eventlog.streams import stream_of
from llm.body import body_of
from projections.transcript import TRANSCRIPT, Settled, Transcript, render

TURNS = (10, 100, 1_000)
EVENTS_A_TURN = 6
"""As many as a turn of the thread of `bench/thread.py` has, at least; more are cut off."""
ROUNDS = 9
"""Turns that are measured, one after the other."""


@dataclass(frozen=True, slots=True)
class Result:
    """At one length: medians, in milliseconds."""

    turns: int
    size: int
    """Bytes of the request."""
    plain: float
    ours: float


def compare(turns: int) -> Result:
    """Both ways for the requests of the turns from this one on, of the same thread."""
    thread, replies = _thread(turns + ROUNDS), count(1)
    transcript, plain, ours, size = TRANSCRIPT.initial(), [], [], 0
    for recorded in thread:
        transcript = TRANSCRIPT.evolve(transcript, recorded)
        if recorded.event.type != "LLMCallRequested":
            continue
        if next(replies) < turns:
            request(transcript)
        else:
            kept = transcript.settled
            transcript.settled = Settled()
            plain.append(_milliseconds(request, transcript))
            transcript.settled = kept
            ours.append(_milliseconds(request, transcript))
            size = len(body_of(render(transcript, ())).written)
    return Result(turns, size, median(plain), median(ours))


def request(transcript: Transcript) -> str:
    """The hash of the thread's next request."""
    return hashlib.sha256(body_of(render(transcript, ())).written).hexdigest()


def _thread(turns: int) -> Sequence[Recorded]:
    id_ = new_thread_id()
    return [
        Recorded(entry.id, stream_of(id_), position, position, entry.metadata.at, entry.event, entry.metadata, 0)
        for position, entry in enumerate(entries(id_, turns * EVENTS_A_TURN))
    ]


def _milliseconds(work: Callable[[Transcript], str], transcript: Transcript) -> float:
    begin = time.perf_counter()
    work(transcript)
    return (time.perf_counter() - begin) * 1e3


def main() -> None:
    """Measure, and show it line by line as it comes."""
    show(f"The next request of a thread: {machine()}; medians of {ROUNDS} turns\n")
    show(f"{'turns':>6}{'bytes':>12}{'nothing kept, ms':>18}{'ours, ms':>10}{'of it':>8}")
    for turns in TURNS:
        it = compare(turns)
        show(f"{it.turns:>6,}{it.size:>12,}{it.plain:>18.2f}{it.ours:>10.2f}{it.ours / it.plain:>8.0%}")


if __name__ == "__main__":
    main()
