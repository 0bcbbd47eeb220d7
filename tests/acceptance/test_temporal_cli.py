"""Threads driven by the `temporal` command line alone."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eventlog.events import ApprovalDenied, ApprovalGranted, RequestIgnored, UserMessageAdded
from stack.scripted.answers import Reply
from tests.acceptance.invariants import told
from tests.acceptance.servers import Servers
from tests.acceptance.stage import Stage, staged

PLAYS = {
    "launch": [
        Reply.tools(("launch", {}, "call-1"), ("launch", {}, "call-2"), ("launch", {}, "call-3")),
        Reply.text("done"),
    ],
    "talk": [Reply.text("hello"), Reply.text("fine")],
}


@pytest.fixture(scope="module")
async def stage(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A stage with one worker."""
    async with staged(servers, tmp_path_factory.mktemp("stage"), PLAYS) as stage:
        await stage.hire()
        yield stage


async def begin(stage: Stage, thread: str, **terms: Any) -> None:
    """Start a thread by hand."""
    kind = ("--type", "Agent", "--task-queue", stage.queue)
    await stage.cli.workflow("start", *kind, "--workflow-id", thread, "--input", json.dumps(terms))


async def signal(stage: Stage, thread: str, name: str, *given: Any) -> None:
    """Send a signal by hand."""
    inputs = [word for each in given for word in ("--input", json.dumps(each))]
    await stage.cli.workflow("signal", "--workflow-id", thread, "--name", name, *inputs)


async def query(stage: Stage, thread: str, name: str) -> Any:
    """Ask a workflow by hand."""
    answer = await stage.cli.workflow_json("query", "--workflow-id", thread, "--type", name)
    return answer["queryResult"][0]


async def update(stage: Stage, thread: str, name: str, given: Any) -> tuple[int, str]:
    """Send an update by hand."""
    words = ("--workflow-id", thread, "--name", name, "--input", json.dumps(given))
    return await stage.cli.attempt("update", "execute", *words)


async def test_a_task_with_approvals_from_its_start_to_its_result(stage: Stage) -> None:
    """Start, query, list who waits, approve, deny, update, result and describe."""
    thread = f"by-hand-{stage.queue}"
    await begin(stage, thread, message="launch", principal="ben")
    await stage.until(thread, lambda session: len(session.waiting_for_answer) == 3)
    assert {each["call_id"] for each in await query(stage, thread, "pending")} == {"call-1", "call-2", "call-3"}
    assert (await query(stage, thread, "state"))["status"] == "waiting"
    listed = await stage.cli.workflow_json("list", "--query", f'PerdurePending > 0 AND WorkflowId = "{thread}"')
    assert [each["execution"]["workflowId"] for each in listed] == [thread]
    await signal(stage, thread, "approve", {"call_id": "call-1", "approver": "ana"})
    await signal(stage, thread, "deny", {"call_id": "call-2", "approver": "ana", "reason": "too loud"})
    code, said = await update(stage, thread, "approve", {"call_id": "call-9"})
    assert code != 0
    assert "no call 'call-9' waits for an answer" in said
    code, said = await update(stage, thread, "approve", {"call_id": "call-3", "approver": "eve"})
    assert (code, "position" in said) == (0, True)
    result = await stage.cli.workflow_json("result", "--workflow-id", thread)
    assert result["result"]["reason"] == "success"
    described = await stage.cli.workflow_json("describe", "--workflow-id", thread)
    assert "COMPLETED" in described["workflowExecutionInfo"]["status"]
    story = await told(stage, stage.client.get_workflow_handle(thread))
    granted = {each.call_id: each.approver for each in story.events if isinstance(each, ApprovalGranted)}
    assert granted == {"call-1": "ana", "call-3": "eve"}
    assert [each.reason for each in story.events if isinstance(each, ApprovalDenied)] == ["too loud"]
    assert sorted(line.call for line in story.acted) == ["call-1", "call-3"]


async def test_a_chat_from_its_first_message_to_its_termination(stage: Stage) -> None:
    """Message, pause, resume and terminate; what nobody can understand leaves a record."""
    thread = f"chat-{stage.queue}"
    await begin(stage, thread, message="talk", mode="chat")
    await stage.until(thread, lambda session: session.turns == 1)
    await signal(stage, thread, "pause", {"by": "ana"})
    await signal(stage, thread, "message", "how are you?")
    await signal(stage, thread, "message", {"mesage": "typo"})
    await stage.until(thread, lambda session: session.paused and session.messages == 2)
    assert (await query(stage, thread, "state"))["status"] == "paused"
    await signal(stage, thread, "resume")
    await stage.until(thread, lambda session: session.turns == 2 and session.status == "waiting")
    await signal(stage, thread, "terminate", {"by": "ana", "reason": "enough"})
    result = await stage.cli.workflow_json("result", "--workflow-id", thread)
    assert result["result"]["status"] == "terminated"
    story = await told(stage, stage.client.get_workflow_handle(thread))
    assert [each.message for each in story.events if isinstance(each, UserMessageAdded)] == ["talk", "how are you?"]
    [ignored] = [each for each in story.events if isinstance(each, RequestIgnored)]
    assert "mesage" in ignored.problem


async def test_two_people_answer_by_hand(stage: Stage) -> None:
    """What a question wants, and how far it is, is told by a query; an edit is answered at its position."""
    thread = f"two-by-hand-{stage.queue}"
    approval = {"quorum": 2, "approvers": ["ana", "b*"]}
    await begin(stage, thread, message="launch", principal="ben", approval=approval)
    await stage.until(thread, lambda session: len(session.waiting_for_answer) == 3)
    for call in ("call-2", "call-3"):
        await signal(stage, thread, "deny", {"call_id": call, "approver": "ana"})
    await signal(stage, thread, "approve", {"call_id": "call-1", "approver": "ana", "remember": "arguments"})
    await stage.until(thread, lambda session: [call.ballot.names for call in session.waiting_for_answer] == [("ana",)])
    [question] = await query(stage, thread, "pending")
    assert (question["votes"], question["quorum"]) == (["ana"], 2)
    code, said = await update(stage, thread, "approve", {"call_id": "call-1", "approver": "eve"})
    assert (code != 0, "eve is not among those who may answer" in said) == (True, True)
    code, said = await update(stage, thread, "approve", {"call_id": "call-1", "approver": "bo", "position": 0})
    assert (code != 0, f"position {question['position']}" in said) == (True, True)
    answer = {"call_id": "call-1", "approver": "bo", "position": question["position"]}
    code, said = await update(stage, thread, "approve", answer)
    assert (code, "position" in said) == (0, True)
    story = await told(stage, stage.client.get_workflow_handle(thread))
    assert [line.call for line in story.acted] == ["call-1"]
