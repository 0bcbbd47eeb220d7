"""What every projection is folded with."""

import re
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from projections.composed import compose
from projections.fold import InvalidProjection, Projection, changed
from projections.session import PendingCall, Session

START = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_changed_state_is_what_replace_gives() -> None:
    """Equal in every field, a state of its own, and as frozen as the first."""
    before = Session(position=3, thread_id="thread", started_at=START, turns=2)
    pending = {"a": PendingCall("a", "read_file", "Read")}
    after = changed(before, position=4, turns=3, pending=pending)
    assert after == replace(before, position=4, turns=3, pending=pending)
    assert before == Session(position=3, thread_id="thread", started_at=START, turns=2)
    assert changed(after) is not after
    with pytest.raises(FrozenInstanceError):
        after.turns = 4  # type: ignore[misc]


def test_a_field_may_have_any_name() -> None:
    """Also one that the function might use for itself."""
    assert changed(PendingCall("a", "read_file", "Read"), state="begun").state == "begun"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "cannot be named ''"),
        ({"name": "open orders"}, "cannot be named 'open orders'"),
        ({"name": "1st"}, "a name begins with a letter"),
        ({"name": "a" * 201}, "at most 200 characters"),
        ({"version": 0}, "the version of projection 'count' is 0: it must be a whole number from 1 on"),
        ({"version": "2"}, "the version of projection 'count' is '2'"),
        ({"version": True}, "the version of projection 'count' is True"),
        ({"initial": 0}, "initial of projection 'count' must be a function, not 0"),
        ({"evolve": None}, "evolve of projection 'count' must be a function, not None"),
        ({"codec": int}, "the codec of projection 'count' must be a Codec"),
    ],
)
def test_what_is_no_projection_is_refused(change: dict[str, Any], said: str) -> None:
    """Where it is made, and in words that name it."""
    given: dict[str, Any] = {"name": "count", "version": 1, "initial": int, "evolve": lambda count, _: count + 1}
    assert Projection(**given).name == "count"
    with pytest.raises(InvalidProjection, match=re.escape(said)):
        Projection(**{**given, **change})


def test_nothing_composed_is_refused() -> None:
    """A view of nothing would have no name."""
    with pytest.raises(InvalidProjection, match="nothing was given"):
        compose()
