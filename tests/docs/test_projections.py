"""The view that docs/projections.md shows is one, and does what it says."""

import sys
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from activities.keeper import CLOSING, EVERY, MOST_BYTES, SHARE
from activities.view import IN_MEMORY
from activities.views import CAPACITY
from eventlog.events import AnyEvent, ApprovalDenied, ApprovalGranted, ApprovalRequested
from eventlog.log import Recorded
from projections.composed import compose
from projections.evolution import SESSION
from projections.trial import try_out
from settings import Settings
from tests.docs.documents import snippets
from tests.packaging.checkout import text
from tests.projections.facts import START, recorded


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that is shown, imported."""
    shown = next(each for each in snippets("python") if each.text.startswith("# waiting.py"))
    module = ModuleType("waiting")
    monkeypatch.setitem(sys.modules, "waiting", module)
    exec(compile(shown.text, "waiting.py", "exec"), module.__dict__)
    return module


def asked(call: str) -> ApprovalRequested:
    """A question about one call."""
    return ApprovalRequested(
        call_id=call,
        tool_name="write_file",
        arguments={},
        digest="d",
        question="May it?",
        reason="it writes",
        risk="high",
        expires_at=START + timedelta(days=1),
    )


def test_the_view_shown_is_a_view(waiting: Any) -> None:
    """It counts the answers and the time they took, alone and composed, and snapshots make no difference."""
    granted = ApprovalGranted(call_id="a", digest="d", approver="ana")
    denied = ApprovalDenied(call_id="b", approver="ana", reason="no")
    stray = ApprovalDenied(call_id="c", approver="ana", reason="no")
    story: list[tuple[AnyEvent, float]] = [
        (asked("a"), 0.0),
        (asked("b"), 5.0),
        (granted, 10.0),
        (denied, 11.5),
        (stray, 12.0),
        (asked("d"), 13.0),
    ]
    events: list[Recorded] = [recorded(at, event, after=after) for at, (event, after) in enumerate(story)]
    state = try_out(waiting.WAITING, events)
    assert (state.answers, state.seconds, list(state.asked_at)) == (2, 16.5, ["d"])
    assert try_out(compose(session=SESSION, waiting=waiting.WAITING), events)["waiting"] == state


def test_the_figures_shown_are_those_of_the_code() -> None:
    """Bounds and intervals in docs/projections.md are what the code has."""
    document, fields = " ".join(text("docs/projections.md").split()), Settings.model_fields
    assert (fields["snapshot_every"].default, fields["view_cache_mb"].default * 2**20) == (EVERY, CAPACITY)
    assert (CLOSING, SHARE, IN_MEMORY) == (2, 1 / 4, 5)
    assert "waits two seconds" in document
    assert "a quarter of what the kept state took" in document
    assert "five bytes of memory" in document
    assert f"after {EVERY} events" in document
    assert f"more than {MOST_BYTES // 2**20} MiB" in document
