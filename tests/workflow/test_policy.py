"""Policies at work: what is allowed, noted, asked about and denied, and what the stream tells of it."""

from pathlib import Path
from textwrap import dedent

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from eventlog.events import (
    ApprovalRequested,
    PolicyDecided,
    SessionStarted,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionRequested,
)
from eventlog.log import Recorded
from policy.files import read_policy
from policy.rules import Policy
from stack.scripted.answers import Reply
from tests.workflow.conftest import Play
from tests.workflow.hands import launch, look
from tests.workflow.world import World
from tools.capabilities import Capabilities
from tools.errors import ToolUnavailable
from tools.tool import tool

WORDS = """
    default: deny
    reason: nobody has allowed it
    rules:
      - {id: secrets, decision: deny, tools: look, where: {path: word, contains: secret}, reason: that is not for you}
      - {id: odd, decision: warn, tools: look, where: {path: word, starts_with: odd}}
      - {id: large, decision: ask, tools: look, where: {path: word, longer_than: 10}, reason: it is long}
      - {id: rest, decision: allow, tools: [look, launch]}
"""


@pytest.fixture
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of policies."""
    folder = tmp_path_factory.mktemp("policies")
    for name, text in {
        "words": WORDS,
        "nothing": "default: deny",
        "broken": "defaults: deny",
        "big": "allowed_models: claude-*",
        "needs": "rules: [{id: keys, decision: deny, needs: {secrets: PROD_*}, reason: not with keys}]",
    }.items():
        (folder / f"{name}.yaml").write_text(dedent(text), encoding="utf-8")
    return folder


def says(*words: str, tool: str = "look") -> dict[str, list[Reply]]:
    """A model that calls the tool with each of these words at once, and then is done."""
    calls = [(tool, {"word": word}, f"call_{number}") for number, word in enumerate(words)]
    return {"go": [Reply.tools(*calls), Reply.text("done")]}


async def about(world: World, thread: str, call: str) -> list[Recorded]:
    """Every event about one call."""
    return [each for each in await world.recorded(thread) if getattr(each.event, "call_id", "") == call]


async def test_a_policy_allows_notes_and_denies(play: Play, policies: Path) -> None:
    """Each call gets what the first rule that matches says; each decision is an event that the next follows from."""
    world = await play(says("fine", "odd", "secret"), [look, launch], policies=policies, policy=("words",))
    handle = await world.start("go")
    await world.done(handle)
    for number, (decision, rule, last) in enumerate(
        [
            ("allow", "rest", ToolExecutionCompleted),
            ("warn", "odd", ToolExecutionCompleted),
            ("deny", "secrets", ToolExecutionFailed),
        ]
    ):
        events = await about(world, handle.id, f"call_{number}")
        first, second, end = events[0], events[1], events[-1]
        assert isinstance(first.event, PolicyDecided)
        assert (first.event.decision, first.event.layer, first.event.rule) == (decision, "words", rule)
        assert isinstance(end.event, last)
        assert second.metadata.causation_id == first.id
    failed = end.event
    assert isinstance(failed, ToolExecutionFailed)
    assert (failed.kind, failed.error_message) == ("denied_by_policy", "that is not for you")
    assert "that is not for you" in str(world.model.requests[1].json["messages"][-1])


async def test_a_rule_goes_by_what_a_tool_declares(play: Play, policies: Path) -> None:
    """The manifest that was recorded with the session is what the rule looks at."""
    keyed = tool(effect="read_only", capabilities=Capabilities(secrets=("PROD_BANK",)))(pay)
    world = await play(says("fine", tool="pay"), [keyed], policies=policies)
    handle = await world.start("go", policy="needs")
    await world.done(handle)
    decided, failed = [each.event for each in await about(world, handle.id, "call_0")]
    assert isinstance(decided, PolicyDecided)
    assert isinstance(failed, ToolExecutionFailed)
    assert (decided.rule, failed.error_message) == ("keys", "not with keys")


def pay(word: str) -> str:
    """Pay somebody."""
    return word


async def test_the_policy_in_force_is_recorded_whole(play: Play, policies: Path) -> None:
    """The first event holds it, so that it can be asked again when its file is gone; each decision names its digest."""
    world = await play(says("fine"), [look], policies=policies, policy=("words",))
    handle = await world.start("go")
    await world.done(handle)
    started, *_ = events = await world.events(handle.id)
    assert isinstance(started, SessionStarted)
    recorded, written = Policy.read(started.policy), read_policy(policies / "words.yaml")
    assert recorded == written
    assert {event.policy for event in events if isinstance(event, PolicyDecided)} == {written.digest}
    history = await handle.fetch_history()
    assert "nobody has allowed it" not in history.to_json(), "what a policy says is content"


async def test_a_policy_asks_a_person(play: Play, policies: Path) -> None:
    """The approver reads the rule's reason; a granted call runs, without a second decision."""
    world = await play(says("rather long it is"), [look], policies=policies)
    handle = await world.start("go", policy="words")
    await world.until(handle.id, lambda session: session.status == "waiting")
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana"})
    await world.done(handle)
    events = [each.event for each in await about(world, handle.id, "call_0")]
    assert [event.type for event in events] == [
        "PolicyDecided",
        "ApprovalRequested",
        "ApprovalGranted",
        "ToolExecutionRequested",
        "ToolExecutionCompleted",
    ]
    asked = events[1]
    assert isinstance(asked, ApprovalRequested)
    assert (asked.reason, asked.risk) == ("it is long", "low")


