"""The question that a model's arguments make."""

from typing import Any

import pytest

from tools.builtin.asking import ask_human, inquiry_of
from tools.errors import InvalidArguments
from tools.forms import LONGEST, form_problem
from tools.toolbox import Planned, Unplanned
from tools.workbench import Workbench


@pytest.mark.parametrize(
    ("arguments", "action", "question", "details"),
    [
        ({"question": " Which one?\n"}, "input", "Which one?", ""),
        ({"question": "First.\nSecond."}, "input", "First. Second.", "First.\nSecond."),
        ({"question": "x" * 300, "kind": "confirm"}, "confirm", "x" * 199 + "…", "x" * 300),
    ],
)
def test_a_question_is_one_line_and_the_rest(
    arguments: dict[str, Any], action: str, question: str, details: str
) -> None:
    """Whoever answers reads all of it; Temporal and lists show a line."""
    inquiry = inquiry_of(arguments)
    assert (inquiry.action, inquiry.question, inquiry.details) == (action, question, details)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"question": "\u200b \n"}, "question: it says nothing"),
        ({"question": "?", "kind": "choose", "options": ["a"]}, "two or more"),
        ({"question": "?", "kind": "choose", "options": ["a", " "]}, "one of them says nothing"),
        ({"question": "?", "kind": "choose", "options": ["a", "A"]}, "two of them are the same"),
        ({"question": "?", "kind": "confirm", "several": True}, 'several: only for a question of kind "choose"'),
        ({"question": "?", "kind": "confirm", "text": "a"}, 'text: only for a question of kind "review"'),
        ({"question": "?", "accept": ["a"]}, 'accept: only for a question of kind "upload"'),
    ],
)
def test_arguments_that_make_no_question_are_told(arguments: dict[str, Any], words: str) -> None:
    """In words that the model can act on."""
    with pytest.raises(InvalidArguments) as caught:
        inquiry_of(arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"properties": {"a": {"pattern": "(a+)+$"}}}, "'pattern'"),
        ({"patternProperties": {"a": {}}}, "'patternProperties'"),
        ({"type": "objekt"}, "no JSON Schema"),
        ({"$ref": "https://example.com/schema"}, "refers to something that is not in it"),
        ({"description": "x" * LONGEST}, "longer than"),
    ],
)
def test_a_form_that_could_be_a_trap_is_refused(form: dict[str, Any], words: str) -> None:
    """A model's schema is a stranger's."""
    assert words in (form_problem(form) or "")


def test_a_field_may_have_the_name_of_a_keyword() -> None:
    """A form may ask for a pattern; it may only not have one."""
    form = {"properties": {"pattern": {"type": "string", "enum": ["stripes"], "default": {"pattern": "x"}}}}
    assert form_problem(form) is None


def test_a_call_is_planned_as_a_question(tmp_path: Any) -> None:
    """Bad arguments are no call at all; good ones are a question and nothing that runs."""
    bench = Workbench([ask_human], tmp_path)
    good = bench.plan("ask_human", {"question": "Which?"}, ["ask_human"])
    assert isinstance(good, Planned)
    assert good.inquiry is not None
    bad = bench.plan("ask_human", {"question": "Which?", "kind": "choose"}, ["ask_human"])
    assert isinstance(bad, Unplanned)
    assert bad.kind == "invalid_arguments"
    assert bench.title("ask_human", {"question": "Which?"}) == "ask: Which?"
