"""The default mind, acting with the real tools."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from projections.transcript import SCHEMA
from stack.scripted.instance import instance_of
from stack.scripted.mind import default_mind
from stack.scripted.patterns import PATTERNS
from stack.scripted.wishes import wishes_in
from tests.scripted.acting import Agent
from tests.scripted.asking import replied, result, said, talking_to


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with two files."""
    (tmp_path / "README.md").write_text("# Perdure\nTODO: everything\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "why.md").write_text("because\n")
    return tmp_path


WISHES = {
    "list files": ("list_files", {"path": "."}),
    "List the files in docs.": ("list_files", {"path": "docs"}),
    "What files are here?": ("list_files", {"path": "."}),
    "list all *.py files in src": ("list_files", {"path": "src", "pattern": "*.py"}),
    "Please read README.md.": ("read_file", {"path": "README.md"}),
    "what time is it in Europe/Zurich?": ("get_current_time", {"timezone": "Europe/Zurich"}),
    "tell me the time": ("get_current_time", {}),
    "What is 2 + 3 * 4?": ("calculate", {"expression": "2 + 3 * 4"}),
    "2+3*4": ("calculate", {"expression": "2+3*4"}),
    "2 + 3": ("calculate", {"expression": "2 + 3"}),
    "calculate 2^10": ("calculate", {"expression": "2**10"}),
    "echo Hello there!": ("echo", {"message": "Hello there!"}),
    "ask me for your name": ("ask_human", {"question": "your name?"}),
    "ask me whether it may go on.": ("ask_human", {"question": "Is it so that it may go on?", "kind": "confirm"}),
    "Ask a person which colour: red, green or blue": (
        "ask_human",
        {"question": "which colour?", "kind": "choose", "options": ["red", "green", "blue"]},
    ),
    "search for TODO in src": ("search_files", {"pattern": "TODO", "path": "src"}),
    "write a.md: read this; and then that": ("write_file", {"path": "a.md", "content": "read this; and then that\n"}),
    "write hello into a.md": ("write_file", {"path": "a.md", "content": "hello\n"}),
}


@pytest.mark.parametrize("words", WISHES)
def test_a_wish_is_understood(words: str) -> None:
    """Plain requests become tool calls with the right arguments."""
    assert [(wish.tool, wish.arguments) for wish in wishes_in(words)] == [WISHES[words]]


@pytest.mark.parametrize("words", ["", "what is love?", "hello", "writing is fun", "list all my regrets"])
def test_what_is_no_wish_is_not_taken_for_one(words: str) -> None:
    """No tool is called by mistake."""
    assert wishes_in(words) == []


def test_the_examples_are_understood() -> None:
    """What the mind says it understands, it does."""
    for pattern in PATTERNS:
        if pattern.example:
            assert [wish.tool for wish in wishes_in(pattern.example)] == [pattern.tool], pattern.example


@given(st.text(max_size=300))
def test_any_words_are_survived(words: str) -> None:
    """Nothing a person says makes the mind fail."""
    body = {"messages": [said(words or "x")], "tools": [{"name": "echo"}]}
    assert default_mind(body)


async def test_several_wishes_are_calls_in_parallel(folder: Path) -> None:
    """One message with several requests becomes one turn with as many calls, told of in words."""
    async with talking_to(default_mind) as talk:
        agent = Agent(talk, folder)
        answer = await agent.told("List files in docs, read README.md and then what is 6*7? Search for TODO")
    assert agent.called == [["list_files", "read_file", "calculate", "search_files"]]
    for words in ("why.md", "# Perdure", "6*7 = 42", "README.md:2: TODO"):
        assert words in answer
    first = agent.messages[1]["content"][0]["text"]
    assert "I am a scripted model" in first


async def test_each_message_of_a_chat_is_handled_anew(folder: Path) -> None:
    """What was asked before is not done again."""
    async with talking_to(default_mind) as talk:
        agent = Agent(talk, folder)
        assert "scripted model" in await agent.told("hello")
        assert await agent.told("what is 1 + 1?") == "1 + 1 = 2"
        assert await agent.told("echo ho") == "The echo says: ho"
        assert "I did not understand" in await agent.told("why?")
    assert agent.called == [["calculate"], ["echo"]]


async def test_errors_and_denials_are_told(folder: Path) -> None:
    """A tool that fails and a person who says no end up in the answer, in words."""
    async with talking_to(default_mind) as talk:
        agent = Agent(talk, folder, denied="not today")
        answer = await agent.told("read nothing.txt; write a.md: hello")
    assert "read_file did not do it. The tool failed" in answer
    assert "ana did not allow this call, so it was not run. Reason: not today" in answer
    assert not (folder / "a.md").exists()


async def test_a_file_is_written_when_a_person_agrees(folder: Path) -> None:
    """The real tool writes, and the answer says so."""
    async with talking_to(default_mind) as talk:
        assert "created a.md (6 bytes)" in await Agent(talk, folder).told("write a.md: hello")
    assert (folder / "a.md").read_text() == "hello\n"


async def test_only_offered_tools_are_called(folder: Path) -> None:
    """Without the tool, the mind says what it would have done, and does not list it."""
    async with talking_to(default_mind) as talk:
        agent = Agent(talk, folder, without=["calculate"])
        assert "I was not given the tool calculate" in await agent.told("what is 1+1?")
        assert "what is 2" not in await agent.told("help")
    assert agent.called == []


async def test_thinking_is_shown(folder: Path) -> None:
    """Asked to think, the mind sends a thinking block, which comes back unaltered with the next message."""
    async with talking_to(default_mind) as talk:
        agent = Agent(talk, folder)
        await agent.told("think about logs")
        assert agent.messages[1]["content"][0]["type"] == "thinking"
        await agent.told("echo still here")


async def test_words_said_while_tools_ran_are_heard(folder: Path) -> None:
    """Results and a new request in one message: both are answered."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "calculate", "input": {"expression": "1+1"}}
    both = said([result("toolu_1", "2"), {"type": "text", "text": "echo new"}])
    async with talking_to(default_mind) as talk:
        agent = Agent(talk, folder, messages=[said("1+1"), replied([call]), both])
        reply = await agent.talk.streamed(agent.messages, tools=[{"name": "echo", "input_schema": {"type": "object"}}])
    assert "1+1 = 2" in reply["content"][0]["text"]
    assert reply["content"][1]["input"] == {"message": "new"}


async def test_the_machinerys_own_words_are_no_request(folder: Path) -> None:
    """A note that the answer was not taken makes the mind answer again, not puzzle over the note."""
    async with talking_to(default_mind) as talk:
        agent = Agent(talk, folder)
        await agent.told("echo hi")
        assert (
            await agent.told("[perdure] Your reply was cut off. Go on exactly where it stopped.") == "The echo says: hi"
        )


SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]},
    {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 5, "multipleOf": 4}, "s": {"type": "string"}},
    },
    {"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 2},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
    {
        "$ref": "#/$defs/a",
        "$defs": {
            "a": {"type": "object", "required": ["b"], "properties": {"b": {"$ref": "#/$defs/b"}}},
            "b": {"type": "boolean"},
        },
    },
    {"anyOf": [{"type": "string", "pattern": "^[A-Z]{3}$"}, {"type": "null"}]},
    {"allOf": [{"required": ["a"]}, {"properties": {"a": {"const": [1, {"b": 2}]}}}], "type": "object"},
    {
        "type": "object",
        "required": ["date"],
        "properties": {"date": {"type": "string", "format": "date"}},
        "additionalProperties": False,
    },
    {"type": "string", "minLength": 10, "maxLength": 12},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": ["null", "integer"], "maximum": -3},
    {"type": "object", "required": ["x"]},
]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("words", ["", "2 + 3 = 5"])
def test_a_small_instance_fits_its_schema(schema: dict[str, Any], words: str) -> None:
    """The value made for a schema is valid by that schema."""
    Draft202012Validator(schema).validate(instance_of(schema, words))


async def test_json_is_answered_where_it_is_asked_for(folder: Path) -> None:
    """With a schema in the system prompt the last word is JSON that fits, made after the tools were called."""
    schema = {"type": "object", "properties": {"text": {"type": "string"}, "number": {"type": "integer"}}}
    system = f"Be helpful.\n\n{SCHEMA}\n{json.dumps(schema)}"
    async with talking_to(default_mind) as talk:
        agent = Agent(talk, folder, system=system)
        assert json.loads(await agent.told("what is 6*7?")) == {"text": "6*7 = 42", "number": 42}
    assert agent.called == [["calculate"]]
