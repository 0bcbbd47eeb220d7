"""Events of a streamed reply, and requests, in a word each."""

from typing import Any

from llm.messages import Block, Message, ModelRequest, ModelTerms, ToolSpec, text_block

Event = dict[str, Any]


def start(**usage: int) -> Event:
    """The reply begins."""
    message: Event = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 3, "output_tokens": 1, **usage},
    }
    return {"type": "message_start", "message": message}


def begin(index: int, block: Block) -> Event:
    """A content block begins."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **content: Any) -> Event:
    """A piece of a content block."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **content}}


def stop(index: int) -> Event:
    """A content block is complete."""
    return {"type": "content_block_stop", "index": index}


def end(stop_reason: str | None = "end_turn", **usage: int) -> tuple[Event, Event]:
    """The reply ends."""
    last = {"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": 7, **usage}}
    return last, {"type": "message_stop"}


def saying(text: str) -> tuple[Event, ...]:
    """A whole reply of one text."""
    block = (begin(0, text_block("")), delta(0, "text_delta", text=text), stop(0))
    return (start(), *block, *end())


def calling(written: str, stop_reason: str = "tool_use") -> tuple[Event, ...]:
    """A whole reply of one tool call whose input is written so."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "echo", "input": {}}
    block = (begin(0, call), delta(0, "input_json_delta", partial_json=written), stop(0))
    return (start(), *block, *end(stop_reason))


def request(*content: Block, system: str = "Be brief.", tools: int = 0, **terms: Any) -> ModelRequest:
    """A request of one user message."""
    specs = tuple(
        ToolSpec(name=f"tool_{n}", description="A tool.", input_schema={"type": "object"}) for n in range(tools)
    )
    return ModelRequest(
        terms=ModelTerms(**{"name": "claude-test-4-5", **terms}),
        system=system,
        messages=(Message(role="user", content=content or (text_block("Hello"),)),),
        tools=specs,
    )
