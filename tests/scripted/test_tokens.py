"""What a call is said to have used."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stack.scripted import Reply
from stack.scripted.tokens import PromptCache, input_tokens
from tests.scripted.asking import MODEL, asked, replied, said, talking_to

MARK = {"cache_control": {"type": "ephemeral"}}


def text(words: str, **more: Any) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": words, **more}


async def test_a_prefix_is_written_to_the_cache_and_read_the_next_time() -> None:
    """The second call reads what the first one wrote, and writes only what is new."""
    system = [text("you are helpful " * 100, **MARK)]
    first = [said([text("question " * 50, **MARK)])]
    second = [said([text("question " * 50)]), replied("answer"), said([text("and then? " * 50, **MARK)])]
    async with talking_to(lambda _: Reply.text("hi")) as talk:
        one = (await talk.streamed(first, system=system))["usage"]
        two = (await talk.whole(second, system=system))["usage"]
    assert one["cache_read_input_tokens"] == one["input_tokens"] == 0
    assert one["cache_creation_input_tokens"] > 500
    assert two["cache_read_input_tokens"] == one["cache_creation_input_tokens"]
    assert 100 < two["cache_creation_input_tokens"] < 200
    assert two["cache_creation"]["ephemeral_5m_input_tokens"] == two["cache_creation_input_tokens"]


async def test_another_model_or_another_system_prompt_reads_nothing() -> None:
    """A cached prefix counts from its very beginning."""
    messages = [said([text("question " * 50, **MARK)])]
    async with talking_to(lambda _: Reply.text("hi")) as talk:
        await talk.whole(messages)
        other_model = (await talk.whole(messages, model="claude-other"))["usage"]
        other_system = (await talk.whole(messages, system="another"))["usage"]
        same = (await talk.whole(messages))["usage"]
    assert other_model["cache_read_input_tokens"] == other_system["cache_read_input_tokens"] == 0
    assert same["cache_read_input_tokens"] > 0


async def test_without_breakpoints_nothing_is_cached() -> None:
    """Every token is fresh, and as many as `count_tokens` says."""
    async with talking_to(lambda _: Reply.text("hi")) as talk:
        usage = [(await talk.whole("hello " * 100))["usage"] for _ in range(2)][1]
        counted = await talk.client.messages.count_tokens(
            model=MODEL, messages=[{"role": "user", "content": "hello " * 100}]
        )
    assert usage["cache_read_input_tokens"] == usage["cache_creation_input_tokens"] == 0
    assert usage["input_tokens"] == counted.input_tokens > 100


async def test_no_tokens_fill_the_cache_alone() -> None:
    """With `max_tokens` 0 nothing is said, and the prefix is there for the next call."""
    messages = [said([text("question " * 50, **MARK)])]
    async with talking_to(lambda _: Reply.text("hi")) as talk:
        silent = await talk.whole(messages, max_tokens=0)
        usage = (await talk.whole(messages))["usage"]
    assert (silent["content"], silent["stop_reason"]) == ([], "max_tokens")
    assert usage["cache_read_input_tokens"] == silent["usage"]["cache_creation_input_tokens"] > 100


async def test_usage_at_the_end_is_cumulative() -> None:
    """`message_delta` repeats what was read and tells all that was written."""
    async with talking_to(lambda _: Reply.text("word " * 200)) as talk:
        events = await talk.events("hello " * 40)
    start, end = events[0]["message"]["usage"], events[-2]["usage"]
    assert start["output_tokens"] == 1
    assert end["output_tokens"] == 250
    assert end["input_tokens"] == start["input_tokens"] > 50


@given(st.lists(st.tuples(st.text(min_size=1, max_size=50), st.booleans()), min_size=1, max_size=12), st.integers(1, 3))
def test_every_input_token_is_charged_exactly_once(blocks: list[tuple[str, bool]], times: int) -> None:
    """Fresh, written and read add up to the request, whatever is marked and however often it is sent."""
    content = [text(words, **(MARK if marked else {})) for words, marked in blocks]
    body = asked([said(content)], {})
    cache = PromptCache()
    for _ in range(times):
        charged = cache.charge(body)
        assert charged.fresh + charged.written + charged.read == input_tokens(body)
        assert min(charged.fresh, charged.written, charged.read) >= 0
