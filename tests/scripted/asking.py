"""Asking a scripted model through the real SDK."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from anthropic import AsyncAnthropic

from stack.scripted import Mind, ScriptedServer

MODEL = "scripted-1"


@dataclass(frozen=True)
class Talk:
    """A server and a client of it."""

    server: ScriptedServer
    client: AsyncAnthropic

    async def streamed(self, messages: Any, **terms: Any) -> dict[str, Any]:
        """The reply as the SDK accumulates it from a stream."""
        async with self.client.messages.stream(**asked(messages, terms)) as stream:
            message = await stream.get_final_message()
        return plain(message)

    async def whole(self, messages: Any, **terms: Any) -> dict[str, Any]:
        """The reply, asked for as JSON."""
        return plain(await self.client.messages.create(**asked(messages, terms)))

    async def events(self, messages: Any, **terms: Any) -> list[dict[str, Any]]:
        """The events of the stream as the server sent them."""
        stream = await self.client.messages.create(**asked(messages, terms), stream=True)
        return [event.to_dict() async for event in stream]


@asynccontextmanager
async def talking_to(mind: Mind, *, retries: int = 0, timeout: float = 30.0, **options: Any) -> AsyncIterator[Talk]:
    """A server with this mind and a client of it."""
    async with (
        ScriptedServer(mind, **options) as server,
        AsyncAnthropic(base_url=server.url, api_key="key", max_retries=retries, timeout=timeout) as client,
    ):
        yield Talk(server, client)


def asked(messages: Any, terms: dict[str, Any]) -> dict[str, Any]:
    """A request, with what every request needs."""
    if isinstance(messages, str):
        messages = [said(messages)]
    return {"model": MODEL, "max_tokens": 1000, "messages": messages, **terms}


def said(content: Any) -> dict[str, Any]:
    """A user's message."""
    return {"role": "user", "content": content}


def replied(content: Any) -> dict[str, Any]:
    """A message of the model."""
    return {"role": "assistant", "content": content}


def result(call_id: str, content: Any = "done", **more: Any) -> dict[str, Any]:
    """A tool's result."""
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def plain(message: Any) -> dict[str, Any]:
    """A message as JSON: only what was sent; the SDK warns of blocks it does not know."""
    value: dict[str, Any] = message.to_dict(mode="json", warnings=False)
    return value
