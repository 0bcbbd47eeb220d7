"""How questions look to people: whole, with what would be done or is expected, and how to answer."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.answers import PendingQuestion
from cli.questions import APPROVAL, BUDGET, LOOP
from cli.visible import one_line, visible

_LONGEST = 60
"""Characters of a question in a table."""


def pending_page(page: Console, questions: Sequence[PendingQuestion]) -> None:
    """What waits for a person: many in a table first, then each whole."""
    if not questions:
        page.print(Text("nothing waits for approval or an answer", style="dim"))
    if len(questions) > 1:
        page.print(_table(questions))
    for question in questions:
        page.print(question_text(question), soft_wrap=True)


def question_text(question: PendingQuestion) -> Text:
    """One question, whole: what would be done, exactly, or what is asked, and how to answer."""
    details = (f"  {line}" for line in _details(question))
    return Text("\n").join(
        [
            Text(),
            Text(visible(question.question), style="bold yellow"),
            Text(visible(f"  {question.reason}")),
            Text(visible(f"  {_terms(question)}"), style="dim"),
            *(Text(visible(line)) for line in details),
            *(Text(f"  {command}") for command in commands(question)),
        ]
    )


def commands(question: PendingQuestion) -> list[str]:
    """The commands that answer the question."""
    target = f"{question.thread_id} {question.call_id}"
    match question.kind:
        case "approval":
            seen = f" --position {question.position}" if question.edited_by else ""
            shown = " --token …" if question.token else ""
            return [f"perdure approve {target}{seen}{shown}", f"perdure deny {target} --reason '…'{shown}"]
        case "budget":
            raised = f"perdure raise {question.thread_id}"
            return [f"{raised} {_more(question.arguments)}", f"{raised} --refuse"]
        case "loop":
            return [f"perdure resume {question.thread_id}", f"perdure terminate {question.thread_id}"]
        case "confirm":
            return [f"perdure answer {target} yes", f"perdure answer {target} no"]
        case "choose":
            return [f"perdure answer {target} --choice 1"]
        case "upload":
            return [f"perdure answer {target} --file …", f"perdure answer {target} --path …"]
        case "review":
            how = ("--accept", "--replace '…'", "--send-back '…'")
            return [f"perdure answer {target} {each}" for each in how]
        case _:
            form = (question.inquiry or {}).get("form")
            return [f"perdure answer {target} " + ("'…'" if form is None else "--json-value '{…}'")]


def _more(reached: Mapping[str, Any]) -> str:
    """The option that raises the limit, or lifts what keeps it from being held to."""
    if reached.get("unpriced"):
        return "--unpriced"
    match reached.get("limit"):
        case "tool":
            return f"--tool {reached.get('tool')}=…"
        case str(limit):
            return f"--{limit.replace('_', '-')} …"
        case _:
            return "--cost …"


def _details(question: PendingQuestion) -> Iterator[str]:
    """What would run, or what kind of answer is expected; one line each."""
    if question.kind == APPROVAL:
        yield from f"{question.tool} {_json(question.arguments)}".split("\n")
        return
    if question.kind in (BUDGET, LOOP):
        return
    asked = question.inquiry or {}
    yield from (asked.get("details") or "").splitlines()
    for number, option in enumerate(asked.get("options") or (), start=1):
        yield f"{number}. {option}"
    if asked.get("several"):
        yield "more than one may be chosen, or none"
    if asked.get("form") is not None:
        yield from f"form: {_json(asked['form'])}".split("\n")
    yield from _file(asked)
    yield from (f"│ {line}" for line in (asked.get("subject") or "").splitlines())


def _file(asked: Mapping[str, Any]) -> Iterator[str]:
    if asked.get("accept"):
        yield f"a file: {', '.join(asked['accept'])}"
    if asked.get("most_bytes"):
        yield f"of at most {asked['most_bytes']:,} bytes"


def _terms(question: PendingQuestion) -> str:
    """Risk, time and people in a line."""
    parts = [f"risk {question.risk}"] if question.risk else [question.kind if question.kind != BUDGET else "a budget"]
    parts += [f"expires {_moment(question.expires_at)}"] if question.expires_at else []
    if question.quorum > 1:
        allowed = f" ({', '.join(question.votes)})" if question.votes else ""
        parts.append(f"{len(question.votes)} of {question.quorum} have allowed it{allowed}")
    parts += [f"for {' and '.join(' or '.join(group) for group in question.approvers)}"] if question.approvers else []
    parts += [f"escalated to level {question.escalated}"] if question.escalated else []
    parts += ["not for who started the thread"] if not question.self_approval else []
    parts += [f"changed by {question.edited_by}"] if question.edited_by else []
    return ", ".join(parts)


def _table(questions: Sequence[PendingQuestion]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("thread", "call", "kind", "question", "risk", "expires", "tenant"):
        table.add_column(column, no_wrap=column in ("thread", "call"), overflow="fold")
    for each in questions:
        cells = (each.thread_id, each.call_id, each.kind, one_line(each.question, _LONGEST), each.risk or "")
        table.add_row(*(Text(visible(cell)) for cell in (*cells, _moment(each.expires_at), each.tenant)))
    return table


def _json(value: Any) -> str:
    """Exactly this, over several lines."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _moment(time: datetime | None) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}" if time else ""
