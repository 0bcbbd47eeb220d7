"""Approvals at work: several people, their edits, second groups, tokens, and what is remembered."""

import asyncio
import base64
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

import worker as composition
from activities.tokens import Tokens
from bootstrap import Defaults
from eventlog.approval_terms import ApprovalTerms
from eventlog.events import (
    AnyEvent,
    ApprovalEscalated,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalReused,
    ApprovalVoted,
    PolicyDecided,
    RequestIgnored,
    ToolExecutionFailed,
    ToolExecutionRequested,
)
from llm.anthropic import AnthropicModel
from llm.clients import anthropic_client
from llm.messages import ModelTerms
from stack.scripted.answers import Reply
from tests.projections.facts import asked, asked_under, asking, replied, said, session_of, started, use, voted
from tests.workflow.conftest import Play
from tests.workflow.hands import launch, look
from tests.workflow.world import World
from tools.plugins import load_tools
from tools.workbench import Workbench
from workflows.face import details

Handle = WorkflowHandle[Any, Any]
KEY = SecretStr("a key that nobody has ever guessed")


def asks(*words: str) -> dict[str, list[Reply]]:
    """A model that wants to launch one thing after the other."""
    calls = [Reply.tools(("launch", {"word": word}, f"call_{number}")) for number, word in enumerate(words)]
    return {"go": [*calls, Reply.text("done")]}


async def waiting(play: Play, *words: str, approval: Mapping[str, object], **settings: Any) -> tuple[World, Handle]:
    """A world with a thread that waits for leave to launch the first of these."""
    world = await play(asks(*(words or ("it",))), [launch, look], **settings)
    handle = await world.start("go", principal="ben", approval=approval)
    await world.until(handle.id, lambda session: session.status == "waiting")
    return world, handle


async def of(world: World, handle: Handle, *kinds: type[Any]) -> list[Any]:
    """The thread's events of these classes."""
    return [event for event in await world.events(handle.id) if isinstance(event, kinds)]


