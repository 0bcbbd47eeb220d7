"""What a call costs, by a dated table of list prices that users can extend and correct with a file of their own.

A model's price may change: then it has several, each with the day from which it holds, and what counts is the day of
the call. A tool may cost money too, so much for each call.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from llm.messages import TokenUsage
from llm.names import plain_name

BUILT_IN = Path(__file__).with_name("prices.json")
_MILLION = Decimal(1_000_000)

Dollars = Annotated[Decimal, Field(ge=0, le=10**9, max_digits=20)]


class UnusablePrices(ValueError):
    """A price file that is none; the message names it and says what is wrong, a line for each mistake."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rates(_Entry):
    """US dollars per million tokens."""

    input: Dollars
    output: Dollars
    cache_read: Dollars
    cache_write: Dollars

    def cost(self, usage: TokenUsage) -> Decimal:
        """What the tokens cost at these rates."""
        dollars = (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_tokens * self.cache_write
        )
        return dollars / _MILLION


class LongRates(Rates):
    """Other rates, for all tokens of a call whose prompt is long."""

    above: int = Field(gt=0)
    """The longest prompt, in tokens with those of the cache, that does not count as long."""


class Price(Rates):
    """What one model costs."""

    since: date | None = Field(default=None, alias="from")
    """The first day, in UTC, on which it holds; None is from the beginning."""
    long: LongRates | None = None

    def cost(self, usage: TokenUsage) -> Decimal:
        """What a call costs, as a prompt of its length is priced."""
        prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        return self.long.cost(usage) if self.long and prompt > self.long.above else super().cost(usage)


class ToolPrice(_Entry):
    """What one tool costs."""

    since: date | None = Field(default=None, alias="from")
    """The first day, in UTC, on which it holds; None is from the beginning."""
    call: Dollars
    """US dollars for each call that is begun, whatever becomes of it."""


P = TypeVar("P", Price, ToolPrice)


def _each(given: Any) -> Any:
    return [given] if isinstance(given, dict) else given


def _in_order(prices: tuple[P, ...]) -> tuple[P, ...]:
    days = [price.since for price in prices]
    if not prices or len(set(days)) < len(days):
        raise ValueError("each price of a name must have a day of its own under 'from'; one may go without")
    return tuple(sorted(prices, key=lambda price: price.since or date.min))


History = Annotated[tuple[P, ...], BeforeValidator(_each), AfterValidator(_in_order)]
"""One price, or a list of prices, each with the day from which it holds; in the order of these days."""


class PriceList(_Entry):
    """A price file: the models' prices, and where they are from."""

    as_of: str | None = None
    source: str | None = None
    note: str | None = None
    models: dict[str, History[Price]] = Field(default_factory=dict)
    """By plain name; a name that ends in `*` stands for all names that begin so."""
    tools: dict[str, History[ToolPrice]] = Field(default_factory=dict)
    """By the tool's name, and `*` as above. What is not here costs nothing."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """The list in a file. Raises `UnusablePrices`."""
        try:
            content = path.read_bytes()
            listed = cls.model_validate_json(content)
            json.loads(content, object_pairs_hook=_each_once)
        except (OSError, ValueError) as error:
            raise _unusable(path, _mistakes(error)) from error
        if not listed.models and not listed.tools:
            raise _unusable(path, "it has no price: write models or tools")
        return listed


def _unusable(path: Path, problem: str) -> UnusablePrices:
    return UnusablePrices(f"the price file {path} cannot be used: {problem}")


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the file, which must not say two prices under one name."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands in it twice")
    return found


def _mistakes(error: OSError | ValueError) -> str:
    match error:
        case ValidationError():
            return "\n".join(_mistake(each["loc"], each["msg"]) for each in error.errors())
        case OSError():
            return str(error.strerror)
        case _:
            return str(error)


def _mistake(place: Sequence[int | str], problem: str) -> str:
    return ": ".join((*filter(None, [".".join(map(str, place))]), problem.removeprefix("Value error, ")))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the price of one name."""

    name: str
    """As it stands in the list: perhaps a plain name, or one that ends in `*`."""
    prices: tuple[Price, ...] | tuple[ToolPrice, ...]
    """In the order of the days from which they hold."""
    own: bool
    """Whether the user's own file says it."""

    def on(self, day: date) -> Price | ToolPrice | None:
        """The one that holds on a day; None before the first."""
        begun = [price for price in self.prices if price.since is None or price.since <= day]
        return begun[-1] if begun else None


class Prices:
    """Tells the cost of calls."""

    def __init__(
        self,
        models: Mapping[str, tuple[Price, ...]],
        tools: Mapping[str, tuple[ToolPrice, ...]] | None = None,
        own: PriceList | None = None,
    ) -> None:
        self._models = models
        self._tools = tools or {}
        self._own = own or PriceList()

    @classmethod
    def load(cls, own: Path | None = None) -> Self:
        """The built-in list, with a user's own entries before it: theirs replace all prices of a name."""
        extra, listed = PriceList.read(own) if own else None, PriceList.read(BUILT_IN)
        models = {**listed.models, **(extra.models if extra else {})}
        return cls(models, {**listed.tools, **(extra.tools if extra else {})}, extra)

    def cost(self, usage: TokenUsage, model: str, at: datetime | None = None) -> Decimal | None:
        """US dollars for a call at a time, now where none is given; None where the price is not known.

        Unknown is not free: who counts must say how many such calls there were.
        """
        price = self.of_model(model)
        holds = price.on(_day(at)) if price else None
        return holds.cost(usage) if isinstance(holds, Price) else None

    def cost_of_tool(self, tool: str, at: datetime | None = None) -> Decimal:
        """US dollars for one call of a tool at a time, now where none is given; nothing where no price is set."""
        price = self.of_tool(tool)
        holds = price.on(_day(at)) if price else None
        return holds.call if isinstance(holds, ToolPrice) else Decimal(0)

    def of_model(self, model: str) -> Known | None:
        """The entry of the very name, else of the plain name, else of the longest beginning."""
        name = _entry(self._models, model, plain_name(model))
        return None if name is None else Known(name, self._models[name], name in self._own.models)

    def of_tool(self, tool: str) -> Known | None:
        """The entry of the very name, else of the longest beginning."""
        name = _entry(self._tools, tool)
        return None if name is None else Known(name, self._tools[name], name in self._own.tools)

    def models(self) -> Iterator[Known]:
        """What is known of every model."""
        return (Known(name, prices, name in self._own.models) for name, prices in self._models.items())

    def tools(self) -> Iterator[Known]:
        """What is known of every tool that costs."""
        return (Known(name, prices, name in self._own.tools) for name, prices in self._tools.items())


def _entry(entries: Mapping[str, object], *names: str) -> str | None:
    for name in names:
        if name in entries:
            return name
    begun = [name for name in entries if name.endswith("*") and names[0].startswith(name[:-1])]
    return max(begun, key=len) if begun else None


def _day(at: datetime | None) -> date:
    return (at or datetime.now(UTC)).astimezone(UTC).date()
