"""Trying a view out: whether folding it twice gives the same, and whether snapshots make no difference to it."""

from collections.abc import Sequence
from typing import TypeVar

from eventlog.log import Recorded
from projections.codec import Codec
from projections.fold import InvalidProjection, Projection, fold

S = TypeVar("S")


def try_out(projection: Projection[S], events: Sequence[Recorded]) -> S:
    """The view of these events, folded in every way there is. Raises `InvalidProjection` where two ways differ.

    Takes time with the square of the number of events: some dozens show every mistake.
    """
    whole = fold(projection, events)
    if fold(projection, events) != whole:
        raise InvalidProjection(
            f"projection {projection.name!r} gives another state when it is folded again: evolve may use nothing but "
            "the state and the event, and initial must make a new state each time"
        )
    if projection.codec is not None:
        _try_snapshots(projection, projection.codec, events, whole)
    return whole


def _try_snapshots(projection: Projection[S], codec: Codec[S], events: Sequence[Recorded], whole: S) -> None:
    state = projection.initial()
    for index, recorded in enumerate(events):
        state = projection.evolve(state, recorded)
        going_on = _kept(projection, codec, state, recorded.position)
        for later in events[index + 1 :]:
            going_on = projection.evolve(going_on, later)
        if going_on != whole:
            raise InvalidProjection(
                f"projection {projection.name!r} gives another state when it goes on from a snapshot made after "
                f"position {recorded.position}: its codec must give back exactly what it was given"
            )


def _kept(projection: Projection[S], codec: Codec[S], state: S, position: int) -> S:
    try:
        return codec.decode(codec.encode(state))
    except ValueError as error:
        raise InvalidProjection(
            f"the state of projection {projection.name!r} cannot be kept after position {position}: {error}"
        ) from error
