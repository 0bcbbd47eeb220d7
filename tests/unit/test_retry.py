"""How long is waited before a failure is tried again."""

import pytest

from activities.retry import pause_before


@pytest.mark.parametrize(
    ("retry", "asked_for", "pause"),
    [
        (0, None, 1.0),
        (3, None, 8.0),
        # Doubling ends at a minute.
        (11, None, 60.0),
        # Who asks for a time is obeyed, be it shorter or longer than ours.
        (5, 0.25, 0.25),
        (0, 90.0, 90.0),
        # No time at all, or a date in the past, would use up all attempts at once.
        (2, 0.0, 4.0),
        (2, -7.0, 4.0),
        # Nobody is waited for until the sun goes out.
        (0, 1e18, 600.0),
    ],
)
def test_the_pause_doubles_unless_another_was_asked_for(retry: int, asked_for: float | None, pause: float) -> None:
    """The provider's `retry-after` goes before our own pauses, within reason."""
    assert pause_before(retry, asked_for) == pause
