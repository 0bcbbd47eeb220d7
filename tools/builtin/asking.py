"""The model's question to a person. It is no tool that runs: the question is put, and the answer is the result."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from eventlog.inquiries import MOST_BYTES, InputAction, Inquiry
from llm.messages import JsonObject
from tools.errors import InvalidArguments, ToolFailed
from tools.forms import form_problem
from tools.titles import one_line
from tools.tool import tool

LONGEST_LINE = 200
"""Characters of the question as it is shown on one line."""
MOST_OPTIONS = 50
LONGEST_OPTION = 500
LONGEST_QUESTION = 20_000
LONGEST_SUBJECT = 200_000
"""Characters of what is reviewed."""

_BELONGS: Mapping[str, InputAction] = {
    "options": "choose",
    "several": "choose",
    "form": "input",
    "accept": "upload",
    "most_bytes": "upload",
    "text": "review",
}
"""Which kind of question each further argument is for."""


def inquiry_of(values: Mapping[str, Any]) -> Inquiry:
    """The question in these arguments; raises `InvalidArguments` where they do not go together."""
    kind: InputAction = values.get("kind", "input")
    _check(kind, values)
    question = values["question"]
    line = one_line(question, LONGEST_LINE)
    return Inquiry(
        action=kind,
        question=line,
        details="" if line == question.strip() else question,
        options=tuple(values.get("options") or ()),
        several=values.get("several", False),
        form=values.get("form"),
        accept=tuple(values.get("accept") or ()),
        most_bytes=values.get("most_bytes"),
        subject=values.get("text"),
    )


def _check(kind: InputAction, values: Mapping[str, Any]) -> None:
    if not one_line(values["question"]):
        raise InvalidArguments("question: it says nothing")
    for name, only in _BELONGS.items():
        if values.get(name) and only != kind:
            raise InvalidArguments(f'{name}: only for a question of kind "{only}", and this is "{kind}"')
    if kind == "choose":
        _check_options(values.get("options") or ())
    if kind == "review" and not (values.get("text") or "").strip():
        raise InvalidArguments("text: a review needs the text that is to be reviewed")
    if values.get("form") is not None and (problem := form_problem(values["form"])):
        raise InvalidArguments(f"form: {problem}")


def _check_options(options: Any) -> None:
    if len(options) < 2:
        raise InvalidArguments("options: give two or more to choose from")
    if any(not one_line(option) for option in options):
        raise InvalidArguments("options: one of them says nothing")
    if len({option.casefold() for option in options}) < len(options):
        raise InvalidArguments("options: two of them are the same")


def _title(arguments: Mapping[str, Any]) -> str:
    return f"ask: {arguments['question']}"


@tool(effect="read_only", quick=True, title=_title, inquiry=inquiry_of)
def ask_human(
    question: Annotated[
        str,
        Field(min_length=1, max_length=LONGEST_QUESTION, description="Everything they must know to answer; short"),
    ],
    kind: Annotated[
        Literal["input", "confirm", "choose", "upload", "review"],
        Field(description="input: text, or a form; confirm: yes or no; choose: among options; upload: a file; review"),
    ] = "input",
    options: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=LONGEST_OPTION)]] | None,
        Field(max_length=MOST_OPTIONS, description="choose: what there is to choose from"),
    ] = None,
    several: Annotated[bool, Field(description="choose: more than one may be chosen, or none")] = False,
    form: Annotated[JsonObject | None, Field(description="input: a JSON Schema the answer must fit")] = None,
    accept: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]] | None,
        Field(max_length=20, description='upload: which files, as in "text/csv", "image/*", ".pdf"'),
    ] = None,
    most_bytes: Annotated[
        int | None, Field(gt=0, le=MOST_BYTES, description="upload: how large the file may be")
    ] = None,
    text: Annotated[
        str | None,
        Field(max_length=LONGEST_SUBJECT, description="review: what they accept, replace or send back with comments"),
    ] = None,
) -> str:
    """Ask a person, and wait for their answer, which is the result. It may take days.

    Ask only what nobody but a person can tell or decide, all at once and as plainly as possible. Do not ask for leave
    to use a tool: that is asked by itself where it is needed. If nobody answers in time, you are told so.
    """
    del kind, options, several, form, accept, most_bytes, text
    raise ToolFailed(f"nobody was asked {question!r}: a person answers this, not a program")
