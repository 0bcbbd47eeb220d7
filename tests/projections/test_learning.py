"""Views that are continued by what was written, before it was ever read."""

import asyncio
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings

from activities.views import Views
from eventlog.log import Appended, Entry, Recorded
from eventlog.memory import MemoryEventLog
from projections.evolution import SESSION
from projections.fold import Projection
from projections.tool_calls import TOOL_CALLS
from projections.transcript import TRANSCRIPT
from tests.projections.streams import Story, stories
from tests.projections.test_properties import for_every_story

READ_BY_STEPS: tuple[Projection[Any], ...] = (SESSION, TRANSCRIPT, TOOL_CALLS)


@settings(for_every_story, max_examples=50)
@given(story=stories())
def test_an_event_is_the_same_to_a_view_written_or_read(story: Story) -> None:
    """Neither the way through JSON nor what an append does not tell makes a difference to what a step looks at."""
    asyncio.run(_follow(story))


async def _follow(story: Story) -> None:
    log = MemoryEventLog()
    learning, stream = Views(log), story.log[0].stream
    for each in story.log:
        appended = await log.append(stream, Entry(each.id, each.event, each.metadata))
        assert appended == Appended(each.position)
        for view in READ_BY_STEPS:
            await learning.read(view, stream, lambda _: None, least=each.position - 1)
        learning.learn(
            Recorded(each.id, stream, each.position, 0, datetime.min.replace(tzinfo=UTC), each.event, each.metadata)
        )
        for view in READ_BY_STEPS:
            seen = await learning.read(view, stream, deepcopy, least=each.position)
            assert seen == await Views(log).read(view, stream, deepcopy)