async def refused(handle: Handle, name: str, **request: object) -> str:
    """Why an answer was not taken."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(name, request)
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.message


async def test_two_approvers_at_once_make_one_approval(play: Play) -> None:
    """Where one yes is enough, the other leaves no more than a record, and the call runs once."""
    world, handle = await waiting(play, approval={})
    answers = [handle.signal("approve", {"call_id": "call_0", "approver": name}) for name in ("ana", "bo", "cy")]
    await asyncio.gather(*answers)
    await world.done(handle)
    assert len(await of(world, handle, ApprovalGranted)) == 1
    assert len(await of(world, handle, RequestIgnored)) == 2
    assert len(await of(world, handle, ToolExecutionRequested)) == 1


async def test_so_many_people_as_are_wanted_must_allow_it(play: Play) -> None:
    """Each is recorded, also who may not; nobody counts twice, and who started the thread not at all."""
    world, handle = await waiting(play, approval={"quorum": 2, "self_approval": False})
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana"})
    assert " ANA has allowed it already: 1 of 2" in await refused(handle, "approve", call_id="call_0", approver=" ANA")
    assert "may not allow its calls" in await refused(handle, "approve", call_id="call_0", approver="Ben")
    assert "give a name" in await refused(handle, "approve", call_id="call_0")
    assert [each.by for each in await of(world, handle, RequestIgnored)] == [" ANA", "Ben", "anonymous"]
    assert not await of(world, handle, ToolExecutionRequested)
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "bo"})
    await world.done(handle)
    voted, granted = await of(world, handle, ApprovalVoted, ApprovalGranted)
    assert (voted.approver, granted.approver) == ("ana", "bo")
    assert voted.digest == granted.digest


async def test_an_edit_begins_the_votes_anew(play: Play) -> None:
    """Whoever allows it then must say that they have seen it; what runs is what both have allowed."""
    world, handle = await waiting(play, approval={"quorum": 2})
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana"})
    edit = {"call_id": "call_0", "approver": "bo", "edited_arguments": {"word": "less"}}
    position = (await handle.execute_update("approve", edit))["position"]
    problem = await refused(handle, "approve", call_id="call_0", approver="cy")
    assert f'"position": {position}' in problem
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "cy", "position": position})
    await world.done(handle)
    [granted] = await of(world, handle, ApprovalGranted)
    [intent] = await of(world, handle, ToolExecutionRequested)
    assert granted.edited_arguments == intent.arguments == {"word": "less"}
    assert intent.digest == granted.edited_digest != granted.digest
    assert "bo changed the arguments" in str(world.model.requests[1].json["messages"][-1])


async def test_one_denial_denies(play: Play) -> None:
    """Whatever others have said before."""
    world, handle = await waiting(play, approval={"quorum": 3})
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana"})
    await handle.execute_update("deny", {"call_id": "call_0", "approver": "bo", "reason": "too early"})
    await world.done(handle)
    assert not await of(world, handle, ToolExecutionRequested)


async def test_a_second_group_is_asked_where_the_first_does_not_answer(play: Play) -> None:
    """It has its own time; the first group may answer no more."""
    next_ = [{"approvers": "boss*", "timeout": 60}]
    world, handle = await waiting(play, approval={"approvers": "ana", "timeout": 0.3, "escalation": next_})
    await world.until(handle.id, lambda session: session.pending["call_0"].ballot.level == 1)
    [escalated], [asked] = await of(world, handle, ApprovalEscalated), await of(world, handle, ApprovalRequested)
    assert escalated.approvers == (("boss*",),)
    assert escalated.expires_at > asked.expires_at
    assert "not among those who may answer: boss*" in await refused(handle, "approve", call_id="call_0", approver="ana")
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "boss-2"})
    await world.done(handle)
    assert len(await of(world, handle, ToolExecutionRequested)) == 1


async def test_where_nobody_answers_at_all_it_is_not_run(play: Play) -> None:
    """One group after the other, each an event, then the denial that the model reads."""
    next_ = [{"timeout": 0.2}, {"timeout": 0.2}]
    world, handle = await waiting(play, approval={"timeout": 0.2, "escalation": next_})
    await world.done(handle)
    types = [kind for kind in await world.types(handle.id) if kind.startswith("Approval")]
    assert types == ["ApprovalRequested", "ApprovalEscalated", "ApprovalEscalated", "ApprovalExpired"]
    assert "Nobody answered in time" in str(world.model.requests[1].json["messages"][-1])


@pytest.fixture
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a policy."""
    folder = tmp_path_factory.mktemp("policies")
    text = """
        rules:
          - {id: never, decision: deny, tools: look, where: {path: word, equals: secret}, reason: not for you}
          - id: large
            decision: ask
            tools: look
            where: {path: word, longer_than: 10}
            approval: {quorum: 2, self_approval: false}
          - id: small
            decision: ask
            tools: look
            approval: {timeout: 0.3s, on_expiry: allow}
    """
    (folder / "words.yaml").write_text(dedent(text), encoding="utf-8")
    return folder


def looks(*words: str) -> dict[str, list[Reply]]:
    """A model that looks one word up after the other."""
    calls = [Reply.tools(("look", {"word": word}, f"call_{number}")) for number, word in enumerate(words)]
    return {"go": [*calls, Reply.text("done")]}


async def test_nobodys_answer_may_be_a_yes(play: Play, policies: Path) -> None:
    """Where the policy's rule says so: the end of the time is recorded with what follows, and the call runs."""
    world = await play(looks("it"), [look], policies=policies, policy=("words",))
    handle = await world.start("go")
    await world.done(handle)
    types = await world.types(handle.id)
    assert types[types.index("ApprovalRequested") :][:3] == [
        "ApprovalRequested",
        "ApprovalExpired",
        "ToolExecutionRequested",
    ]
    [asked] = await of(world, handle, ApprovalRequested)
    [decided] = await of(world, handle, PolicyDecided)
    assert decided.approval == asked.terms
    assert (asked.terms.timeout, asked.terms.on_expiry) == (0.3, "allow")


