"""Questions of the model to a person: put, answered once, expired; by signal as by hand and by update."""

import asyncio
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from eventlog.events import HumanInputProvided, HumanInputRequested, RequestIgnored, SessionCompleted
from stack.scripted.answers import Reply
from tests.conftest import Database
from tests.projections.facts import inquired, replied, said, session_of, started, use
from tests.workflow.conftest import Play
from tests.workflow.test_long import impatient_server  # noqa: F401 - a fixture
from tests.workflow.test_people import refused
from tests.workflow.world import World
from tests.workflow.world import world as open_world
from workflows.face import details

Handle = WorkflowHandle[Any, Any]
CHOICE = {"question": "Which colour?", "kind": "choose", "options": ["red", "blue"]}


async def asked(play: Play, arguments: dict[str, Any], **terms: Any) -> tuple[World, Handle]:
    """A world with a thread whose model has asked a person."""
    world = await play({"go": [Reply.tools(("ask_human", arguments, "call_1")), Reply.text("done")]})
    handle = await world.start("go", principal="ben", **terms)
    await world.until(handle.id, lambda session: session.status == "waiting")
    return world, handle


async def provided(world: World, handle: Handle) -> HumanInputProvided:
    """The one answer, once the thread is done."""
    assert (await world.done(handle))["status"] == "completed"
    [event] = [each for each in await world.events(handle.id) if isinstance(each, HumanInputProvided)]
    return event


def read_by_model(world: World) -> str:
    """What the model was shown last."""
    return str(world.model.requests[-1].json["messages"][-1])


async def test_an_answer_signalled_by_hand_is_the_outcome_of_the_call(play: Play) -> None:
    """Doubled answers change nothing, and no tool is begun."""
    world, handle = await asked(play, CHOICE)
    for colour in ("blue", "red", "red"):
        await handle.signal("answer", {"call_id": "call_1", "value": colour, "by": "ana"})
    event = await provided(world, handle)
    assert (event.value, event.by, event.action) == ("blue", "ana", "choose")
    assert "ana answered:" in read_by_model(world)
    assert "'text': 'blue'" in read_by_model(world)
    assert "ToolExecutionRequested" not in await world.types(handle.id)


async def test_a_wrong_answer_is_refused_and_the_question_stays_open(play: Play) -> None:
    """The person is told what is expected; a signal leaves a record."""
    world, handle = await asked(play, CHOICE)
    problem = await refused(handle, "answer", {"call_id": "call_1", "value": "green"})
    assert problem == '"green" is no answer to this question; expected: one of "red", "blue"'
    await handle.signal("answer", {"call_id": "call_1", "value": 3})
    await handle.execute_update("answer", {"call_id": "call_1", "value": 2})
    assert (await provided(world, handle)).value == "blue"
    ignored = [each for each in await world.events(handle.id) if isinstance(each, RequestIgnored)]
    assert [(each.request, each.call_id) for each in ignored] == [("answer", "call_1")] * 2


async def test_of_two_answers_at_once_one_counts(play: Play) -> None:
    """Compare-and-swap: the other leaves a record."""
    world, handle = await asked(play, {"question": "Go on?", "kind": "confirm"})
    both = [handle.execute_update("answer", {"call_id": "call_1", "value": value}) for value in (True, False)]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert sum(isinstance(each, Exception) for each in outcomes) == 1
    assert isinstance((await provided(world, handle)).value, bool)


async def test_foreign_and_late_answers_do_nothing(play: Play) -> None:
    """An answer to no question, and an approval of a question, are refused in words."""
    world, handle = await asked(play, CHOICE)
    assert "call_9" in await refused(handle, "answer", {"call_id": "call_9", "value": "red"})
    assert "answer it" in await refused(handle, "approve", {"call_id": "call_1"})
    await handle.execute_update("answer", {"call_id": "call_1", "value": "red"})
    assert (await provided(world, handle)).value == "red"


