"""How much a turn leaves in Temporal's history, in bytes: they do not depend on how busy the machine is."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent

from bench.model import Plan
from bench.system import events_of, system
from tests.conftest import Database

TURNS = 10
MOST = 2000
"""Bytes a turn, of 2 KB, with a thread's beginning and end shared out among so few."""
IDENTITY = "1234@box"
"""Temporal writes the process's number and the machine's name into every event; this is what they are counted as."""


def beyond(events: Sequence[HistoryEvent]) -> int:
    """The bytes by which the names of the worker and of this machine are longer than those of `IDENTITY`."""
    named = (each for event in events for each in _names(getattr(event, str(event.WhichOneof("attributes")))))
    return sum(len(each) - len(IDENTITY) for each in named if each)


def _names(attributes: Any) -> tuple[str, str]:
    queue = getattr(attributes, "task_queue", None)
    sticky = queue.name.rpartition("-")[0] if queue is not None and queue.normal_name else ""
    return getattr(attributes, "identity", ""), sticky


@pytest.mark.parametrize(("tool", "most"), [("look_up", MOST), ("glance", MOST - 250)])
async def test_a_turn_leaves_little_in_temporal(
    temporal_server: str, database: Database, tmp_path: Path, tool: str, most: int
) -> None:
    """At most 2,000 bytes of history, whatever was said in it, and each turn as much as the one before."""
    async with system(temporal_server, database.url, tmp_path) as here:
        handle = await here.start(f"history-{tool}", Plan(TURNS, tool, 1000))
        await here.finish(handle, events_of(TURNS))
        events = (await handle.fetch_history()).events
        described = (await handle.describe()).raw_description.workflow_execution_info
    asked = [
        index
        for index, event in enumerate(events)
        if event.activity_task_scheduled_event_attributes.activity_type.name == "call_model"
    ]
    assert (described.history_size_bytes - beyond(events)) / TURNS <= most
    turns = [sum(event.ByteSize() for event in events[begin:end]) for begin, end in pairwise(asked)]
    assert len(turns) == TURNS
    assert max(turns[1:]) - min(turns[1:]) < 100  # numbers have more digits, a task may be scheduled another way
