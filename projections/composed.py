"""Several views in one: the log is read once and every view of it grows."""

from collections.abc import Mapping
from typing import Any

from eventlog.log import Recorded
from projections.fold import Projection


def compose(**projections: Projection[Any]) -> Projection[Mapping[str, Any]]:
    """A view that holds each of these under its keyword: the same states as if each had been folded alone."""

    def initial() -> dict[str, Any]:
        return {key: projection.initial() for key, projection in projections.items()}

    def evolve(states: Mapping[str, Any], recorded: Recorded) -> dict[str, Any]:
        return {key: projection.evolve(states[key], recorded) for key, projection in projections.items()}

    name = "+".join(f"{key}:{projection.name}.{projection.version}" for key, projection in projections.items())
    return Projection(name, 1, initial, evolve)
