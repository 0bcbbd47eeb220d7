"""What a mind reads in a request: who said what so far, which tools were called, and what they came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from llm.messages import Block, JsonObject
from projections.tool_results import MARK
from stack.scripted.rules import Turn, blocks_of, turns


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call and its result."""

    name: str
    arguments: JsonObject
    result: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request, read."""

    system: str
    turns: Sequence[Turn]
    tools: frozenset[str]
    """The names of the tools the model may call."""

    @classmethod
    def of(cls, body: JsonObject) -> "Conversation":
        """Read a request's body."""
        names = frozenset(tool["name"] for tool in body.get("tools") or () if "name" in tool)
        return cls(text_in(blocks_of(body.get("system"))), turns(body["messages"]), names)

    @property
    def opening(self) -> str:
        """The first thing that was said: the name of a conversation in a playbook."""
        return next((block["text"] for block in self.turns[0].blocks if block.get("type") == "text"), "")

    @property
    def asked_at(self) -> int:
        """The index of the turn in which a person last said something."""
        spoken = (index for index, turn in enumerate(self.turns) if turn.role == "user" and _words_in(turn))
        return max(spoken, default=0)

    @property
    def asked(self) -> str:
        """What a person last said."""
        return _words_in(self.turns[self.asked_at])

    @property
    def is_new(self) -> bool:
        """Whether the model has not said anything yet."""
        return all(turn.role == "user" for turn in self.turns)

    @property
    def calls(self) -> list[Call]:
        """The tool calls the model made for what was last said, with their results."""
        return self._calls(self.asked_at, len(self.turns))

    @property
    def earlier_calls(self) -> list[Call]:
        """The tool calls whose results came together with what was last said."""
        return self._calls(max(0, self.asked_at - 1), self.asked_at + 1)

    def _calls(self, start: int, end: int) -> list[Call]:
        found: list[Call] = []
        for asking, answering in pairwise(self.turns[start:end]):
            results = {block["tool_use_id"]: block for block in answering.blocks if block.get("type") == "tool_result"}
            found += [
                _call(block, results[block["id"]])
                for block in asking.blocks
                if block.get("type") == "tool_use" and block["id"] in results
            ]
        return found


def _call(block: Block, result: Block) -> Call:
    text = text_in(blocks_of(result.get("content")))
    plain = "\n".join(line.removeprefix(MARK).strip() if line.startswith(MARK) else line for line in text.split("\n"))
    return Call(block["name"], block["input"], plain, bool(result.get("is_error")))


def _words_in(turn: Turn) -> str:
    """What a person said in this turn: not what the agent's own machinery put in."""
    return text_in([block for block in turn.blocks if not str(block.get("text", "")).startswith(MARK)])


def text_in(blocks: Sequence[Any]) -> str:
    """The text of the blocks, one after another on lines of their own."""
    return "\n".join(block["text"] for block in blocks if block.get("type") == "text")


def replies_so_far(body: JsonObject) -> int:
    """How often the model has answered."""
    return sum(message["role"] == "assistant" for message in body["messages"])
