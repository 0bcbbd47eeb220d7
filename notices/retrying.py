"""How long to wait before what could not be delivered is tried again."""

import random

FIRST = 5.0
"""Seconds before the second attempt."""
FACTOR = 3.0
LONGEST = 6 * 3600.0
"""Seconds between two attempts, at most."""
LONGEST_WISH = 24 * 3600.0
"""Seconds that a receiver's own Retry-After may ask for."""
SPREAD = 0.2
"""How far a pause may be off, so that what failed together does not come again together."""


def pause_after(attempts: int, wished: float | None = None, chance: float | None = None) -> float:
    """Seconds to wait after so many attempts, never fewer than the receiver wished.

    `chance`, from 0 to 1, says where in its range the pause lies; none is given: at random.
    """
    chance = random.random() if chance is None else chance  # noqa: S311 - it guards nothing
    pause = min(FIRST * FACTOR ** min(attempts - 1, 40), LONGEST) * (1 - SPREAD + 2 * SPREAD * chance)
    return max(pause, min(wished or 0.0, LONGEST_WISH))