async def test_an_edit_cannot_get_round_a_stricter_rule(play: Play, policies: Path) -> None:
    """Other arguments are asked about as the rule for them wants it, from the moment somebody puts them in."""
    world = await play(looks("rather long it is"), [look], policies=policies, policy=("words",))
    handle = await world.start("go", principal="ben", approval={"timeout": 60})
    await world.until(handle.id, lambda session: session.status == "waiting")
    shorter = {"call_id": "call_0", "approver": "ana", "edited_arguments": {"word": "short"}}
    await handle.execute_update("approve", shorter)
    longer = {"call_id": "call_0", "approver": "bo", "edited_arguments": {"word": "as long as ever"}}
    position = (await handle.execute_update("approve", longer))["position"]
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana", "position": position})
    await world.done(handle)
    [intent] = await of(world, handle, ToolExecutionRequested)
    assert intent.arguments == {"word": "as long as ever"}
    assert len(await of(world, handle, ApprovalVoted)) == 2


async def test_what_is_remembered_is_not_asked_again(play: Play) -> None:
    """Each later use is an event that names the approval it rests on; another thread asks anew."""
    world, handle = await waiting(play, "one", "two", "one", approval={})
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana", "remember": "tool"})
    await world.done(handle)
    reused = await of(world, handle, ApprovalReused)
    [grant] = [each for each in await world.recorded(handle.id) if isinstance(each.event, ApprovalGranted)]
    assert [(each.call_id, each.grant, each.approvers) for each in reused] == [
        ("call_1", grant.position, ("ana",)),
        ("call_2", grant.position, ("ana",)),
    ]
    assert len(await of(world, handle, ApprovalRequested)) == 1


async def test_only_the_very_same_may_be_remembered(play: Play) -> None:
    """Other arguments are asked about."""
    world, handle = await waiting(play, "one", "one", "two", approval={})
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana", "remember": "arguments"})
    await world.until(handle.id, lambda session: "call_2" in session.pending and session.status == "waiting")
    assert [each.call_id for each in await of(world, handle, ApprovalReused)] == ["call_1"]
    await handle.execute_update("deny", {"call_id": "call_2", "approver": "ana"})
    await world.done(handle)


async def test_what_is_remembered_gets_round_no_rule(play: Play, policies: Path) -> None:
    """Another rule asks again, and a denial stays one."""
    words = ("short", "rather long it is", "secret")
    world = await play(looks(*words), [look], policies=policies, policy=("words",))
    handle = await world.start("go", approval={"timeout": 60})
    await world.until(handle.id, lambda session: session.status == "waiting")
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana", "remember": "tool"})
    await world.until(handle.id, lambda session: "call_1" in session.pending and session.status == "waiting")
    await handle.execute_update("deny", {"call_id": "call_1", "approver": "ana"})
    await world.done(handle)
    assert not await of(world, handle, ApprovalReused)
    [failed] = await of(world, handle, ToolExecutionFailed)
    assert failed.kind == "denied_by_policy"


async def question_id(world: World, handle: Handle) -> Any:
    """The id of the event that asks."""
    [asked] = [each for each in await world.recorded(handle.id) if isinstance(each.event, ApprovalRequested)]
    return asked.id


