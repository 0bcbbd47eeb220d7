"""What was used."""

from decimal import Decimal

from llm.messages import TokenUsage
from projections.fold import fold
from projections.usage import USAGE, ModelUsage, ToolUsage, Usage
from tests.projections.facts import (
    asked,
    asking,
    completed,
    denied,
    given,
    model_failed,
    replied,
    said,
    started,
    tool_failed,
    unknown,
    use,
)


def usage_of_a_session() -> Usage:
    """A session with two priced calls, one unpriced, a failure and some tools."""
    return fold(
        USAGE,
        given(
            started(),
            said("hi"),
            asking(1, 1),
            model_failed(1, will_retry=True),
            replied(use("a"), use("b", "write_file"), use("c", "write_file"), cost=Decimal("0.1")),
            tool_failed("a", will_retry=True),
            completed("a", "A"),
            unknown("b"),
            asked("c"),
            denied("c"),
            replied("…", step=2, at=9, cost=None, stop_reason="pause_turn"),
            replied("done", step=3, at=10, cost=Decimal("0.2")),
        ),
    )


def test_models_are_counted_by_name() -> None:
    """Replies, failures, tokens of every kind, money and time."""
    assert usage_of_a_session().models == {
        "claude-test": ModelUsage(
            calls=3,
            failures=1,
            tokens=TokenUsage(input_tokens=30, output_tokens=15),
            cost=Decimal("0.3"),
            unpriced=1,
            time_ms=4500,
        )
    }


def test_money_is_exact_and_an_unknown_price_is_not_nothing() -> None:
    """Decimals add up, and calls without a price are counted apart."""
    usage = usage_of_a_session()
    assert (usage.cost, usage.unpriced, usage.calls) == (Decimal("0.3"), 1, 3)
    assert usage.tokens.total == 45


def test_tools_are_counted_by_name() -> None:
    """Every attempt and what became of it; a call that was forbidden used no tool."""
    usage = usage_of_a_session()
    assert usage.tools == {
        "read_file": ToolUsage(completed=1, failures=1, time_ms=20),
        "write_file": ToolUsage(unknown=1),
    }
    assert usage.refused_calls == 1


def test_a_reply_that_came_too_late_was_paid_for() -> None:
    """Usage counts what was spent, also on steps that were given up."""
    usage = fold(USAGE, given(started(), said("hi"), asking(1, 1), model_failed(1), replied("late")))
    assert (usage.calls, usage.cost) == (1, Decimal("0.01"))
