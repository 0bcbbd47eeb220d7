"""States that are kept in snapshots, and go on as if they had never been away."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from eventlog.events import ApprovalGranted, ToolExecutionCompleted, UserMessageAdded
from eventlog.log import Recorded
from llm.messages import text_block
from projections.codec import json_codec
from projections.composed import compose
from projections.conversation import Reply
from projections.evolution import SESSION
from projections.fold import InvalidProjection, Projection, fold
from projections.transcript import TRANSCRIPT, Transcript
from projections.trial import try_out
from projections.usage import USAGE
from tests.projections.facts import recorded
from tests.projections.streams import Story, stories
from tests.projections.test_properties import VIEWS, for_every_story

TOGETHER = compose(**{view.name: view for view in VIEWS})
"""Keeps each part as its own codec does."""


def kept(view: Projection[Any], state: Any) -> Any:
    """The state, out of a snapshot."""
    assert view.codec is not None
    return view.codec.decode(view.codec.encode(state))


@settings(for_every_story, max_examples=50)
@given(story=stories())
def test_a_fold_may_go_on_from_a_snapshot_made_anywhere(story: Story) -> None:
    """Wherever it is cut, every view of ours that goes on from a snapshot is what was folded whole."""
    assert try_out(TOGETHER, story.log) == fold(TOGETHER, story.log)


SEEN: list[str] = []


def _forget(_: list[str]) -> bytes:
    return b"[]"


def _remember(state: list[str], each: Recorded) -> list[str]:
    SEEN.append(each.event.type)
    return [*state, *SEEN]


def _note(state: list[str], each: Recorded) -> list[str]:
    return [*state, each.event.type]


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (
            Projection("forgets", 1, list, _note, replace(json_codec(list[str]), encode=_forget)),
            "'forgets' gives another state when it goes on from a snapshot made after position 0",
        ),
        (Projection("remembers", 1, list, _remember), "'remembers' gives another state when it is folded again"),
        (
            Projection("numbers", 1, list, _note, json_codec(list[int])),
            "the state of projection 'numbers' cannot be kept after position 0: .*int",
        ),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_a_bad_view_is_found_by_trying_it(view: Projection[list[str]], said: str) -> None:
    """One that keeps too little, one that is not pure, and one whose state is not of the type it says."""
    events = [recorded(position, UserMessageAdded(message="go", sender="ana")) for position in range(3)]
    with pytest.raises(InvalidProjection, match=f"(?s){said}"):
        try_out(view, events)
    assert try_out(Projection("notes", 1, list, _note, json_codec(list[str])), events) == ["UserMessageAdded"] * 3


@pytest.mark.parametrize("odd", [float("inf"), -0.0, 1e22, 2**80, "\0", "\N{SYMBOL FOR ESCAPE}", "😀", 0.1, None, True])
def test_what_tools_give_comes_back_as_it_was(odd: object) -> None:
    """Also where JSON has no word for it, or two."""
    reply = Reply("tool_use", False, None, ({"type": "odd", "value": odd},), (), "")
    reply.outcomes["a"] = ToolExecutionCompleted(
        call_id="a", tool_name="t", result=({"type": "odd", "value": odd},), execution_time_ms=1
    )
    reply.edits["a"] = ApprovalGranted(call_id="a", digest="d", approver="ana", edited_arguments={"value": odd})
    transcript = Transcript(entries=[reply], reply=reply)
    assert repr(kept(TRANSCRIPT, transcript)) == repr(transcript)


def test_half_a_character_cannot_be_kept() -> None:
    """It is no JSON: the view is folded instead."""
    reply = Reply("end_turn", True, None, (text_block("\ud800"),), (), "")
    with pytest.raises(ValueError, match="surrogates"):
        kept(TRANSCRIPT, Transcript(entries=[reply], reply=reply))


def test_the_last_reply_is_one_of_the_entries() -> None:
    """And no copy of it: what comes of its calls is shown where it stands."""
    reply = Reply("tool_use", False, None, (), (), "")
    again = kept(TRANSCRIPT, Transcript(entries=[reply], reply=reply))
    done = ToolExecutionCompleted(call_id="a", tool_name="t", result=(), execution_time_ms=1)
    TRANSCRIPT.evolve(again, recorded(0, done))
    assert again.entries[0].outcomes == {"a": done}


def test_other_code_has_another_stamp() -> None:
    """A view of another version or shape, alone or as a part, does not read the snapshots of this one."""
    raised = Projection(SESSION.name, SESSION.version + 1, SESSION.initial, SESSION.evolve, SESSION.codec)
    reshaped = Projection(SESSION.name, SESSION.version, SESSION.initial, SESSION.evolve, USAGE.codec)  # type: ignore[arg-type]
    for other in (raised, reshaped):
        assert other.stamp != SESSION.stamp
        together, another = compose(a=SESSION, b=USAGE), compose(a=other, b=USAGE)
        assert (together.name, together.stamp) == (compose(a=SESSION, b=USAGE).name, compose(a=SESSION, b=USAGE).stamp)
        assert together.name == another.name
        assert together.stamp != another.stamp


def test_a_composed_view_is_kept_only_where_all_its_parts_are() -> None:
    """A part without a codec would have to be folded anyway."""
    plain = Projection("plain", 1, SESSION.initial, SESSION.evolve)
    assert compose(a=SESSION, b=plain).codec is None
    assert plain.stamp == "1"
