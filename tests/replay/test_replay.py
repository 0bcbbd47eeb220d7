"""Every history ever released replays."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

import worker
from tests.replay import CORPUS, HERE
from workflows.agent import AgentWorkflow
from workflows.payloads import data_converter

HISTORIES = sorted(HERE.glob("*/*.json"))


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: f"{file.parent.name}-{file.stem}")
async def test_a_recorded_history_replays(file: Path) -> None:
    """The workflow of today decides as the released one did."""
    replayer = Replayer(workflows=[AgentWorkflow], data_converter=data_converter, workflow_runner=worker.sandbox())
    await replayer.replay_workflow(recorded(file))


def recorded(file: Path) -> WorkflowHistory:
    """The history in a file."""
    return WorkflowHistory.from_json(file.stem, file.read_text(encoding="utf-8"))


def test_the_version_of_today_has_a_corpus() -> None:
    """Approvals, failures, retries, parallel calls and continue-as-new are in it."""
    names = {file.stem.rpartition("-")[0] for file in CORPUS.glob("*.json")}
    assert names >= {
        "approval",
        "approval-denied",
        "approval-expired",
        "failures",
        "parallel",
        "long",
        "chat",
        "limits",
        "quorum",
        "escalated",
        "asked",
        "reviewed",
        "stepped",
        "steered",
        "interrupted",
        "held-back",
        "raised",
        "circling",
    }
    assert (CORPUS / "long-1.json").exists()
