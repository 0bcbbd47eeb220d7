"""Starts that cannot be: each fails at once and says why."""

from typing import Any

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from tests.workflow.conftest import Play


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ({"message": "hello", "tools": ["levitate"]}, "levitate"),
        ({"massage": "hello"}, "massage"),
        ({"message": ""}, "message"),
        (None, "input"),
        ({"message": "x", "mode": "chat", "result_schema": {}}, "mode 'task'"),
        ({"message": "x", "result_schema": {"type": "numberr"}}, "result_schema"),
        ({"message": "x", "limits": {"turns": -1}}, "limits.turns"),
    ],
)
async def test_a_wrong_start_fails_in_words_and_writes_nothing(play: Play, start: Any, said: str) -> None:
    """Also when it was written by hand."""
    world = await play({})
    handle = await world.client.start_workflow("Agent", start, id=f"wrong-{world.queue}", task_queue=world.queue)
    with pytest.raises(WorkflowFailureError) as caught:
        await world.done(handle)
    assert isinstance(caught.value.cause, ApplicationError)
    assert said in caught.value.cause.message
    assert await world.events(handle.id) == []


async def test_a_workflow_id_that_cannot_name_a_stream_is_refused(play: Play) -> None:
    """Message DB would take it; Perdure says what is wrong."""
    world = await play({})
    handle = await world.client.start_workflow("Agent", "hello", id="no spaces please", task_queue=world.queue)
    with pytest.raises(WorkflowFailureError) as caught:
        await world.done(handle)
    assert "cannot be a thread id" in str(caught.value.cause)


async def test_two_inputs_are_one_too_many(play: Play) -> None:
    """What does not fit the workflow fails it, rather than to leave it stuck."""
    world = await play({})
    handle = await world.client.start_workflow(
        "Agent", args=["hello", "again"], id=f"two-{world.queue}", task_queue=world.queue
    )
    with pytest.raises(WorkflowFailureError) as caught:
        await world.done(handle)
    assert "one input" in str(caught.value.cause)
