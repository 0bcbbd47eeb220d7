"""What a notice says of its event."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import typer

from client import build
from eventlog.events import (
    AnyEvent,
    ApprovalEscalated,
    ApprovalGranted,
    BudgetExceeded,
    HumanInputProvided,
    HumanInputRequested,
)
from eventlog.log import Recorded
from eventlog.metadata import Metadata
from eventlog.raises import Raise
from eventlog.streams import ThreadId, stream_of
from notices.desk import LATE, is_moot
from notices.kinds import ALL, EXPIRING, KINDS, chosen
from notices.notice import LARGEST, Notice, about, notice_of
from notices.outbox import reminded_at
from notices.samples import UnknownKind, sample
from projections.requests import RaiseBudget
from tests.notices.conftest import TOKEN, asked
from tests.packaging.checkout import text
from workflows.doors import DOORS

NOW = datetime.now(UTC)
SOON = NOW + timedelta(hours=1)


def stream(*events: AnyEvent, ago: timedelta = timedelta(0)) -> list[Recorded]:
    """A thread in which these happened."""
    metadata = Metadata(at=NOW - ago, tenant="acme", principal="ana")
    name = stream_of(ThreadId("report-42"))
    return [Recorded(uuid4(), name, at, at + 1, NOW, event, metadata) for at, event in enumerate(events)]


def told(recorded: list[Recorded], which: int, kind: str) -> Notice:
    """The notice of one of them."""
    found = about(recorded, recorded[which].id)
    assert found is not None
    return notice_of(found, kind, "id", token=TOKEN)


def test_who_is_asked_next_reads_the_whole_question() -> None:
    """Whoever a question is passed on to gets arguments, the new approvers and the new token; the old one is void."""
    passed_on = ApprovalEscalated(
        call_id="toolu_1", level=1, approvers=(("lead-*",),), expires_at=SOON, token_sha256="a" * 64
    )
    happened = stream(asked(token=True), passed_on, ago=2 * LATE)
    notice = told(happened, 1, "approval.escalated")
    assert notice.details["arguments"] == {"path": "notes.md", "content": "buy milk"}
    assert notice.details["approvers"] == [["lead-*"]]
    assert notice.token == TOKEN
    first = told(happened, 0, "approval.requested")
    assert (first.token, first.answers) == (None, {})
    outdated = about(happened, happened[0].id)
    assert outdated is not None
    assert is_moot(outdated, "approval.requested", NOW)
    assert is_moot(outdated, "approval.expiring", NOW)


def test_an_answer_comes_with_its_question_and_without_commands() -> None:
    """Who hears of an answer reads what was asked, in a line, and is not asked to answer."""
    granted = ApprovalGranted(call_id="toolu_1", digest="d" * 64, approver="ana", comment="fine")
    notice = told(stream(asked(), granted), 1, "approval.granted")
    assert notice.details["question"] == "write_file notes.md (8 characters)"
    assert (notice.details["approver"], notice.details["comment"]) == ("ana", "fine")
    assert notice.text == "ana approved write_file notes.md (8 characters): fine"
    assert (notice.token, notice.answers) == (None, {})


@pytest.mark.parametrize(
    ("action", "answers"),
    [
        ("confirm", {"yes", "no"}),
        ("choose", {"choose"}),
        ("input", {"answer"}),
        ("upload", {"upload"}),
        ("review", {"accept", "replace", "send_back"}),
    ],
)
def test_each_question_says_how_it_is_answered(action: str, answers: set[str]) -> None:
    """Every kind of answer has its command, for a shell and for Temporal."""
    question = HumanInputRequested.model_validate(
        {"call_id": "toolu_1", "action": action, "question": "Which?", "expires_at": SOON, "options": ("this",)}
    )
    notice = told(stream(question), 0, "input.requested")
    assert set(notice.answers["perdure"]) == set(notice.answers["temporal"]) == answers
    for command in notice.answers["perdure"].values():
        assert command.startswith("perdure answer report-42 toolu_1 ")
    provided = HumanInputProvided.model_validate({"call_id": "toolu_1", "action": action, "by": "ana"})
    assert told(stream(question, provided), 0, "input.requested").answers == {}


@pytest.mark.parametrize(
    ("limit", "more"),
    [
        ({"limit": "cost"}, "--cost …"),
        ({"limit": "tool_calls"}, "--tool-calls …"),
        ({"limit": "tool", "tool": "write_file"}, "--tool write_file=…"),
        ({"limit": "cost", "unpriced": True}, "--unpriced"),
    ],
)
def test_each_limit_says_how_it_is_raised(limit: dict[str, object], more: str) -> None:
    """The command that allows more names what there is to be more of, as the command and the signal take it."""
    shape = {"allowed": 5, "used": 5, "action": "ask", "question": "more?", "expires_at": SOON, **limit}
    notice = told(stream(BudgetExceeded.model_validate(shape)), 0, "budget.exceeded")
    typed = notice.answers["perdure"]["raise"].replace("'", "")
    assert typed == f"perdure raise report-42 {more}"
    signal = json.loads(shlex.split(notice.answers["temporal"]["raise"])[-1])
    amounts = json.loads(json.dumps(signal["amounts"]).replace('"\\u2026"', "7"))
    assert RaiseBudget.model_validate({**signal, "amounts": amounts}).amounts != Raise()


def test_the_commands_are_ones() -> None:
    """Every command that a notice offers is one that the program takes, and every signal a request that it reads."""
    group = typer.main.get_command(build())
    for kind in ("approval.requested", "input.requested", "budget.exceeded"):
        for name, command in sample(kind).answers["perdure"].items():
            _, program, *words = shlex.split(command)
            with group.commands[program].make_context(name, [word.replace("…", "7") for word in words]):  # type: ignore[attr-defined]
                pass
        for name, command in sample(kind).answers["temporal"].items():
            words = shlex.split(command)
            shape, said = DOORS[words[words.index("--name") + 1]][0], json.loads(words[-1].replace('"…"', "7"))
            assert shape.model_validate({**said, **dict.fromkeys({"by", "approver", "reason"} & said.keys(), "ana")})
            assert name


def test_large_fields_are_named_and_left_out() -> None:
    """A file that would be written does not make the notice as large as itself."""
    notice = told(stream(asked(arguments={"content": "x" * LARGEST})), 0, "approval.requested")
    assert notice.omitted == ("arguments",)
    assert json.loads(notice.body)["data"]["omitted"] == ["arguments"]
    assert len(notice.body) < LARGEST


def test_half_characters_do_no_harm() -> None:
    """What a model wrote that is no Unicode is sent in a form that is JSON."""
    notice = told(stream(asked(arguments={"content": "\ud83d"})), 0, "approval.requested")
    assert json.loads(notice.body)["data"]["arguments"] == {"content": "\ud83d"}


@pytest.mark.parametrize(
    ("minutes", "before", "expected"), [(60, 10, 50), (60, 600, 45), (8, 60, 6), (7 * 24 * 60, 60, 7 * 24 * 60 - 60)]
)
def test_reminders_leave_time_to_answer_first(minutes: int, before: int, expected: int) -> None:
    """People are reminded as long before the end as is said, and not before most of the time is over."""
    ends = NOW + timedelta(minutes=minutes)
    assert reminded_at(NOW, ends, timedelta(minutes=before)) == NOW + timedelta(minutes=expected)


@pytest.mark.parametrize("kind", sorted(ALL - {"approval.voted", "usage.alert"}))
def test_there_is_an_example_of_each_kind(kind: str) -> None:
    """Whoever sets an endpoint up can see what it will get, in the form that real ones have."""
    said = json.loads(sample(kind).body)
    assert said["type"] == kind
    assert said["data"]["thread_id"]


def test_what_has_no_example_is_told() -> None:
    """An unknown kind is answered with those there are."""
    with pytest.raises(UnknownKind, match=r"approval\.requested"):
        sample("approval")


def test_the_kinds_are_documented() -> None:
    """docs/approvals.md names every kind of notice, and no other."""
    rows = text("docs/approvals.md").partition("| `type` | when |")[2].partition("\n\n")[0]
    named = {word for line in rows.splitlines() for word in line.split("|")[1:2] for word in word.split("`")[1::2]}
    assert named - {"webhook.test"} == ALL


def test_patterns_choose() -> None:
    """`approval.*` is every kind that begins so; no pattern at all is every kind."""
    assert chosen(("approval.*",)) == {kind for kind in ALL if kind.startswith("approval.")}
    assert chosen(()) == {*KINDS.values(), *EXPIRING.values()}
