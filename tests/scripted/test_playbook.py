"""Written conversations, many at once."""

import asyncio

import anthropic
import pytest

from stack.scripted import Fault, Playbook, Reply
from stack.scripted.conversation import Conversation
from tests.scripted.asking import replied, result, said, talking_to


async def test_conversations_do_not_mix() -> None:
    """Many threads against one server get each their own lines, in their own time."""
    numbers = range(20)
    lines = {f"thread {n}": [Reply.text(f"{n}: {line}") for line in ("one", "two", "three")] for n in numbers}
    async with talking_to(Playbook(lines)) as talk:

        async def thread(number: int) -> list[str]:
            """All that one thread hears."""
            messages = [said(f"thread {number}")]
            heard = []
            for _ in range(3):
                text = (await talk.streamed(messages))["content"][0]["text"]
                heard.append(text)
                messages += [replied(text), said("go on")]
            return heard

        heard = await asyncio.gather(*map(thread, numbers))
    assert heard == [[f"{n}: one", f"{n}: two", f"{n}: three"] for n in numbers]


async def test_asking_again_gives_the_same_line() -> None:
    """A retry, by whichever worker, is answered like the first attempt: only what was said moves a conversation on."""
    async with talking_to(Playbook({"hello": [Reply.text("one"), Reply.text("two")]})) as talk:
        answers = [(await talk.whole("hello"))["content"][0]["text"] for _ in range(3)]
    assert answers == ["one"] * 3


async def test_faults_are_played_once_in_order() -> None:
    """Of several parts of a turn all but the last are played once; the next turn has its own."""
    book = Playbook({"hello": [[Fault(429), Fault(500), Reply.text("one")], [Fault(529), Reply.text("two")]]})
    later = [said("hello"), replied("one"), said("and?")]
    async with talking_to(book) as talk:
        with pytest.raises(anthropic.RateLimitError):
            await talk.whole("hello")
        with pytest.raises(anthropic.OverloadedError):
            await talk.whole(later)
        with pytest.raises(anthropic.InternalServerError):
            await talk.whole("hello")
        for _ in range(2):
            assert (await talk.whole("hello"))["content"][0]["text"] == "one"
            assert (await talk.whole(later))["content"][0]["text"] == "two"


async def test_a_line_can_be_made_of_the_request() -> None:
    """A part may be a mind of its own, which reads the tool results."""

    def tell(body: dict[str, object]) -> Reply:
        """Say what the tool said."""
        return Reply.text(f"it said {Conversation.of(body).calls[0].result}")

    book = Playbook({"hello": [Reply.tools(("look", {}, "toolu_1")), tell]})
    async with talking_to(book) as talk:
        reply = await talk.streamed("hello")
        messages = [said("hello"), replied(reply["content"]), said([result("toolu_1", "boo")])]
        assert (await talk.streamed(messages))["content"][0]["text"] == "it said boo"


@pytest.mark.parametrize("messages", [[said("unheard of")], [said("hello"), replied("one"), said("more")]])
async def test_what_is_not_written_is_refused(messages: list[dict[str, object]]) -> None:
    """A conversation or a line that the playbook lacks is a 400 that says so."""
    async with talking_to(Playbook({"hello": [Reply.text("one")]})) as talk:
        with pytest.raises(anthropic.BadRequestError, match="the playbook has"):
            await talk.whole(messages)


async def test_what_is_not_written_can_be_left_to_another_mind() -> None:
    """Conversations of another opening go to the other mind."""
    async with talking_to(Playbook({}, otherwise=lambda _: Reply.text("so what"))) as talk:
        assert (await talk.whole("hello"))["content"][0]["text"] == "so what"
