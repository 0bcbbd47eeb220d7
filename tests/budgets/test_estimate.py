"""What a call may use at most, before it is made."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.estimate import DOCUMENT, PICTURE, UNSEEN, estimated
from llm.messages import Block, Message, ModelRequest, ModelTerms, TokenUsage, text_block
from llm.pricing import LongRates, Price, Prices
from projections.spending import Read

CENT = Decimal("0.01")
RATES = {"input": Decimal(3), "output": Decimal(15), "cache_read": Decimal("0.3"), "cache_write": Decimal("3.75")}
LONG = LongRates(above=200_000, **{name: 2 * rate for name, rate in RATES.items()})
PRICES = Prices({"m": (Price(**RATES, long=LONG),)})


def request(*blocks: Block, before: tuple[Message, ...] = (), model: str = "m") -> ModelRequest:
    """A request that ends with a message of these blocks."""
    messages = (*before, Message(role="user", content=blocks or (text_block("hi"),)))
    return ModelRequest(terms=ModelTerms(name=model, max_tokens=1000), system="", messages=messages, tools=())


def test_a_token_is_at_least_a_byte() -> None:
    """The first call of a thread is as many tokens as bytes, with what is unseen, and the longest reply."""
    found = estimated(request(), 5000, None, PRICES)
    assert found.tokens == 5000 + UNSEEN + 1000
    assert found.cost == (7000 * Decimal("3.75") + 1000 * 15) / 1_000_000


def test_what_the_provider_has_counted_is_not_estimated() -> None:
    """Of a conversation that goes on, only the bytes that came since count as tokens each."""
    read = Read("m", bytes=100_000, tokens=25_000)
    assert estimated(request(), 103_000, read, PRICES).tokens == 25_000 + 3000 + UNSEEN + 1000


@pytest.mark.parametrize("read", [Read("another", 4000, 10), Read("m", 6000, 10)])
def test_another_model_or_a_shorter_request_is_counted_anew(read: Read) -> None:
    """What another model counted, or what is no longer shown, says nothing of this request."""
    assert estimated(request(), 5000, read, PRICES) == estimated(request(), 5000, None, PRICES)


def test_a_long_prompt_has_the_dearer_rates() -> None:
    """Where the prompt may be long enough for other rates, these count."""
    found = estimated(request(), 300_000, None, PRICES)
    assert found.cost == (302_000 * Decimal("7.5") + 1000 * 30) / 1_000_000


@pytest.mark.parametrize(
    ("block", "more"),
    [
        ({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}, PICTURE),
        ({"type": "document", "source": {"type": "base64", "data": "…"}}, DOCUMENT),
        ({"type": "document", "source": {"type": "text", "data": "…"}}, 0),
        ({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image", "source": {}}]}, PICTURE),
        ({"type": "tool_result", "tool_use_id": "a", "content": "text"}, 0),
    ],
)
def test_pictures_and_files_count_by_what_they_show(block: dict[str, Any], more: int) -> None:
    """Their bytes do not tell how many tokens they are; once a reply has counted them, they are counted."""
    plain = estimated(request(), 5000, None, PRICES).tokens
    assert estimated(request(block), 5000, None, PRICES).tokens == plain + more
    seen = (Message(role="user", content=(block,)), Message(role="assistant", content=(text_block("I see"),)))
    read = Read("m", 4000, 1000)
    assert estimated(request(before=seen), 5000, read, PRICES).tokens == 1000 + 1000 + UNSEEN + 1000


def test_an_unknown_price_has_no_estimate() -> None:
    """The tokens are known all the same."""
    found = estimated(request(model="nobody"), 5000, None, PRICES)
    assert (found.cost, found.tokens) == (None, 5000 + UNSEEN + 1000)


@given(st.integers(0, 400_000), st.integers(0, 10**6), st.integers(0, 1000), st.integers(0, 100), st.integers(0, 100))
def test_no_way_to_bill_it_costs_more(prompt: int, slack: int, reply: int, written: int, read: int) -> None:
    """However the prompt is split between fresh, written and read, and however short the reply is."""
    size = prompt + slack
    parts = written * prompt // 300, read * prompt // 300
    usage = TokenUsage(
        input_tokens=prompt - sum(parts), cache_write_tokens=parts[0], cache_read_tokens=parts[1], output_tokens=reply
    )
    cost, most = PRICES.cost(usage, "m"), estimated(request(), size, None, PRICES).cost
    assert cost is not None
    assert most is not None
    assert cost <= most
