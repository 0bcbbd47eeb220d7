"""A reply is added up from its events without losing anything."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm.errors import ModelUnavailable
from llm.messages import Block, ModelReply, TokenUsage
from llm.reply import ReplyInProgress, reply_of
from tests.llm.events import Event, begin, calling, delta, end, saying, start, stop

CALL = {"type": "tool_use", "id": "toolu_1", "name": "echo", "input": {}}


def added(*events: Event) -> ModelReply:
    """The reply these events make."""
    reply = ReplyInProgress()
    for event in events:
        reply.add(event)
    return reply.whole("req_1")


def block_of(begun: Block, *deltas: Event) -> Block:
    """The one block of a reply."""
    return added(start(), begin(0, begun), *deltas, stop(0), *end()).content[0]


def test_text_arrives_whole() -> None:
    """The pieces are joined, and the message's own words are kept."""
    reply = added(*saying("Hello"))
    assert reply.content == ({"type": "text", "text": "Hello"},)
    assert (reply.message_id, reply.model, reply.stop_reason, reply.request_id) == (
        "msg_1",
        "claude-test",
        "end_turn",
        "req_1",
    )


@pytest.mark.parametrize(
    ("begun", "deltas", "whole"),
    [
        pytest.param(
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                delta(0, "thinking_delta", thinking="Let me "),
                delta(0, "thinking_delta", thinking="see"),
                delta(0, "signature_delta", signature="c2ln"),
            ],
            {"type": "thinking", "thinking": "Let me see", "signature": "c2ln"},
            id="thinking with its signature",
        ),
        pytest.param(
            {"type": "thinking", "thinking": "", "signature": ""},
            [delta(0, "signature_delta", signature="c2ln")],
            {"type": "thinking", "thinking": "", "signature": "c2ln"},
            id="thinking that is not shown",
        ),
        pytest.param(
            {"type": "redacted_thinking", "data": "ZW5j"},
            [],
            {"type": "redacted_thinking", "data": "ZW5j"},
            id="redacted thinking",
        ),
        pytest.param(
            {"type": "text", "text": "", "citations": None},
            [
                delta(0, "text_delta", text="As said"),
                delta(0, "citations_delta", citation={"type": "page_location", "n": 1}),
                delta(0, "citations_delta", citation={"type": "char_location", "n": 2}),
            ],
            {
                "type": "text",
                "text": "As said",
                "citations": [{"type": "page_location", "n": 1}, {"type": "char_location", "n": 2}],
            },
            id="citations",
        ),
        pytest.param(
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
            [delta(0, "input_json_delta", partial_json='{"q"'), delta(0, "input_json_delta", partial_json=': "x"}')],
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": "x"}},
            id="a tool of the server",
        ),
        pytest.param(
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "u", "new": True}]},
            [],
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "u", "new": True}]},
            id="its result",
        ),
        pytest.param(
            {**CALL, "caller": {"type": "direct"}},
            [delta(0, "input_json_delta", partial_json="")],
            {**CALL, "caller": {"type": "direct"}},
            id="a call without arguments",
        ),
        pytest.param(
            {**CALL, "input": {"given": 1}},
            [],
            {**CALL, "input": {"given": 1}},
            id="a call whose arguments came at once",
        ),
        pytest.param(
            {"type": "hologram", "beams": [1]},
            [delta(0, "beam_delta", beams=[2, 3]), delta(0, "hue_delta", hue="re"), delta(0, "hue_delta", hue="d")],
            {"type": "hologram", "beams": [1, 2, 3], "hue": "red"},
            id="a block and deltas that nobody knows",
        ),
        pytest.param(
            {"type": "compaction", "content": None},
            [delta(0, "compaction_delta", content="Sum", encrypted_content=None)],
            {"type": "compaction", "content": "Sum", "encrypted_content": None},
            id="a delta of several keys",
        ),
    ],
)
def test_every_kind_of_block_survives(begun: Block, deltas: list[Event], whole: Block) -> None:
    """What the provider sent is what is kept, known or not."""
    assert block_of(begun, *deltas) == whole


def test_halves_of_a_character_in_two_deltas_are_joined() -> None:
    """A delta may end in the middle of a character that JSON writes as two escapes."""
    halves = (delta(0, "text_delta", text="\ud83d"), delta(0, "text_delta", text="\ude00!"))
    assert block_of({"type": "text", "text": ""}, *halves)["text"] == "😀!"


def test_blocks_are_ordered_by_their_index() -> None:
    """Parallel calls may be streamed interleaved."""
    events = (
        begin(1, {**CALL, "id": "b"}),
        begin(0, {**CALL, "id": "a"}),
        delta(0, "input_json_delta", partial_json='{"n":'),
        delta(1, "input_json_delta", partial_json='{"n": 2}'),
        delta(0, "input_json_delta", partial_json="1}"),
    )
    reply = added(start(), *events, *end("tool_use"))
    assert [(block["id"], block["input"]) for block in reply.content] == [("a", {"n": 1}), ("b", {"n": 2})]


def test_unknown_events_and_pings_are_passed_over() -> None:
    """The protocol may grow."""
    assert added({"type": "ping"}, *saying("Hi"), {"type": "weather", "sun": True}).content[0]["text"] == "Hi"


