"""Three-valued truth: yes, no, and None where it cannot be told."""

from collections.abc import Iterable
from typing import TypeAlias

Truth: TypeAlias = bool | None
"""None where what is asked about is not there or of another kind."""


def negated(truth: Truth) -> Truth:
    """What cannot be told stays so."""
    return None if truth is None else not truth


def all_of(truths: Iterable[Truth]) -> Truth:
    """A single no decides; else what cannot be told leaves it open."""
    open_ = False
    for truth in truths:
        if truth is False:
            return False
        open_ = open_ or truth is None
    return None if open_ else True


def any_of(truths: Iterable[Truth]) -> Truth:
    """A single yes decides; else what cannot be told leaves it open."""
    open_ = False
    for truth in truths:
        if truth:
            return True
        open_ = open_ or truth is None
    return None if open_ else False
