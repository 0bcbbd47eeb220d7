"""People who answer questions at random, rightly and wrongly, through every door there is, while workers die.

The seed makes them say the same things again; what they meet is up to the machine.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.tokens import Tokens
from eventlog.events import ApprovalEscalated, ApprovalRequested
from eventlog.log import Recorded
from projections.evolution import SESSION
from projections.fold import fold
from projections.session import PendingCall
from stack.scripted.answers import Reply, ToolUse
from stack.scripted.playbook import Step
from tests.acceptance.consent_rules import SPELLINGS, WAYS
from tests.acceptance.stage import Handle, Stage

KEY = SecretStr("a key that is long enough, and nobody's secret")
NEVER_SHOWS_TOKENS = "bo"
SOON = 0.4
"""Seconds between two answers of one person, at most."""
ROUNDS = 2
CALLS = 3


@dataclass
class Crowd:
    """Everything that is left to chance, in one place and with a seed."""

    stage: Stage
    chance: random.Random

    @classmethod
    def plays(cls, seed: int, threads: int) -> dict[str, Sequence[Step]]:
        """Conversations in which payments of all kinds are wanted."""
        chance = random.Random(seed)
        return {f"consent-{name}": _play(chance, f"{name}") for name in range(threads)}

    async def answer(self, handles: Sequence[Handle], times: int) -> None:
        """One person who says so many things about whatever waits."""
        for _ in range(times):
            await asyncio.sleep(self.chance.uniform(0, SOON))
            handle = self.chance.choice(handles)
            waiting = await self._waiting(handle)
            if waiting:
                await self._say(handle, *self.chance.choice(waiting))

    async def settle(self, handle: Handle) -> None:
        """Come back until the thread has ended, and allow whatever waits, each in their turn."""
        ended = asyncio.create_task(self.stage.done(handle))
        while not ended.done():
            for call, token in await self._waiting(handle):
                for name in ("ana", "cy", "boss", "dee"):
                    await _send(handle, "approve", _yes(call, name, token, position=True), by_update=True)
            await asyncio.wait([ended], timeout=SOON)
        await ended

    async def _waiting(self, handle: Handle) -> list[tuple[PendingCall, str]]:
        recorded = await self.stage.recorded(handle.id)
        session = fold(SESSION, recorded)
        return [(call, _token(recorded, call.id)) for call in session.waiting_for_answer]

    async def _say(self, handle: Handle, call: PendingCall, token: str) -> None:
        """One thing: mostly a yes, now and then several at once."""
        chance = self.chance
        name, said = self._words(call, token)
        elsewhere = chance.choice(self.stage.handles) if chance.random() < 0.1 else handle
        times = 2 if chance.random() < 0.25 else 1
        by_update = chance.random() < 0.5
        await asyncio.gather(*(_send(elsewhere, name, said, by_update=by_update) for _ in range(times)))

    def _words(self, call: PendingCall, token: str) -> tuple[str, Any]:
        chance = self.chance
        name = chance.choice(sorted(SPELLINGS))
        shown = "no token" if name == NEVER_SHOWS_TOKENS or chance.random() < 0.1 else token
        yes = _yes(call, name, shown, position=chance.random() < 0.6)
        match chance.choice(("yes", "yes", "yes", "edit", "edit", "remember", "no", "wrong", "garbage")):
            case "edit":
                edited = {"amount": chance.randint(100, 103), "how": chance.choice(sorted(WAYS))}
                return "approve", yes | {"edited_arguments": chance.choice([edited, edited, {"amount": "many"}])}
            case "remember":
                return "approve", yes | {"remember": chance.choice(["tool", "arguments"])}
            case "no":
                return "deny", {"call_id": call.id, "approver": name, "reason": "no", "token": shown}
            case "wrong":
                return "approve", yes | {"position": chance.randint(0, 40)}
            case "garbage":
                return chance.choice(["approve", "deny"]), chance.choice([[], 7, {"call_id": 7}, {"approver": "ana"}])
            case _:
                return "approve", yes


def _play(chance: random.Random, name: str) -> Sequence[Step]:
    return [*(_round(chance, f"{name}-{index}") for index in range(ROUNDS)), Reply.text("done")]


def _round(chance: random.Random, name: str) -> Step:
    calls: list[ToolUse] = [
        ("pay", {"amount": index, "how": chance.choice(sorted(WAYS))}, f"{name}-{index}") for index in range(CALLS)
    ]
    return Reply.tools(*calls)


def _yes(call: PendingCall, name: str, token: str, *, position: bool) -> dict[str, Any]:
    yes = {"call_id": call.id, "approver": name, "token": token}
    return yes | {"position": call.ballot.at} if position else yes


def _token(recorded: Sequence[Recorded], call_id: str) -> str:
    """Of the call's newest question."""
    asked = [
        each.id
        for each in recorded
        if isinstance(each.event, ApprovalRequested | ApprovalEscalated) and each.event.call_id == call_id
    ]
    return Tokens(KEY).token_of(asked[-1]) or ""


async def _send(handle: Handle, name: str, said: Any, *, by_update: bool) -> None:
    """Through one door or the other; what is refused, or too late, is refused."""
    with suppress(WorkflowUpdateFailedError, RPCError):
        await (handle.execute_update(name, said) if by_update else handle.signal(name, said))
