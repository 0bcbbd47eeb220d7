"""How long a turn takes, what it leaves behind, and how far each way gets, for conversations of any length."""

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from bench.peers.stage import End, Kept, Stage, begin, end, finish, kept, notes_of, why_stuck
from bench.peers.ways import Way


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is held, and how often."""

    turns: int
    size: int
    """Characters of each tool result."""
    rounds: int
    at_most: float
    """Seconds a way is given for one round."""


@dataclass(frozen=True, slots=True)
class Held:
    """How a conversation went, one way."""

    way: Way
    conversation: Conversation
    calls: int
    """Model calls that were made."""
    turn_ms: float
    """Median over the turns of all rounds."""
    last_ms: float
    """Median over the last tenth of them."""
    kept: Kept
    end: End
    trouble: str
    """What was said where it failed or got stuck, else empty."""


async def hold(stage: Stage, ways: tuple[Way, ...], conversation: Conversation) -> list[Held]:
    """Hold the conversation each way, in turns; a way that failed is not tried again."""
    rounds: dict[Way, list[Held]] = {way: [] for way in ways}
    for number in range(conversation.rounds):
        for way, before in rounds.items():
            if all(each.end == "ended" for each in before):
                before.append(await _round(stage, way, conversation, number))
    return [_together(each) for each in rounds.values()]


async def _round(stage: Stage, way: Way, conversation: Conversation, number: int) -> Held:
    name = f"{conversation.turns}-{conversation.size}-{number}"
    work = stage.work(way, name, conversation.turns, conversation.size)
    before = await stage.grown(way)
    process = await begin(way, work)
    how = await finish(process, work, conversation.at_most)
    trouble = await why_stuck(stage, way, work, process) if how in {"failed", "stuck"} else ""
    left = await kept(stage, way, work, before)
    await end(stage, way, work)
    asked = [note.at for note in notes_of(work) if note.what == "asked"]
    times = [1000 * (later - earlier) for earlier, later in pairwise(asked)] or [0.0]
    last = times[-max(len(times) // 10, 1) :]
    return Held(way, conversation, len(asked), median(times), median(last), left, how, trouble)


def _together(rounds: list[Held]) -> Held:
    last = rounds[-1]
    turn, latest = (median(each) for each in zip(*((held.turn_ms, held.last_ms) for held in rounds), strict=True))
    return Held(last.way, last.conversation, last.calls, turn, latest, last.kept, last.end, last.trouble)
