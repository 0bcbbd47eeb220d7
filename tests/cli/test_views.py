"""Views by name: a plugin's mistakes are told as its own."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cli.errors import BadUsage
from cli.views import shown, view_of
from eventlog.events import UserMessageAdded
from projections.fold import Projection, fold
from projections.usage import USAGE
from tests.projections.facts import recorded

EVENTS = [recorded(0, UserMessageAdded(message="hello", sender="ana"))]


def _fail(*_: Any) -> Any:
    raise ValueError("never mind")


MISTAKEN = {
    "before the first event": Projection("acme.seen", 1, _fail, lambda state, _: state),
    "at position 0": Projection("acme.seen", 1, dict, _fail),
}


@pytest.mark.parametrize("where", MISTAKEN)
def test_a_view_that_fails_is_its_authors_mistake(where: str) -> None:
    """The view is named, with the event, the exception and the line of the plugin; the exception stays its cause."""
    with pytest.raises(BadUsage) as told:
        fold(view_of("acme.seen", [MISTAKEN[where]]), EVENTS)
    assert told.value.kind == "plugin"
    assert told.value.message.startswith(f"view 'acme.seen' fails {where}: ValueError: never mind ({__file__}, line ")
    assert isinstance(told.value.__cause__, ValueError)


@pytest.mark.parametrize("state", [object(), {"a": [print]}, {"b": b"bytes"}, {object(): 1}, int])
def test_a_state_that_is_no_json_is_its_authors_mistake(state: Any) -> None:
    """What cannot be written down is refused with the view's name and the type, not shown as an address in memory."""
    with pytest.raises(
        BadUsage, match=r"^view 'acme.seen' cannot be shown: its state holds an object of the type "
    ) as told:
        shown(MISTAKEN["at position 0"], state)
    assert told.value.kind == "plugin"


def test_what_has_a_usual_text_is_shown_as_it() -> None:
    """Days, amounts, identities and paths are no mistake."""
    id_ = UUID(int=7)
    state = {"day": date(2026, 11, 21), "cost": Decimal("0.1"), "id": id_, "path": Path("a/b"), id_: {1}}
    assert shown(USAGE, state) == {"day": "2026-11-21", "cost": "0.1", "id": str(id_), "path": "a/b", str(id_): [1]}
