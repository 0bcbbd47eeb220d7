"""The model's context, rule by rule."""

import pytest

from eventlog.events import AnyEvent, SessionCompleted, SessionPaused, UnknownEvent
from llm.messages import Block, ToolSpec, text_block
from projections.fold import fold
from projections.transcript import TRANSCRIPT, NotStarted, final_answer, render
from tests.projections.facts import (
    MODEL,
    asked,
    asking,
    begun,
    completed,
    denied,
    expired,
    given,
    granted,
    messages_of,
    model_failed,
    replied,
    request_of,
    results_in,
    said,
    session_of,
    started,
    thought,
    tool_failed,
    unknown,
    use,
)

SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


def text(words: str) -> Block:
    """A text block."""
    return text_block(words)


def ours(words: str) -> Block:
    """A text block of ours."""
    return text_block(f"[perdure] {words}")


def test_a_request_has_system_terms_and_tools() -> None:
    """System prompt and terms are the session's, the tools are those given."""
    spec = ToolSpec(name="read_file", description="Reads.", input_schema={"type": "object"})
    request = render(fold(TRANSCRIPT, given(started(), said("hi"))), [spec])
    assert (request.system, request.terms, request.tools) == ("Be brief.", MODEL, (spec,))


def test_a_stream_without_a_beginning_has_no_request() -> None:
    """Rendering an empty stream says what is missing."""
    with pytest.raises(NotStarted, match="SessionStarted"):
        render(fold(TRANSCRIPT, []), ())


def test_the_schema_of_the_result_stands_in_the_system_prompt() -> None:
    """A wanted result schema is told to the model as canonical JSON after the system prompt."""
    request = request_of(started(result_schema={"type": "object", "b": 1, "a": 2}), said("hi"))
    assert request.system == (
        'Be brief.\n\nThe final answer must be JSON that fits this schema:\n{"a":2,"b":1,"type":"object"}'
    )


def test_a_schema_without_a_system_prompt_stands_alone() -> None:
    """No blank lines come before the schema where there is no system prompt."""
    assert request_of(started(system="", result_schema={}), said("hi")).system.startswith("The final answer must")