async def test_a_question_nobody_answers_expires(play: Play) -> None:
    """The model is told, and goes on."""
    world, handle = await asked(play, CHOICE, approval_timeout=0.3)
    await world.done(handle)
    assert "HumanInputExpired" in await world.types(handle.id)
    assert "Nobody answered in time" in read_by_model(world)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"question": "Which?", "kind": "choose"}, "options: give two or more"),
        ({"question": "Which?", "options": ["a", "b"]}, 'options: only for a question of kind "choose"'),
        ({"question": "Fill in", "form": {"type": "no such type"}}, "form: this is no JSON Schema"),
        ({"question": "Look", "kind": "review"}, "text: a review needs the text"),
        ({"question": "Look", "kind": "guess"}, "kind"),
        ({}, "question: required, but missing"),
    ],
)
async def test_bad_arguments_are_told_to_the_model(play: Play, arguments: dict[str, Any], problem: str) -> None:
    """Nobody is asked anything."""
    world = await play({"go": [Reply.tools(("ask_human", arguments, "call_1")), Reply.text("done")]})
    handle = await world.start("go")
    await world.done(handle)
    assert problem in read_by_model(world)
    assert "HumanInputRequested" not in await world.types(handle.id)


FORM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "seats": {"type": "integer", "minimum": 1}},
    "required": ["name", "seats"],
}


async def test_a_form_is_held_against_its_schema(play: Play) -> None:
    """What does not fit is refused with the place of the mistake."""
    world, handle = await asked(play, {"question": "Your booking?", "form": FORM})
    problem = await refused(handle, "answer", {"call_id": "call_1", "value": {"name": "Ana", "seats": 0}})
    assert "$.seats" in problem
    await handle.execute_update("answer", {"call_id": "call_1", "value": {"name": "Ana", "seats": 2}})
    assert (await provided(world, handle)).value == {"name": "Ana", "seats": 2}
    assert '"seats": 2' in read_by_model(world)


async def test_a_file_is_handed_in_by_its_bytes(play: Play) -> None:
    """The model reads its content; one of another type, or too large, is refused."""
    world, handle = await asked(
        play, {"question": "The figures?", "kind": "upload", "accept": ["text/csv"], "most_bytes": 50}
    )
    content = b64encode(b"a,b\n1,2\n").decode()
    for given, problem in (
        ({"name": "a.txt", "content": content}, "a.txt is text/plain; expected: text/csv"),
        ({"name": "a.csv", "content": b64encode(b"1," * 40).decode()}, "50 at most"),
        ({"name": "a.csv", "content": "?"}, "not base64"),
        ("a,b", "this is no file"),
        ({"path": "nowhere.csv"}, "nowhere.csv"),
        ({"path": "../../etc/passwd"}, "passwd"),
    ):
        assert problem in await refused(handle, "answer", {"call_id": "call_1", "value": given})
    await handle.execute_update("answer", {"call_id": "call_1", "value": {"name": "a.csv", "content": content}})
    event = await provided(world, handle)
    assert (event.value["name"], event.value["bytes"]) == ("a.csv", 8)
    assert "1,2" in read_by_model(world)


async def test_a_file_is_handed_in_by_its_path(play: Play, tmp_path: Path) -> None:
    """It is read in the workspace; what only tools can read is named to the model."""
    (tmp_path / "raw.bin").write_bytes(bytes(range(256)))
    world, handle = await asked(play, {"question": "The data?", "kind": "upload"})
    await handle.execute_update("answer", {"call_id": "call_1", "value": {"path": "raw.bin"}})
    event = await provided(world, handle)
    assert event.content == ()
    assert "in the workspace as raw.bin" in read_by_model(world)


@pytest.mark.parametrize(
    ("value", "verdict", "told"),
    [
        ("accept", "accept", "it is accepted as it is"),
        ({"verdict": "replace", "text": "Dear Bo"}, "replace", "Dear Bo"),
        ({"verdict": "send_back", "comments": "too stiff"}, "send_back", "too stiff"),
    ],
)
async def test_a_text_is_reviewed_before_it_is_used(play: Play, value: Any, verdict: str, told: str) -> None:
    """It is accepted, replaced, or sent back with comments."""
    world, handle = await asked(play, {"question": "Send this?", "kind": "review", "text": "Dear Sir"})
    await handle.execute_update("answer", {"call_id": "call_1", "value": value, "by": "ana"})
    event = await provided(world, handle)
    assert event.verdict == verdict
    assert told in read_by_model(world)


