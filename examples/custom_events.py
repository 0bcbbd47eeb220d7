"""Events of an accountant's office: one that a tool records or a clerk reports, and a view of what was paid.

Start the system from the checkout with this plugin, and report a payment from outside:

    PERDURE_PLUGINS=examples.custom_events perdure up
    perdure start "Good morning" --mode chat --thread office
    perdure record office acme.InvoicePaid --data '{"invoice": "17", "amount": "39.90"}'
    PERDURE_PLUGINS=examples.custom_events perdure show office
    PERDURE_PLUGINS=examples.custom_events perdure view acme.payments office
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from eventlog.custom import CustomEvent
from eventlog.log import Recorded
from llm.messages import JsonObject
from projections.fold import Projection
from tools.context import ToolContext
from tools.tool import tool


def _with_currency(data: JsonObject) -> JsonObject:
    """Version 1 knew no currency: all was paid in euros."""
    return {**data, "currency": "EUR"}


class InvoicePaid(CustomEvent):
    """An invoice was paid."""

    namespace = "acme"
    version = 2
    upcasts = {1: _with_currency}  # noqa: RUF012 - a class says it once and for all

    invoice: str
    """The number on the invoice."""
    amount: Decimal
    currency: str = "EUR"

    def headline(self) -> str:
        """The event as `perdure show` tells it."""
        return f"invoice {self.invoice} is paid: {self.amount} {self.currency}"


@tool(effect="idempotent", title="pay {amount} euros for invoice {invoice}")
def pay_invoice(
    invoice: Annotated[str, Field(description="The number on the invoice")],
    amount: Annotated[Decimal, Field(gt=0, description="How much, in euros")],
    context: ToolContext,
) -> str:
    """Pay an invoice."""
    # Here the bank would be told, with context.idempotency_key: then paying twice is paying once.
    context.record(InvoicePaid(invoice=invoice, amount=amount))
    return f"invoice {invoice} is paid"


@dataclass(frozen=True)
class Payments:
    """What was paid in a thread."""

    invoices: tuple[str, ...] = ()
    totals: Mapping[str, Decimal] = field(default_factory=dict)
    """By currency."""


def _evolve(payments: Payments, recorded: Recorded) -> Payments:
    paid = InvoicePaid.read(recorded)
    if paid is None:
        return payments
    total = payments.totals.get(paid.currency, Decimal(0)) + paid.amount
    return replace(
        payments, invoices=(*payments.invoices, paid.invoice), totals={**payments.totals, paid.currency: total}
    )


PAYMENTS: Projection[Payments] = Projection("acme.payments", 1, Payments, _evolve)