def test_a_message_with_attachments_is_one_user_message() -> None:
    """Text comes first, attachments follow as they were given."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    assert messages_of(started(), said("look", image)) == [("user", [text("look"), image])]


def test_a_message_without_words_is_never_empty() -> None:
    """The provider takes no blank text: a blank message is told in our words, or by its attachment alone."""
    image = {"type": "image", "source": {}}
    assert messages_of(started(), said("  \n")) == [("user", [ours("The user sent an empty message.")])]
    assert messages_of(started(), said(" ", image)) == [("user", [image])]


def test_messages_in_a_row_are_one() -> None:
    """Two messages before any reply make one message of two blocks."""
    assert messages_of(started(), said("a"), said("b")) == [("user", [text("a"), text("b")])]


def test_a_reply_stands_as_it_was_said() -> None:
    """Every block comes back verbatim, thoughts, citations and blocks not yet known included."""
    content = [thought(), {"type": "text", "text": "x", "citations": [1]}, {"type": "new", "z": {"b": 1, "a": None}}]
    assert messages_of(started(), said("hi"), replied(*content))[1] == ("assistant", content)


def test_results_stand_in_call_order_whatever_order_they_came_in() -> None:
    """The message after the reply has one result a call, in the order of the calls."""
    events = (
        started(),
        said("hi"),
        replied(use("a"), use("b"), use("c")),
        begun("a"),
        begun("c"),
        completed("c", "C"),
        tool_failed("b"),
        completed("a", "A"),
    )
    assert messages_of(*events)[2] == (
        "user",
        [
            {"type": "tool_result", "tool_use_id": "a", "content": [text("A")]},
            {
                "type": "tool_result",
                "tool_use_id": "b",
                "content": [ours("The tool failed: no such file")],
                "is_error": True,
            },
            {"type": "tool_result", "tool_use_id": "c", "content": [text("C")]},
        ],
    )


FAILURES = [
    (tool_failed("a", "gone", kind="unknown_tool"), "There is no such tool: gone"),
    (tool_failed("a", "n is no int", kind="invalid_arguments"), "The arguments are not valid: n is no int"),
    (tool_failed("a", "30 s", kind="timeout"), "The tool did not finish in time: 30 s"),
    (tool_failed("a", "no network", kind="unavailable"), "The tool is not available: no network"),
    (tool_failed("a", "killed", kind="crashed"), "The process that ran the tool died: killed"),
    (tool_failed("a", "odd", kind="a kind of a plugin"), "The tool failed: odd"),
    (
        unknown("a"),
        (
            "Nobody knows whether this call took effect: The process died. "
            "Do not simply repeat it: find out first what happened, or ask."
        ),
    ),
    (denied("a"), "bo did not allow this call, so it was not run. Reason: not on a Friday"),
    (expired("a"), "Nobody answered in time whether this call may run, so it was not run."),
]


@pytest.mark.parametrize(("outcome", "words"), FAILURES, ids=lambda value: getattr(value, "kind", None))
def test_what_went_wrong_is_told_in_plain_words(outcome: AnyEvent, words: str) -> None:
    """Each bad outcome is an error the model can read."""
    events = (started(), said("hi"), replied(use("a", "write_file")), outcome)
    result = messages_of(*events)[2][1][0]
    assert result == {"type": "tool_result", "tool_use_id": "a", "content": [ours(words)], "is_error": True}


def test_a_tool_that_returns_nothing_still_has_a_result() -> None:
    """Neither an empty result nor a blank text reaches the provider."""
    for blank in ((), ("",), (" ", "\n")):
        result = messages_of(started(), said("hi"), replied(use("a")), completed("a", *blank))[2][1][0]
        assert result["content"] == [ours("The tool returned nothing.")]


def test_a_failure_that_is_tried_again_is_no_result() -> None:
    """Only the last attempt's outcome is told."""
    events = (started(), said("hi"), replied(use("a")), tool_failed("a", will_retry=True))
    assert len(messages_of(*events)) == 2
    assert messages_of(*events, completed("a", "A"))[2][1][0]["content"] == [text("A")]


def test_the_first_outcome_counts() -> None:
    """A call has one result, though two processes report."""
    events = (started(), said("hi"), replied(use("a")), completed("a", "first"), tool_failed("a"))
    assert [block["content"] for block in messages_of(*events)[2][1]] == [[text("first")]]


def test_the_model_reads_that_an_approver_changed_its_arguments() -> None:
    """An edited call's result says who changed the arguments, and to what."""
    events = (
        started(),
        said("hi"),
        replied(use("a", "write_file", path="x")),
        asked("a", path="x"),
        granted("a", edited={"path": "y", "b": 1}, comment="y is safer"),
        begun("a", "write_file", path="y"),
        completed("a", "written"),
    )
    note = 'bo changed the arguments of this call before it ran, to: {"b":1,"path":"y"} They said: y is safer'
    assert messages_of(*events)[2][1][0]["content"] == [ours(note), text("written")]
    assert ours(note) in messages_of(*events[:-1], unknown("a"))[2][1][0]["content"]


def test_an_approval_without_edits_is_not_mentioned() -> None:
    """The model reads the result alone."""
    events = (started(), said("hi"), replied(use("a")), asked("a"), granted("a"), completed("a", "ok"))
    assert messages_of(*events)[2][1][0]["content"] == [text("ok")]


def test_an_open_call_has_no_result_while_nothing_follows() -> None:
    """In the middle of a turn the reply stands last."""
    assert [role for role, _ in messages_of(started(), said("hi"), replied(use("a")))] == ["user", "assistant"]