async def test_a_policy_may_deny_questions_or_have_them_allowed(play: Play, tmp_path: Path) -> None:
    """What a policy says of any tool it says of this one too."""
    file = tmp_path / "quiet.yaml"
    file.write_text("rules: [{id: quiet, tools: [ask_human], decision: deny, reason: nobody is there}]\n")
    conversations = {"go": [Reply.tools(("ask_human", CHOICE, "call_1")), Reply.text("done")]}
    world = await play(conversations, policies=tmp_path, policy="quiet")
    handle = await world.start("go")
    await world.done(handle)
    assert "nobody is there" in read_by_model(world)


async def test_a_question_may_have_to_be_allowed_first(play: Play, tmp_path: Path) -> None:
    """Where a policy asks about the tool, the approver decides whether, and in which words, a person is asked."""
    file = tmp_path / "careful.yaml"
    file.write_text("rules: [{id: careful, tools: [ask_human], decision: ask, reason: people are busy}]\n")
    conversations = {"go": [Reply.tools(("ask_human", CHOICE, "call_1")), Reply.text("done")]}
    world = await play(conversations, policies=tmp_path, policy="careful")
    handle = await world.start("go")
    await world.until(handle.id, lambda session: session.status == "waiting")
    assert "approve or deny it" in await refused(handle, "answer", {"call_id": "call_1", "value": "red"})
    edited = {**CHOICE, "question": "Which colour, please?"}
    await handle.execute_update("approve", {"call_id": "call_1", "edited_arguments": edited})
    await world.until(handle.id, lambda session: any(call.action for call in session.waiting_for_answer))
    await handle.execute_update("answer", {"call_id": "call_1", "value": "red"})
    await provided(world, handle)
    [event] = [each for each in await world.events(handle.id) if isinstance(each, HumanInputRequested)]
    assert event.question == "Which colour, please?"


@pytest.mark.parametrize(
    ("action", "value"),
    [("confirm", "true"), ("choose", "1"), ("input", '"…"'), ("upload", '{"path": "…"}'), ("review", '"accept"')],
)
def test_temporals_pages_say_how_to_answer(action: str, value: str) -> None:
    """The current details of a workflow hold the very command."""
    shown = details(session_of(started(), said("hi"), replied(use("a"), at=1), inquired("a", action=action)))
    assert "Waits for an answer: What of a?" in shown
    assert f"""--name answer --input '{{"call_id": "a", "value": {value}}}'""" in shown


async def test_a_question_says_everything_the_person_must_know(play: Play) -> None:
    """The event holds the whole question, in the log alone; Temporal's query tells its first line."""
    world, handle = await asked(play, {**CHOICE, "question": "Which colour?\nFor the door."})
    [event] = [each for each in await world.events(handle.id) if isinstance(each, HumanInputRequested)]
    assert (event.question, event.details) == ("Which colour? For the door.", "Which colour?\nFor the door.")
    [waiting] = await handle.query("pending")
    assert (waiting["call_id"], waiting["question"]) == ("call_1", "Which colour? For the door.")
    await handle.execute_update("answer", {"call_id": "call_1", "value": "red"})
    await provided(world, handle)


@pytest.mark.parametrize("reviewing", [False, True])
async def test_a_question_outlives_many_runs(
    impatient_server: str,  # noqa: F811 - pytest's way to ask for a fixture
    database: Database,
    tmp_path: Path,
    reviewing: bool,
) -> None:
    """The run is renewed again and again while the question waits; its one answer is taken by the last."""
    question = Reply.text("42") if reviewing else Reply.tools(("ask_human", CHOICE, "call_1"))
    script = [question, Reply.text("done")]
    async with open_world(impatient_server, database.url, tmp_path, {"go": script}) as world:
        handle = await world.start("go", review=reviewing)
        await world.until(handle.id, lambda session: session.status == "waiting")
        for number in range(30):
            await handle.signal("answer", {"call_id": "nobody's", "value": number})
        call = "final-answer" if reviewing else "call_1"
        answers: list[Any] = [{"verdict": "replace", "text": "43"}] if reviewing else ["red", "blue"]
        await asyncio.gather(*(handle.signal("answer", {"call_id": call, "value": each}) for each in answers))
        if not reviewing:
            await provided(world, handle)
        assert (await answer_of(world, handle))[1] == "success"
        runs = [each.run_id async for each in world.client.list_workflows(f'WorkflowId="{handle.id}"')]
        events = await world.events(handle.id)
    assert len(runs) > 1
    assert sum(isinstance(each, HumanInputProvided) for each in events) == 1
    assert sum(isinstance(each, RequestIgnored) for each in events) == 30 + len(answers) - 1


