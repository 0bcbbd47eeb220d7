"""Replays a thread's history against the workflow code of this checkout, to see whether it decides as it did then.

    temporal workflow show --workflow-id THREAD --output json > history.json
    python examples/replay_history.py history.json

The Web UI's "Download Event History JSON" makes the same file. Nothing is called, written or paid for: activities are
not run again, their results are read from the history. With `--debug` a `breakpoint()` in `workflows/agent.py` or
`projections/next_step.py` stops there.
"""

import asyncio
import os
import sys
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from worker import sandbox
from workflows.agent import AgentWorkflow
from workflows.payloads import data_converter


async def replay(history: WorkflowHistory, *, debugging: bool = False) -> None:
    """Raises `workflow.NondeterminismError` where today's code decides otherwise."""
    replayer = Replayer(
        workflows=[AgentWorkflow],
        data_converter=data_converter,
        workflow_runner=UnsandboxedWorkflowRunner() if debugging else sandbox(),  # the sandbox keeps debuggers out
        debug_mode=debugging,  # else a step that takes two seconds counts as a deadlock
    )
    await replayer.replay_workflow(history)


if __name__ == "__main__":
    recorded = WorkflowHistory.from_json("recorded", Path(sys.argv[1]).read_text(encoding="utf-8"))
    asyncio.run(replay(recorded, debugging="--debug" in sys.argv))
    print(f"{len(recorded.events)} events replayed: the code decides as it did then", flush=True)
    os._exit(0)  # an interpreter that tears down the SDK's runtime thread may crash, and say so by its exit code
