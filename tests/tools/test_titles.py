"""What people read of a call: its title, and the question whether it may run."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.tools.conftest import MakeBench
from tools.titles import one_line
from tools.tool import Approval, Title, Tool, tool


def _transfer(*, approval: Approval | None = None, title: Title | None = None) -> Tool:
    """A tool with this rule and title."""

    @tool(approval=approval, title=title, risk="medium")
    def transfer(to: str, amount: int = 10) -> str:
        """Transfer money."""
        return f"{to} {amount}"

    return transfer


def _fails(_: Mapping[str, Any]) -> str:
    """Fail, as a title or a rule may."""
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        (None, 'transfer(to="bo")'),
        ("send {amount} to {to}", "send 10 to bo"),
        (lambda arguments: f"pay {arguments['to']}\nnow", "pay bo now"),
        ("{nothing}", 'transfer(to="bo")'),
        (_fails, 'transfer(to="bo")'),
        (lambda _: "", 'transfer(to="bo")'),
    ],
)
def test_a_title_is_the_tools_own_or_the_call(bench_of: MakeBench, title: Title | None, shown: str) -> None:
    """A title may be a format or a function of the arguments, defaults included; one that fails is replaced."""
    bench = bench_of(_transfer(title=title))
    assert bench.workbench.title("transfer", {"to": "bo"}) == shown


def test_a_title_is_one_printable_line() -> None:
    """Line breaks, control characters, direction marks and lone surrogates cannot forge what is read."""
    assert one_line("a\nb\x1b[31m\u202ec\ud800d") == "a b [31m c d"
    assert len(one_line("x" * 1000)) == 80


def test_unknown_tools_and_wrong_arguments_have_titles_too(bench_of: MakeBench) -> None:
    """A title is asked for before the call is checked."""
    bench = bench_of(_transfer(title="send {amount}"))
    assert bench.workbench.title("gone", {"a": 1}) == "gone(a=1)"
    assert bench.workbench.title("transfer", {"a": 1}) == "transfer(a=1)"
    assert bench.workbench.title("\n", {}) == "()"


@pytest.mark.parametrize(
    ("approval", "reason"),
    [
        ("never", None),
        (lambda arguments: arguments["amount"] > 10, None),
        (lambda _: "", None),
        ("always", "transfer asks before every call"),
        (lambda arguments: arguments["amount"] > 9, "transfer asks about this call"),
        (lambda arguments: f"{arguments['amount']} is a lot", "10 is a lot"),
        (_fails, "the approval rule of transfer failed (ZeroDivisionError), so a person decides"),
    ],
)
def test_who_must_agree(bench_of: MakeBench, approval: Approval, reason: str | None) -> None:
    """A rule sees the arguments with their defaults, may give its reason, and asks where it fails."""
    question = bench_of(_transfer(approval=approval, title="pay {amount}")).plan("transfer", {"to": "bo"}).question
    if reason is None:
        assert question is None
    else:
        assert question is not None
        assert (question.text, question.reason, question.risk) == ("pay 10", reason, "medium")