async def reviewed(play: Play, *replies: str, **terms: Any) -> tuple[World, Handle]:
    """A world with a thread whose final answer waits for a review."""
    world = await play({"go": [Reply.text(reply) for reply in replies]})
    handle = await world.start("go", review=True, **terms)
    await world.until(handle.id, lambda session: session.status == "waiting")
    return world, handle


async def answer_of(world: World, handle: Handle) -> tuple[str | None, str]:
    """The final answer, and how the thread ended."""
    await world.done(handle)
    [ended] = [each for each in await world.events(handle.id) if isinstance(each, SessionCompleted)]
    return ended.answer, ended.completion_reason


async def test_a_final_answer_is_used_only_when_somebody_has_accepted_it(play: Play) -> None:
    """The question shows the answer; accepted, it is the thread's."""
    world, handle = await reviewed(play, "42")
    [question] = [each for each in await world.events(handle.id) if isinstance(each, HumanInputRequested)]
    assert (question.action, question.subject, question.step) == ("review", "42", 1)
    await handle.execute_update("answer", {"call_id": "final-answer", "value": "accept", "by": "ana"})
    assert await answer_of(world, handle) == ("42", "success")


async def test_a_final_answer_is_replaced(play: Play) -> None:
    """What the reviewer wrote is the answer; where it must fit a schema, theirs must, too."""
    world, handle = await reviewed(play, "42", result_schema={"type": "integer"})
    replace = {"call_id": "final-answer", "value": {"verdict": "replace", "text": "more"}}
    assert "not JSON" in await refused(handle, "answer", replace)
    await handle.execute_update("answer", {**replace, "value": {"verdict": "replace", "text": "43"}})
    assert await answer_of(world, handle) == ("43", "success")


async def test_a_final_answer_is_sent_back(play: Play) -> None:
    """The model reads why, and its next answer is reviewed again; an answer to the question before does nothing."""
    world, handle = await reviewed(play, "42", "forty-two")
    [first] = [each.inquired_at for each in (await world.session(handle.id)).waiting_for_answer]
    comments = {"verdict": "send_back", "comments": "in words, please"}
    await handle.execute_update("answer", {"call_id": "final-answer", "value": comments, "by": "ana"})
    await world.until(handle.id, lambda session: session.steps == 2 and session.status == "waiting")
    assert "ana did not accept your answer" in read_by_model(world)
    assert "in words, please" in read_by_model(world)
    late = {"call_id": "final-answer", "value": "accept", "position": first}
    assert "look at it again" in await refused(handle, "answer", late)
    await handle.execute_update("answer", {"call_id": "final-answer", "value": "accept"})
    assert await answer_of(world, handle) == ("forty-two", "success")


@pytest.mark.parametrize("door", ["message", "steer"])
async def test_a_word_to_the_agent_takes_the_review_back(play: Play, door: str) -> None:
    """The answer knows nothing of it: the model is asked again at once, and its next answer is reviewed instead."""
    world, handle = await reviewed(play, "42", "forty-two")
    await handle.execute_update(door, "in words, please")
    session = await world.until(handle.id, lambda session: session.steps == 2 and session.status == "waiting")
    assert [question.step for question in session.waiting_for_answer] == [2]
    await handle.execute_update("answer", {"call_id": "final-answer", "value": "accept"})
    assert await answer_of(world, handle) == ("forty-two", "success")


async def test_a_final_answer_that_nobody_reviews_is_not_used(play: Play) -> None:
    """The thread fails and says why."""
    world = await play({"go": [Reply.text("42")]})
    handle = await world.start("go", review=True, approval_timeout=0.3)
    assert await answer_of(world, handle) == (None, "failure")