def test_usage_is_the_last_word_on_every_count() -> None:
    """Counts are running totals: the end corrects the beginning, and what it leaves out stays."""
    begun = start(input_tokens=10, cache_read_input_tokens=100, cache_creation_input_tokens=5)
    reply = added(begun, *end(output_tokens=42, cache_read_input_tokens=120))
    assert reply.usage == TokenUsage(input_tokens=10, output_tokens=42, cache_read_tokens=120, cache_write_tokens=5)


def test_characters_are_counted_as_they_come() -> None:
    """Text and arguments count; a signature does not."""
    reply = ReplyInProgress()
    for event in (start(), begin(0, {"type": "text", "text": ""}), delta(0, "text_delta", text="four")):
        reply.add(event)
    assert reply.characters == 4


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('{"path": "a.md", "text": "Once up', {"path": "a.md", "text": "Once up"}),
        ('{"path": "a.md", "te', {"path": "a.md"}),
        ('{"n": [1, 2', {"n": [1, 2]}),
        ('{"n": tr', {}),
        ("no json", {}),
        ('"just a', {}),
        ('{"done": 1}', {"done": 1}),
    ],
)
@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded", "refusal"])
def test_arguments_that_were_cut_short_keep_what_can_be_read(written: str, kept: dict[str, Any], reason: str) -> None:
    """The model sees how far it came; nobody runs such a call."""
    assert added(*calling(written, reason)).content[0]["input"] == kept


BROKEN = [
    pytest.param((), "before message_stop", id="nothing at all"),
    pytest.param(saying("Hi")[:-1], "before message_stop", id="no message_stop"),
    pytest.param(saying("Hi")[:-2], "before message_stop", id="no message_delta"),
    pytest.param((start(), *end(None)), "no stop_reason", id="no stop reason"),
    pytest.param((start(), start()), "began twice", id="two beginnings"),
    pytest.param((begin(0, CALL),), "out of turn", id="a block before the message"),
    pytest.param((start(), begin(0, CALL), begin(0, CALL)), "out of turn", id="a block twice"),
    pytest.param((start(), delta(0, "text_delta", text="x")), "before it began", id="a delta of no block"),
    pytest.param((start(), begin(0, CALL), {"type": "content_block_delta", "index": 0}), "no delta", id="no delta"),
    pytest.param((start(), {"type": "content_block_start", "content_block": CALL}), "no index", id="no index"),
    pytest.param((start(), begin(0, CALL), delta(0, "input_json_delta", partial_json=3)), "partial_json", id="type"),
    pytest.param((start(), begin(0, {"text": "x"}), *end()), "no type", id="a block without type"),
    pytest.param((start(), begin(0, {"type": "tool_use", "id": "x"}), *end()), "lacks its id", id="half a call"),
    pytest.param(calling('{"n": 1'), "no JSON", id="cut arguments with stop reason tool_use"),
    pytest.param(calling('{"n": NaN}'), "no JSON", id="a number that is none"),
    pytest.param(calling('{"n": 1e400}'), "as JSON again", id="a number beyond all numbers"),
    pytest.param((start(), begin(0, {"type": "new", "n": float("nan")}), *end()), "as JSON again", id="no number"),
    pytest.param(calling("[" * 100_000), "no JSON", id="endless nesting"),
    pytest.param(calling("[1]"), "its arguments", id="arguments that are no object"),
]


@pytest.mark.parametrize(("events", "problem"), BROKEN)
def test_half_a_reply_is_no_reply(events: tuple[Event, ...], problem: str) -> None:
    """A stream that is not whole and right is an error that may pass, of one kind."""
    with pytest.raises(ModelUnavailable, match=problem) as raised:
        added(*events)
    assert raised.value.kind == "broken_stream"


def test_a_message_that_came_whole_is_the_same_reply() -> None:
    """A server may answer with JSON where a stream was asked for."""
    message = {
        **start(cache_read_input_tokens=9)["message"],
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
    }
    streamed = added(start(cache_read_input_tokens=9), *saying("Hi")[1:-2], *end(output_tokens=1))
    assert reply_of(message, "req_1") == streamed


@pytest.mark.parametrize("message", [[], {}, {"content": "Hi", "stop_reason": "end_turn"}, {"choices": []}])
def test_json_that_is_no_message_is_refused(message: Any) -> None:
    """Another protocol's answer is named as such."""
    with pytest.raises(ModelUnavailable) as raised:
        reply_of(message, None)
    assert raised.value.kind == "unexpected_response"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
arguments = st.dictionaries(st.text(), values, max_size=4)


def pieces(text: str, cuts: list[int]) -> list[str]:
    """The text, cut at these places."""
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[left:right] for left, right in pairwise(edges)]


@given(text=st.text(), given_input=arguments, cuts=st.lists(st.integers(0, 1000), max_size=6), ascii_only=st.booleans())
def test_any_cutting_of_a_reply_gives_the_same_reply(
    text: str, given_input: dict[str, Any], cuts: list[int], *, ascii_only: bool
) -> None:
    """However a text and a tool's arguments are cut into deltas, they arrive as they were."""
    written = json.dumps(given_input, ensure_ascii=ascii_only)
    events = [start(), begin(0, {"type": "text", "text": ""}), begin(1, CALL)]
    events += [delta(0, "text_delta", text=piece) for piece in pieces(text, cuts)]
    events += [delta(1, "input_json_delta", partial_json=piece) for piece in pieces(written, cuts)]
    reply = added(*events, *end("tool_use"))
    assert reply.content == ({"type": "text", "text": text}, {**CALL, "input": given_input})