def test_an_open_call_is_not_run_where_something_follows() -> None:
    """Once another result or message follows, every call has its result."""
    calls = (started(), said("hi"), replied(use("a"), use("b")))
    not_run = {"content": [ours("This call was not run.")], "is_error": True, "type": "tool_result"}
    assert messages_of(*calls, completed("b", "B"))[2][1][0] == {**not_run, "tool_use_id": "a"}
    assert messages_of(*calls, said("stop"))[2] == (
        "user",
        [{**not_run, "tool_use_id": "a"}, {**not_run, "tool_use_id": "b"}, text("stop")],
    )


def test_what_is_said_while_tools_run_stands_after_their_results() -> None:
    """Results come first, in the same message."""
    events = (started(), said("hi"), replied(use("a")), begun("a"), said("hurry"), completed("a", "A"), said("please"))
    role, blocks = messages_of(*events)[2]
    assert role == "user"
    assert [block["type"] for block in blocks] == ["tool_result", "text", "text"]
    assert blocks[1:] == [text("hurry"), text("please")]


def test_what_is_said_while_the_model_answers_stands_after_its_answer() -> None:
    """The reply had not read it, so it comes before it."""
    events = (started(), said("hi"), asking(1, at=1), said("wait"), replied("hello", at=1))
    assert messages_of(*events) == [("user", [text("hi")]), ("assistant", [text("hello")]), ("user", [text("wait")])]


def test_what_was_said_before_the_request_stands_before_the_reply() -> None:
    """The position the request was rendered at decides, not when the request was written."""
    events = (started(), said("hi"), said("more"), asking(1, at=2), replied("hello", at=2))
    assert [role for role, _ in messages_of(*events)] == ["user", "assistant"]
    late = (started(), said("hi"), said("more"), asking(1, at=1), replied("hello", at=1))
    assert [role for role, _ in messages_of(*late)] == ["user", "assistant", "user"]


def test_what_is_said_while_the_model_calls_tools_stands_after_their_results() -> None:
    """A message sent during the model call waits for the results of the calls it then makes."""
    events = (started(), said("hi"), said("wait"), replied(use("a"), at=1), completed("a", "A"))
    assert messages_of(*events)[2] == (
        "user",
        [{"type": "tool_result", "tool_use_id": "a", "content": [text("A")]}, text("wait")],
    )


def test_failed_model_calls_leave_no_trace() -> None:
    """The next request shows the same conversation, and what was said since."""
    events = (
        started(),
        said("hi"),
        asking(1, at=1),
        model_failed(will_retry=True),
        said("there?"),
        model_failed(),
        said("?"),
    )
    assert messages_of(*events) == [("user", [text("hi"), text("there?"), text("?")])]


def test_a_reply_to_a_step_that_was_given_up_is_none() -> None:
    """A process thought dead may still report: the conversation has gone on without it."""
    events = (started(), said("hi"), model_failed(step=1), replied(use("a"), step=1), said("again"))
    assert messages_of(*events) == [("user", [text("hi"), text("again")])]


def test_calls_of_a_reply_that_was_cut_off_were_not_run() -> None:
    """They may be incomplete: the model reads that, and asks again in smaller pieces."""
    events = (started(), said("hi"), replied("I will", use("a"), use("b"), stop_reason="max_tokens"))
    words = (
        "Your reply was cut off, so this call may be incomplete and was not run. Ask for it again, in smaller pieces."
    )
    assert messages_of(*events)[2][1] == [
        {"type": "tool_result", "tool_use_id": call, "content": [ours(words)], "is_error": True} for call in "ab"
    ]


def test_text_that_was_cut_off_is_continued() -> None:
    """The model is asked to go on, not prefilled with its own words."""
    events = (started(), said("hi"), replied("Once upon", stop_reason="max_tokens"))
    words = "Your reply was cut off because it was too long. Go on exactly where it stopped."
    assert messages_of(*events)[1:] == [("assistant", [text("Once upon")]), ("user", [ours(words)])]


