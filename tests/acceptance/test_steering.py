"""A worker that dies right after somebody has steered its threads."""

from collections.abc import Sequence
from pathlib import Path

from eventlog.events import LLMCallFailed, ToolExecutionFailed, ToolExecutionOutcomeUnknown
from projections.invariants.catalogue import breaches
from stack.scripted.answers import Reply
from stack.scripted.playbook import Step
from tests.acceptance.servers import Servers
from tests.acceptance.stage import staged

SLOWLY = Reply.text("word " * 200).at_pace(0.1, chunk=5)
PLAYS: dict[str, Sequence[Step]] = {
    "think": [[SLOWLY, Reply.text("thought")]],
    "turn": [[SLOWLY, Reply.text("turned")]],
    "look": [Reply.tools(("look", {"hold": "before"}, "look-1")), Reply.text("done")],
    "fire": [Reply.tools(("fire", {"hold": "before"}, "fire-1"), ("launch", {}, "launch-1")), Reply.text("done")],
}


async def test_the_next_worker_does_what_was_asked_of_the_one_that_died(servers: Servers, tmp_path: Path) -> None:
    """Model calls that were to be dropped are not taken, calls that were stopped have outcomes, and all goes on."""
    async with staged(servers, tmp_path, PLAYS) as stage:
        worker = await stage.hire()
        think, turn, look, fire = [await stage.start(name) for name in PLAYS]
        await stage.until_asked("think")
        await stage.until_asked("turn")
        await stage.until_written("began", look.id, "look-1")
        await stage.until_written("began", fire.id, "fire-1")
        await stage.until(fire.id, lambda session: bool(session.waiting_for_answer))
        await think.execute_update("interrupt", {"by": "ana"})
        await look.execute_update("interrupt", {"by": "ana"})
        await fire.signal("terminate", {"by": "ana"})
        await turn.execute_update("steer", {"message": "rather this", "sender": "ana"})
        await worker.kill()
        await stage.hire()
        assert (await stage.done(fire))["status"] == "terminated"
        assert (await stage.done(turn))["status"] == "completed"
        for each in (think, look):
            await stage.until(each.id, lambda session: session.status == "waiting" and not session.pending)
            await each.execute_update("resume", {"by": "ana"})
            assert (await stage.done(each))["status"] == "completed"
        streams = {each.id: await stage.recorded(each.id) for each in (think, turn, look, fire)}
    assert not [breach for stream in streams.values() for breach in breaches(stream)]
    kinds = {
        id_: [each.event.kind for each in stream if isinstance(each.event, LLMCallFailed | ToolExecutionFailed)]
        for id_, stream in streams.items()
    }
    assert [kinds[each.id] for each in (think, turn, look)] == [["interrupted"]] * 3
    assert kinds[fire.id] == ["terminated"]
    assert [each.event.call_id for each in streams[fire.id] if isinstance(each.event, ToolExecutionOutcomeUnknown)] == [
        "fire-1"
    ]
