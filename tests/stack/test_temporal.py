"""The embedded Temporal, where its defaults would not do."""

import asyncio
from uuid import uuid4

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import Client, WorkflowUpdateStage
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

WAITING = 1_300
"""More than Temporal lets wait at a time by default."""
TELLING = 100
"""More than Temporal lets one workflow be told at a time by default."""


@workflow.defn
class Told:
    """Keeps whoever tells it something waiting."""

    def __init__(self) -> None:
        self._told = 0
        self._answers = False

    @workflow.run
    async def run(self) -> int:
        """How many have told it something, once it has answered all."""
        await workflow.wait_condition(lambda: self._answers)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._told

    @workflow.update
    async def tell(self) -> None:
        """Wait for an answer."""
        self._told += 1
        await workflow.wait_condition(lambda: self._answers)

    @workflow.signal
    def answer(self) -> None:
        """Answer everybody."""
        self._answers = True


async def test_more_than_a_thousand_may_wait_for_a_workflow(temporal_server: str) -> None:
    """Each of them learns of its end, and nobody is turned away."""
    client = await Client.connect(temporal_server)
    handle = await client.start_workflow("Nobodys", id=f"wait-{uuid4().hex}", task_queue=f"nobodys-{uuid4().hex}")
    until_closed = GetWorkflowExecutionHistoryRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=handle.id),
        wait_new_event=True,
        history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
    )
    waiting = [
        asyncio.create_task(client.workflow_service.get_workflow_execution_history(until_closed, retry=False))
        for _ in range(WAITING)
    ]
    await asyncio.sleep(0)  # all of them have asked before it ends
    await handle.terminate()
    answers = await asyncio.gather(*waiting)
    assert len(answers) == WAITING


async def test_many_may_tell_one_workflow_something_at_once(temporal_server: str) -> None:
    """All of their updates are taken while not one of them is answered."""
    client = await Client.connect(temporal_server)
    queue = f"told-{uuid4().hex}"
    async with Worker(client, task_queue=queue, workflows=[Told], workflow_runner=UnsandboxedWorkflowRunner()):
        handle = await client.start_workflow(Told.run, id=queue, task_queue=queue)
        taken = [handle.start_update(Told.tell, wait_for_stage=WorkflowUpdateStage.ACCEPTED) for _ in range(TELLING)]
        assert len(await asyncio.gather(*taken)) == TELLING
        await handle.signal(Told.answer)
        assert await handle.result() == TELLING