def test_a_thought_that_was_cut_off_is_not_sent_again() -> None:
    """A reply of nothing but a broken thought disappears; the model is asked to be brief."""
    events = (started(), said("hi"), replied(thought(), stop_reason="max_tokens"))
    words = "Your reply was cut off before you said anything. Think less, or do it in smaller steps."
    assert messages_of(*events) == [("user", [text("hi"), ours(words)])]


@pytest.mark.parametrize("content", [(), ("",), (" \n",), (thought(),)])
def test_an_empty_reply_is_nudged(content: tuple[Block | str, ...]) -> None:
    """A reply without words leaves no message behind but a nudge."""
    events = (started(), said("hi"), replied(*content, final=False))
    words = "Your reply was empty. Go on with the task, or give your final answer."
    assert messages_of(*events) == [("user", [text("hi"), ours(words)])]


def test_an_answer_that_is_not_taken_is_explained() -> None:
    """The model reads what is wrong, and gives the whole answer again."""
    events = (started(), said("hi"), replied("{", problem="The answer is not JSON."))
    words = "Your answer was not taken. The answer is not JSON.\nGive the whole answer again."
    assert messages_of(*events)[1:] == [("assistant", [text("{")]), ("user", [ours(words)])]


def test_an_unfinished_reply_of_an_unknown_kind_is_asked_to_go_on() -> None:
    """Whatever stop reasons are yet to be invented, the last word is never left to the model."""
    events = (started(), said("hi"), replied("well", stop_reason="a_new_one"))
    assert messages_of(*events)[2] == ("user", [ours("Go on.")])


def test_a_refused_reply_is_never_sent_again() -> None:
    """The provider demands it: words of ours stand in its place, and its calls need no results."""
    events = (started("chat"), said("hi"), replied("I sh", use("a"), stop_reason="refusal"), said("else?"))
    assert messages_of(*events) == [
        ("user", [text("hi")]),
        ("assistant", [ours("The model refused to answer.")]),
        ("user", [text("else?")]),
    ]


SEARCH: Block = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}


