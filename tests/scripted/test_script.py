"""Conversations written as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from stack.scripted import Broken, Fault, MidStreamError, Raw, Reply, Stalled
from stack.scripted.answers import thought
from stack.scripted.errors import BadScript
from stack.scripted.script import load_script, parse_script
from tests.scripted.asking import replied, said, talking_to

ENTRIES: list[tuple[dict[str, Any], Any]] = [
    ({"text": "hi"}, Reply.text("hi")),
    ({"text": "hi", "pace": 0.5, "chunk": 3}, Reply.text("hi").at_pace(0.5, 3)),
    ({"thinking": "hm", "text": "hi"}, Reply.thinking("hm", "hi")),
    (
        {"text": "x", "tools": [{"name": "a", "input": {"b": 1}, "id": "t1"}]},
        Reply.tools(("a", {"b": 1}, "t1"), text="x"),
    ),
    ({"tools": [{"name": "a"}]}, Reply.tools(("a", {}))),
    ({"content": [thought("hm")], "stop_reason": "pause_turn"}, Reply((thought("hm"),), "pause_turn")),
    ({"text": "hi", "usage": {"output_tokens": 9}}, Reply.text("hi").costing(output_tokens=9)),
    ({"fault": 429, "retry_after": 1}, Fault(429, retry_after=1)),
    ({"broken": 3, "reply": {"text": "hi"}}, Broken(3, Reply.text("hi"))),
    (
        {"error": "api_error", "after": 1, "reply": {"text": "hi"}},
        MidStreamError(1, "api_error", reply=Reply.text("hi")),
    ),
    ({"stalled": 2, "seconds": 9, "reply": {"text": "hi"}}, Stalled(2, 9, Reply.text("hi"))),
    ({"raw": "hä", "status": 500}, Raw("hä".encode(), 500)),
]


@pytest.mark.parametrize(("entry", "answer"), ENTRIES)
def test_every_kind_of_entry_is_understood(entry: dict[str, Any], answer: Any) -> None:
    """Each object of a script is one answer."""
    assert parse_script(json.dumps({"hello": [entry, [entry, entry]]})) == {"hello": [answer, [answer, answer]]}


MISTAKES = {
    "{": "is not JSON",
    "[]": "the file: Input should be a valid dictionary",
    '{"a": 5}': "'a': Input should be a valid list",
    '{"a": [{}]}': "'a', reply 1: Value error, says nothing",
    '{"a": [{"text": "x"}, [{"text": 5}]]}': "'a', reply 2, reply 1, text: Input should be a valid string",
    '{"a": [{"fault": 200}]}': "'a', reply 1, fault: Input should be greater than or equal to 400",
    '{"a": [{"text": "x", "tool": []}]}': "'a', reply 1, tool: Extra inputs are not permitted",
    '{"a": [{"stalled": 1}]}': "'a', reply 1, seconds: Field required",
    '{"a": [[]]}': "'a', reply 1: List should have at least 1 item",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_its_place(text: str) -> None:
    """The error says in which reply of which conversation what is wrong."""
    with pytest.raises(BadScript) as raised:
        parse_script(text)
    assert MISTAKES[text] in str(raised.value)


def test_all_mistakes_are_told_at_once() -> None:
    """Nobody has to try again for each."""
    with pytest.raises(BadScript) as raised:
        parse_script('{"a": [{"text": 5}, {"fault": 1}], "b": 3}')
    assert len(str(raised.value).splitlines()) == 4


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The path is in the error."""
    with pytest.raises(BadScript, match=r"nothing\.json cannot be read"):
        load_script(tmp_path / "nothing.json")


async def test_a_script_is_played(tmp_path: Path) -> None:
    """A file drives a whole conversation over HTTP."""
    path = tmp_path / "script.json"
    path.write_text('{"hello": [{"text": "one"}, {"thinking": "hm", "text": "two"}]}')
    async with talking_to(load_script(path)) as talk:
        one = await talk.streamed("hello")
        two = await talk.streamed([said("hello"), replied(one["content"]), said("more")])
    assert [block.get("text") or block.get("thinking") for block in [*one["content"], *two["content"]]] == [
        "one",
        "hm",
        "two",
    ]