async def test_a_call_that_is_tried_again_is_decided_once(play: Play, policies: Path) -> None:
    """The decision stands for every attempt, and each follows from what came before."""
    failures: list[str] = []

    @tool(effect="read_only")
    def look(word: str) -> str:
        """Look something up, the second time."""
        if not failures:
            failures.append(word)
            raise ToolUnavailable("not now", retry_after=0.01)
        return f"{word} is fine"

    world = await play(says("odd"), [look], policies=policies, policy=("words",))
    handle = await world.start("go")
    await world.done(handle)
    events = [each.event.type for each in await about(world, handle.id, "call_0")]
    assert failures
    assert events.count("PolicyDecided") == 1
    assert events[0] == "PolicyDecided"
    assert events[-1] == "ToolExecutionCompleted"


async def test_an_edit_cannot_get_round_a_denial(play: Play, policies: Path) -> None:
    """Arguments that an approver puts in are decided anew, and not run where the policy denies them."""
    world = await play(says("rather long it is"), [look], policies=policies)
    handle = await world.start("go", policy=["words"])
    await world.until(handle.id, lambda session: session.status == "waiting")
    edited = {"call_id": "call_0", "edited_arguments": {"word": "secret"}}
    await handle.execute_update("approve", edited)
    await world.done(handle)
    events = [each.event for each in await about(world, handle.id, "call_0")]
    decided = [(event.decision, event.rule) for event in events if isinstance(event, PolicyDecided)]
    assert decided == [("ask", "large"), ("deny", "secrets")]
    assert not any(isinstance(event, ToolExecutionRequested) for event in events)


async def test_an_author_is_heard_above_a_policy(play: Play, policies: Path) -> None:
    """A tool that always asks asks, though a rule allows it."""
    world = await play(says("it", tool="launch"), [launch], policies=policies, policy=("words",))
    handle = await world.start("go")
    await world.until(handle.id, lambda session: session.status == "waiting")
    await handle.signal("deny", {"call_id": "call_0"})
    await world.done(handle)
    decided = (await about(world, handle.id, "call_0"))[0].event
    assert isinstance(decided, PolicyDecided)
    assert (decided.decision, decided.layer, decided.rule) == ("ask", "author", None)


async def test_what_a_thread_chooses_can_only_be_stricter(play: Play, policies: Path) -> None:
    """Chosen policies lie above the one that is always in force; both are recorded."""
    world = await play(says("fine"), [look], policies=policies, policy=("nothing",))
    handle = await world.start("go", policy="words")
    await world.done(handle)
    started, *_ = events = await world.events(handle.id)
    assert isinstance(started, SessionStarted)
    assert Policy.read(started.policy).name == "nothing+words"
    assert [(event.decision, event.layer) for event in events if isinstance(event, PolicyDecided)] == [
        ("deny", "nothing")
    ]


async def test_without_a_policy_nothing_is_decided(play: Play) -> None:
    """A thread without one runs as threads always did."""
    world = await play(says("fine"), [look])
    handle = await world.start("go")
    await world.done(handle)
    assert "PolicyDecided" not in await world.types(handle.id)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("word", "UnknownPolicy", "did you mean words?"),
        ("big", "DeniedByPolicy", "the model 'scripted-1' may not be asked: the layer 'big' allows claude-*"),
        ("broken", "InvalidPolicy", "there is no key 'defaults' here: did you mean default?"),
    ],
)
async def test_a_policy_that_cannot_be_used_is_refused_at_the_start(
    play: Play, policies: Path, name: str, kind: str, words: str
) -> None:
    """Nothing is begun without the policy that was asked for."""
    world = await play(says("fine"), [look], policies=policies)
    handle = await world.start("go", policy=name)
    world.handles.clear()
    with pytest.raises(WorkflowFailureError) as caught:
        await world.done(handle)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == kind
    assert words in str(caught.value.cause)
    assert await world.events(handle.id) == []
