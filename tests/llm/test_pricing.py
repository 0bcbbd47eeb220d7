"""What calls cost."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from llm.messages import TokenUsage
from llm.pricing import BUILT_IN, PriceList, Prices, UnusablePrices

MILLION = 1_000_000
USAGE = TokenUsage(input_tokens=1000, output_tokens=200, cache_read_tokens=5000, cache_write_tokens=400)


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("claude-opus-4-5", "0.015"),
        ("claude-opus-4-5-20251101", "0.015"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "0.015"),
        ("claude-opus-4-5@20251101", "0.015"),
        ("claude-sonnet-4-6", "0.009"),
        ("claude-haiku-4-5-20251001", "0.003"),
        ("scripted-1", "0"),
    ],
)
def test_a_call_costs_its_tokens_at_the_list_price(model: str, cost: str) -> None:
    """Each kind of token has its own price, and a model may go by many names."""
    assert Prices.load().cost(USAGE, model) == Decimal(cost)


@pytest.mark.parametrize("model", ["claude-opus-99", "claude-opus-4-5-turbo", "claude-", "gpt-9", "", "my-scripted-1"])
def test_an_unknown_price_is_not_free(model: str) -> None:
    """A new model that sounds like an old one has no price until somebody says it."""
    assert Prices.load().cost(USAGE, model) is None


@pytest.mark.parametrize(("prompt", "cost"), [(100_000, "0.0105"), (100_001, "0.0525005")])
def test_long_prompts_may_cost_more(prompt: int, cost: str) -> None:
    """Over the limit, all of the call is dearer, and what is cached counts as prompt."""
    usage = TokenUsage(input_tokens=prompt, output_tokens=1000)
    assert Prices.load().cost(usage, "claude-haiku-5-5") == Decimal(cost)
    cached = TokenUsage(cache_read_tokens=100_001)
    assert Prices.load().cost(cached, "claude-haiku-5-5") == Decimal("0.00500005")


def test_own_prices_go_before_the_built_in_ones(tmp_path: Path) -> None:
    """A user's file corrects a price, adds models and stands for whole families; the rest stays."""
    rates = {"input": 1, "output": "2.5", "cache_read": 0, "cache_write": 0}
    own = tmp_path / "prices.json"
    own.write_text(
        json.dumps({"models": {"claude-opus-4-5": rates, "qwen-*": rates, "qwen-3-*": {**rates, "input": 9}}})
    )
    prices = Prices.load(own)
    usage = TokenUsage(input_tokens=MILLION, output_tokens=MILLION)
    costs = {name: prices.cost(usage, name) for name in ("claude-opus-4-5", "qwen-2", "qwen-3-mini", "claude-opus-4-6")}
    assert costs == {
        "claude-opus-4-5": Decimal("3.5"),
        "qwen-2": Decimal("3.5"),
        "qwen-3-mini": Decimal("11.5"),
        "claude-opus-4-6": Decimal(30),
    }


def test_what_counts_is_the_price_on_the_day_of_the_call(tmp_path: Path) -> None:
    """A price holds from its day on, in UTC, until the next one; before the first, nothing is known."""
    own = tmp_path / "prices.json"
    rates = {"output": 0, "cache_read": 0, "cache_write": 0}
    new, first = {"from": "2026-06-01", "input": 3, **rates}, {"from": "2026-01-01", "input": 5, **rates}
    always = {"input": 7, **rates}
    own.write_text(json.dumps({"models": {"m": [new, first], "n": [new, always]}}))
    prices, usage = Prices.load(own), TokenUsage(input_tokens=MILLION)

    def on(model: str, time: str) -> Decimal | None:
        return prices.cost(usage, model, datetime.fromisoformat(time))

    assert on("m", "2025-12-31T23:59:59Z") is None
    assert on("m", "2026-01-01T00:00:00Z") == 5
    assert on("m", "2026-06-01T01:00:00+02:00") == 5
    assert on("m", "2026-06-01T00:00:00Z") == 3
    assert on("n", "2020-01-01T00:00:00Z") == 7
    assert prices.cost(usage, "m") == 3


def test_a_tool_may_cost_money(tmp_path: Path) -> None:
    """So much a call, by its name or by how that begins, and from a day on; others cost nothing."""
    own = tmp_path / "prices.json"
    search = [{"call": "0.01"}, {"from": "2026-06-01", "call": "0.005"}]
    own.write_text(json.dumps({"models": {}, "tools": {"web_search": search, "mcp__maps__*": {"call": 1}}}))
    prices, may = Prices.load(own), datetime(2026, 5, 31, tzinfo=UTC)
    assert prices.cost_of_tool("web_search", may) == Decimal("0.01")
    assert prices.cost_of_tool("web_search") == Decimal("0.005")
    assert prices.cost_of_tool("mcp__maps__route") == 1
    assert prices.cost_of_tool("read_file") == 0


def test_whose_price_it_is_can_be_told(tmp_path: Path) -> None:
    """A user's own entry replaces all the built-in ones of its name, and says so."""
    own = tmp_path / "prices.json"
    rates = {"input": 1, "output": 1, "cache_read": 0, "cache_write": 0}
    own.write_text(json.dumps({"models": {"claude-opus-4-5": {"from": "2026-01-01", **rates}}}))
    prices = Prices.load(own)
    mine, theirs = prices.of_model("claude-opus-4-5@20251101"), prices.of_model("claude-opus-4-6")
    assert mine is not None
    assert theirs is not None
    assert (mine.name, mine.own, theirs.own) == ("claude-opus-4-5", True, False)
    assert prices.cost(USAGE, "claude-opus-4-5", datetime(2025, 1, 1, tzinfo=UTC)) is None
    assert {known.name for known in prices.models() if known.own} == {"claude-opus-4-5"}


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "{}",
        '{"models": {"x": {"input": 1}}}',
        '{"models": {"x": []}}',
        '{"models": {}, "tools": {"t": [{"call": 1}, {"call": 2}]}}',
        '{"models": {}, "tools": {"t": {"call": 1, "from": "soon"}}}',
        '{"models": {"x": {"input": -1, "output": 1, "cache_read": 1, "cache_write": 1}}}',
        '{"models": {"x": {"input": 1, "output": 1, "cache_read": 1, "cache_write": 1, "tips": 1}}}',
        '{"tools": {"t": {"call": "1e999999"}}}',
        '{"tools": {"t": {"call": "NaN"}}}',
        '{"tools": {"t": {"call": 1}, "t": {"call": 0}}}',
        "[" * 100_000,
    ],
)
def test_a_wrong_price_file_is_named(tmp_path: Path, content: str) -> None:
    """The path and the mistake are said; nothing is charged by guess."""
    own = tmp_path / "prices.json"
    own.write_text(content)
    with pytest.raises(UnusablePrices, match=r"prices\.json cannot be used: \S") as refused:
        Prices.load(own)
    assert "pydantic" not in str(refused.value)
    with pytest.raises(UnusablePrices, match=r"absent\.json cannot be used"):
        Prices.load(tmp_path / "absent.json")


def test_a_price_file_may_be_of_tools_alone(tmp_path: Path) -> None:
    """Whoever only has a tool to pay for need not speak of models."""
    own = tmp_path / "prices.json"
    own.write_text('{"tools": {"t": {"call": "0.01"}}}')
    assert Prices.load(own).cost_of_tool("t") == Decimal("0.01")


def test_the_built_in_list_says_where_it_is_from() -> None:
    """Prices change: the date and the source stand with them."""
    listed = PriceList.read(BUILT_IN)
    assert listed.as_of
    assert listed.source
