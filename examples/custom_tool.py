"""The tools of a shop's support desk: one that only reads, one that may be repeated, one that must not be.

Start the system from the checkout with these tools, and a model that plays a written conversation:

    python -m stack.scripted --port 8099 --script examples/scripted_conversation.json
    ANTHROPIC_BASE_URL=http://127.0.0.1:8099 PERDURE_MODEL=scripted-1 PERDURE_PLUGINS=examples.custom_tool perdure up
    perdure start "Refund order 1002" --wait

With ANTHROPIC_API_KEY set in place of the first line and the first two variables, Claude uses the same tools. Two files
in the workspace stand in for the systems of a real shop.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from tools.context import ToolContext
from tools.errors import ToolFailed
from tools.tool import tool

PRICES = {1001: Decimal("39.90"), 1002: Decimal("79.00"), 1003: Decimal("12.50")}
WITHOUT_ASKING = Decimal("20.00")
"""Smaller refunds need no person."""

Number = Annotated[int, Field(description="The order's number")]
Amount = Annotated[Decimal, Field(gt=0, decimal_places=2, description="How much, in euros")]


@tool(effect="read_only", title="look at order {number}")
def find_order(number: Number, context: ToolContext) -> dict[str, str]:
    """Tell what an order cost and how much of it was refunded."""
    refunded = sum(Decimal(each["amount"]) for each in _refunds(context) if each["number"] == number)
    return {"price": str(_price(number)), "refunded": str(refunded)}


# Idempotent: the same day set twice is the same day, so a call whose worker died is simply made again.
@tool(effect="idempotent", title="deliver order {number} on {day}")
def set_delivery_day(number: Number, day: date, context: ToolContext) -> str:
    """Set the day on which an order is delivered."""
    _price(number)
    (context.workspace / f"delivery-{number}.txt").write_text(day.isoformat(), encoding="utf-8")
    return f"order {number} will be delivered on {day:%A, %d %B %Y}"


def _reason_to_ask(arguments: Mapping[str, Any]) -> str | None:
    """The approval rule: the reason why a person must agree, or None where nobody need."""
    return f"it refunds more than {WITHOUT_ASKING} euros" if arguments["amount"] > WITHOUT_ASKING else None


def _became_of(context: ToolContext, number: int, amount: Decimal) -> str:
    """The reconciliation, asked instead of a second refund when a worker died during the first.

    The file tells for certain. Where a payment might still be on its way, return None: nobody knows.
    """
    if any(each["reference"] == context.idempotency_key for each in _refunds(context)):
        return f"refunded {amount} euros of order {number}"
    raise ToolFailed("the refund was interrupted before any money moved; ask for it again if it is still wanted")


# Unsafe: done twice, the customer is paid twice. So it is never simply repeated.
@tool(effect="unsafe", approval=_reason_to_ask, title="refund {amount} euros of order {number}", reconcile=_became_of)
def refund(number: Number, amount: Amount, context: ToolContext) -> str:
    """Pay money back to the customer. Larger amounts need a person's approval."""
    if amount > _price(number):
        raise ToolFailed(f"order {number} cost only {_price(number)} euros")
    line = {"reference": context.idempotency_key, "number": number, "amount": str(amount)}
    with (context.workspace / "refunds.jsonl").open("a", encoding="utf-8") as refunds:
        refunds.write(json.dumps(line) + "\n")
    return f"refunded {amount} euros of order {number}"


def _price(number: int) -> Decimal:
    if number not in PRICES:
        raise ToolFailed(f"there is no order {number}; ask the customer for the number on the invoice")
    return PRICES[number]


def _refunds(context: ToolContext) -> Iterator[dict[str, Any]]:
    file = context.workspace / "refunds.jsonl"
    if file.exists():
        yield from map(json.loads, file.read_text(encoding="utf-8").splitlines())
