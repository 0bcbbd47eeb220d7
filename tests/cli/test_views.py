"""Views by name: a plugin's mistakes are told as its own."""

from typing import Any

import pytest

from cli.errors import BadUsage
from cli.views import view_of
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


def test_a_view_with_the_name_of_one_of_ours_is_refused() -> None:
    """Nobody asks for the one and gets the other; ours, imported into a plugin, is no second one."""
    with pytest.raises(BadUsage, match="named 'usage'"):
        view_of("session", [Projection("usage", 1, dict, lambda state, _: state)])
    assert view_of("usage", [USAGE]) is USAGE
