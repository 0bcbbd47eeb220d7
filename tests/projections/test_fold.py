"""What every projection is folded with."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime

import pytest

from projections.fold import changed
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