async def test_an_answer_must_show_the_token(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    """Without it, and with a wrong one, nothing happens but a record; no event and no log has it."""
    caplog.set_level(logging.DEBUG)
    world, handle = await waiting(play, approval={"token": True}, approval_key=KEY)
    token = Tokens(KEY).token_of(await question_id(world, handle))
    assert token is not None
    answer = {"call_id": "call_0", "approver": "ana"}
    before = await world.session(handle.id)
    assert await refused(handle, "approve", **answer) == "the question's token was not shown"
    assert await refused(handle, "approve", **answer, token=f"{token}x") == "the question's token was not shown"
    assert await refused(handle, "deny", **answer, token="x" * 43) == "the question's token was not shown"
    assert (await world.session(handle.id)).pending == before.pending
    await handle.execute_update("approve", {**answer, "token": token})
    await world.done(handle)
    assert len(await of(world, handle, RequestIgnored)) == 3
    assert token not in str(await world.recorded(handle.id))
    assert token not in caplog.text
    history = (await handle.fetch_history()).to_json()
    assert plain(history).count(token) == 1 + 1  # the answer that showed it, and the wrong one that began with it


def plain(history: str) -> str:
    """A history with its payloads decoded."""

    def text(value: Any) -> Any:
        match value:
            case {"data": str(data), "metadata": _}:
                return base64.b64decode(data).decode(errors="replace")
            case dict():
                return {key: text(each) for key, each in value.items()}
            case list():
                return [text(each) for each in value]
        return value

    return json.dumps(text(json.loads(history)))


async def test_without_a_key_nothing_is_asked_with_a_token(play: Play) -> None:
    """The call is not run, and the model and the operator read why."""
    world = await play(asks("it"), [launch])
    handle = await world.start("go", approval={"token": True})
    await world.done(handle)
    [failed] = await of(world, handle, ToolExecutionFailed)
    assert failed.kind == "no_approval_key"
    assert "PERDURE_APPROVAL_KEY" in failed.error_message


async def test_votes_outlive_their_worker(play: Play) -> None:
    """Another worker counts on from the log."""
    world, handle = await waiting(play, approval={"quorum": 2})
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana"})
    await world.worker.shutdown()
    await handle.signal("approve", {"call_id": "call_0", "approver": "ana"})
    await handle.signal("approve", {"call_id": "call_0", "approver": "bo"})
    adapter = AnthropicModel(anthropic_client(api_key="key", base_url=world.model.url))
    following = composition.build(
        world.client,
        world.settings,
        log=world.log,
        model=adapter,
        toolbox=Workbench([*load_tools([]), launch], world.settings.workspace),
        defaults=Defaults(ModelTerms(name="scripted-1"), "Be brief."),
    )
    async with following:
        await world.done(handle)
        await world.check()
    await adapter.close()
    world.handles.clear()
    kinds: tuple[type[AnyEvent], ...] = (ApprovalVoted, ApprovalGranted, RequestIgnored, ToolExecutionRequested)
    assert [event.type for event in await of(world, handle, *kinds)] == [
        "ApprovalVoted",
        "RequestIgnored",
        "ApprovalGranted",
        "ToolExecutionRequested",
    ]


async def test_a_question_says_who_may_answer(play: Play) -> None:
    """The query tells how far it is."""
    world, handle = await waiting(play, approval={"quorum": 2, "approvers": ["ana", "bo"]})
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana"})
    [question] = await handle.query("pending")
    assert (question["votes"], question["quorum"]) == (["ana"], 2)
    await handle.execute_update("deny", {"call_id": "call_0", "approver": "bo"})
    await world.done(handle)


def test_the_details_in_the_web_ui_tell_how_far_a_question_is() -> None:
    """Who has said yes, who is asked, and all that an answer must hold."""
    terms = ApprovalTerms(quorum=2, approvers=(("b*", "cy"),), token=True)
    calls = (started(), said("hi"), asking(1, 1), replied(use("a", "write_file"), at=1))
    shown = details(session_of(*calls, asked_under("a", terms)))
    assert "2 people must allow it; asked are b*, cy" in shown
    assert """{"call_id": "a", "approver": "…", "token": "…"}""" in shown
    shown = details(session_of(*calls, asked_under("a", terms), voted("a", edited={"path": "x"})))
    assert "1 of 2 so far: bo" in shown
    assert "bo changed the arguments" in shown
    assert '"position": 5' in shown
    plain = details(session_of(*calls, asked("a")))
    assert """--input '{"call_id": "a"}'""" in plain
    assert "Waits for approval: May a write?" in plain
