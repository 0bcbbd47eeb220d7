"""Every kind of reply, whole and in pieces."""

from itertools import count
from typing import Any

import httpx2
import pytest

from stack.scripted import Reply
from tests.scripted.asking import asked, talking_to

UNKNOWN = {"type": "crystal_ball", "vision": {"of": ["things", {"to": "come"}]}, "certainty": 0.5}
REPLIES = {
    "text": Reply.text("Grüße, 世界 👋 and \u2028 a line separator, in several pieces of text."),
    "thinking": Reply.thinking("I wonder what this may be, and so on and on.", "It is this."),
    "redacted": Reply.redacted("nobody reads this", "It is that."),
    "tools": Reply.tools(
        ("list_files", {"path": "ä/ö", "deep": {"er": [1, 2.5, None, True]}}, "toolu_1"),
        ("get_current_time", {}, "toolu_2"),
        text="I look.",
        thinking="Where?",
    ),
    "unknown block": Reply(({"type": "text", "text": "See:"}, UNKNOWN)),
    "given stop reason": Reply.text("I will not.", stop_reason="refusal"),
    "stop sequence": Reply(({"type": "text", "text": "up to"},), "stop_sequence", "HERE"),
    "nothing": Reply(()),
}


@pytest.mark.parametrize("name", REPLIES)
async def test_a_stream_adds_up_to_the_whole_message(name: str) -> None:
    """What the SDK accumulates from a stream is what it gets as JSON, and what the script says."""
    async with talking_to(lambda _: REPLIES[name]) as talk:
        streamed, whole = await talk.streamed("hello"), await talk.whole("hello")
    assert without_nothing(streamed["content"]) == without_nothing(whole["content"])
    assert without_nothing(whole["content"]) == without_nothing(list(REPLIES[name].content))
    for key in ("stop_reason", "stop_sequence", "model", "role", "type"):
        assert streamed[key] == whole[key], key
    assert streamed["stop_reason"] == REPLIES[name].reason
    assert streamed["usage"]["output_tokens"] == whole["usage"]["output_tokens"]


def without_nothing(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks without the fields that the SDK adds as null."""
    return [{key: value for key, value in block.items() if value is not None} for block in content]


async def test_the_events_come_in_the_order_of_the_protocol() -> None:
    """Each block starts empty, grows in several pieces and stops; the message's end tells the usage."""
    async with talking_to(lambda _: REPLIES["tools"]) as talk:
        events = await talk.events("hello")
    kinds = [event["type"] for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert [event["index"] for event in events if event["type"] == "content_block_start"] == [0, 1, 2, 3]
    started = events[kinds.index("content_block_start")]["content_block"]
    assert started == {"type": "thinking", "thinking": "", "signature": ""}
    deltas = [event["delta"]["type"] for event in events if event["type"] == "content_block_delta"]
    assert deltas.count("input_json_delta") >= 4
    assert deltas.count("signature_delta") == 1


async def test_pings_are_sent() -> None:
    """The raw stream holds a ping, which the SDK passes over."""
    async with talking_to(lambda _: Reply.text("hi")) as talk, httpx2.AsyncClient() as http:
        headers = {"anthropic-version": "2023-06-01"}
        body = {**asked("hello", {}), "stream": True}
        response = await http.post(f"{talk.server.url}/v1/messages", json=body, headers=headers)
    assert 'event: ping\ndata: {"type":"ping"}\n\n' in response.text
    assert response.headers["content-type"].startswith("text/event-stream")


async def test_tool_calls_get_ids_of_their_own() -> None:
    """Where the script gives no id, every call of every reply gets another one."""
    async with talking_to(lambda _: Reply.tools(("a", {}), ("a", {}))) as talk:
        replies = [await talk.whole("hello"), await talk.streamed("hello")]
    ids = [block["id"] for reply in replies for block in reply["content"]]
    assert len(set(ids)) == 4
    assert all(each.startswith("toolu_") for each in ids)


async def test_a_call_may_break_off_in_the_middle_of_its_arguments() -> None:
    """A reply at its limit of tokens ends with a call whose arguments are not whole."""
    async with talking_to(lambda _: Reply.broken_off("write_file", '{"path": "a.txt", "content": "half a')) as talk:
        streamed = await talk.streamed("hello")
        whole = await talk.whole("hello")
    assert streamed["stop_reason"] == whole["stop_reason"] == "max_tokens"
    assert streamed["content"][0]["input"] == {"path": "a.txt"}
    assert whole["content"][0]["input"] == {}
    assert "partial_json" not in whole["content"][0]


async def test_usage_can_be_given() -> None:
    """A script may say what a reply costs."""
    async with talking_to(lambda _: Reply.text("hi").costing(output_tokens=5000, input_tokens=7)) as talk:
        usage = (await talk.streamed("hello"))["usage"]
    assert (usage["output_tokens"], usage["input_tokens"]) == (5000, 7)


async def test_a_mind_reads_the_request() -> None:
    """The mind gets the body as it was sent, and the server keeps it byte for byte."""
    numbers = count(1)
    seen: list[dict[str, Any]] = []

    def mind(body: dict[str, Any]) -> Reply:
        """Keep the request."""
        seen.append(body)
        return Reply.text(f"answer {next(numbers)}")

    async with talking_to(mind) as talk:
        await talk.whole("first", system="be brief")
        await talk.whole("second")
        requests = list(talk.server.requests)
    assert seen[0]["system"] == "be brief"
    assert [request.number for request in requests] == [1, 2]
    assert [request.json for request in requests] == seen
    assert requests[0].headers["anthropic-version"]
    assert [(request.status, request.outcome) for request in requests] == [(200, "answered")] * 2