def test_a_paused_reply_stays_last_and_is_continued_in_place() -> None:
    """The provider goes on with the very message it paused."""
    events = (started(), said("hi"), replied("Searching", SEARCH, stop_reason="pause_turn", final=False))
    assert messages_of(*events)[1:] == [("assistant", [text("Searching"), SEARCH])]
    found = replied({"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}, "Found", step=2, at=2)
    assert [block["type"] for block in messages_of(*events, found)[1][1]] == [
        "text",
        "server_tool_use",
        "web_search_tool_result",
        "text",
    ]


def test_nothing_is_said_between_the_parts_of_a_paused_reply() -> None:
    """A message in the meantime waits until the reply is whole, and is answered then."""
    paused = (started(), said("hi"), replied(SEARCH, stop_reason="pause_turn", final=False), said("wait"))
    assert [role for role, _ in messages_of(*paused)] == ["user", "assistant"]
    whole = (*paused, replied("Found", step=2, at=3))
    assert messages_of(*whole)[1:] == [("assistant", [SEARCH, text("Found")]), ("user", [text("wait")])]
    assert session_of(*whole).owes_reply


def test_call_ids_that_a_server_uses_again_are_told_apart() -> None:
    """The provider takes every id once: the second is shown as another, in the call and in its result."""
    events = (
        started(),
        said("hi"),
        replied(use("call_0")),
        completed("call_0", "one"),
        replied(use("call_0"), step=2, at=3),
        completed("call_0", "two"),
    )
    messages = messages_of(*events)
    assert messages[1][1] == [use("call_0")]
    assert messages[3][1] == [use("call_0_2")]
    assert messages[4][1] == [{"type": "tool_result", "tool_use_id": "call_0_2", "content": [text("two")]}]
    assert results_in(messages[2][1])[0]["content"] == [text("one")]


def test_names_and_ids_that_a_provider_does_not_take_are_shown_in_plain_letters() -> None:
    """Another server's model may call a tool by any name; sent back as it is, it would end the thread."""
    odd = use("fn:1 ü", "bad name/ü" + "x" * 100)
    messages = messages_of(started(), said("hi"), replied(odd), tool_failed("fn:1 ü"))
    [shown] = messages[1][1]
    assert shown == use("fn_1__", "bad_name__" + "x" * 54)
    assert results_in(messages[2][1])[0]["tool_use_id"] == "fn_1__"


def test_what_is_no_part_of_the_conversation_is_left_out() -> None:
    """Pauses, endings and events not known yet are not told to the model."""
    events = (
        started(),
        SessionPaused(by="bo", reason="lunch"),
        said("hi"),
        UnknownEvent(type_name="Later", data={"x": 1}),
        SessionCompleted(completion_reason="terminated", summary="over"),
    )
    assert messages_of(*events) == [("user", [text("hi")])]


# -- the final answer -------------------------------------------------------------------------------


def answer_of(*events: AnyEvent) -> str | None:
    """The final answer of a stream."""
    return final_answer(fold(TRANSCRIPT, given(*events)))


def test_the_final_answer_is_the_last_word() -> None:
    """Only a final reply has an answer, without its thoughts."""
    assert answer_of(started(), said("hi")) is None
    assert answer_of(started(), said("hi"), replied(use("a"))) is None
    assert answer_of(started(), said("hi"), replied(thought(), "yes")) == "yes"


def test_a_refusal_is_no_answer() -> None:
    """What a refused reply began to say is not the result of anything."""
    assert answer_of(started(), said("hi"), replied("I", stop_reason="refusal")) is None


def test_an_answer_in_pieces_is_whole() -> None:
    """What was cut off and continued, or paused and continued, is one answer."""
    events = (
        started(),
        said("hi"),
        replied("one ", stop_reason="max_tokens"),
        replied("two ", step=2, at=2, stop_reason="pause_turn"),
        replied("three", step=3, at=3),
    )
    assert fold(TRANSCRIPT, given(*events[:4])).so_far == "one two "
    assert answer_of(*events) == "one two three"


def test_an_answer_after_a_new_message_stands_alone() -> None:
    """What was cut off before somebody spoke is not part of the answer to them."""
    events = (started(), said("hi"), replied("one", stop_reason="max_tokens"), said("no, two"))
    assert answer_of(*events, replied("two", step=2, at=3)) == "two"
    in_flight = (started(), said("hi"), said("no, two"), replied("one", stop_reason="max_tokens"))
    assert answer_of(*in_flight, replied("two", step=2, at=3)) == "two"


def test_an_answer_that_fits_its_schema_alone_is_taken_alone() -> None:
    """A model that begins anew instead of going on is understood."""
    events = (started(result_schema=SCHEMA), said("hi"), replied('{"n', stop_reason="max_tokens"))
    assert answer_of(*events, replied('{"n": 1}', step=2, at=2)) == '{"n": 1}'
    assert answer_of(*events, replied('": 1}', step=2, at=2)) == '{"n": 1}'


def test_the_transcript_knows_for_whom_it_is() -> None:
    """What an activity needs besides the words is at hand."""
    events = given(started(), said("hi"))
    transcript = fold(TRANSCRIPT, events)
    assert (transcript.tenant, transcript.principal) == ("acme", "ana")
    assert transcript.last_id == events[-1].id
    assert transcript.terms == events[0].event


def test_a_long_stream_is_continued_in_place() -> None:
    """Ten thousand events make one list of entries, not ten thousand copies."""
    turns = 2500
    events: list[AnyEvent] = [started(), said("hi")]
    for turn in range(turns):
        at, call = len(events) - 1, f"call_{turn}"
        events += [asking(turn + 1, at), replied(use(call), step=turn + 1, at=at), begun(call), completed(call, "ok")]
    transcript = TRANSCRIPT.initial()
    entries = transcript.entries
    assert all(TRANSCRIPT.evolve(transcript, each) is transcript for each in given(*events))
    assert transcript.entries is entries
    assert len(render(transcript, ()).messages) == 1 + 2 * turns
