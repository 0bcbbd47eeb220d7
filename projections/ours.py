"""Our own views, by name; plugins' views have other names."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from projections.evolution import SESSION
from projections.fold import Projection
from projections.summary import SUMMARY
from projections.timeline import TIMELINE
from projections.tool_calls import TOOL_CALLS
from projections.transcript import TRANSCRIPT
from projections.usage import USAGE

OURS: Mapping[str, Projection[Any]] = MappingProxyType(
    {view.name: view for view in (SESSION, SUMMARY, TIMELINE, TOOL_CALLS, TRANSCRIPT, USAGE)}
)
