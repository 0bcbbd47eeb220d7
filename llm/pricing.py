"""What a call costs, by a dated table of list prices that users can extend and correct with a file of their own."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm.messages import TokenUsage
from llm.names import plain_name

BUILT_IN = Path(__file__).with_name("prices.json")
_MILLION = Decimal(1_000_000)

Dollars = Annotated[Decimal, Field(ge=0)]


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

    long: LongRates | None = None

    def cost(self, usage: TokenUsage) -> Decimal:
        """What a call costs, as a prompt of its length is priced."""
        prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        return self.long.cost(usage) if self.long and prompt > self.long.above else super().cost(usage)


class PriceList(_Entry):
    """A price file: the models' prices, and where they are from."""

    as_of: str | None = None
    source: str | None = None
    note: str | None = None
    models: dict[str, Price]
    """By plain name; a name that ends in `*` stands for all names that begin so."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """The list in a file; what is wrong with it is said with its path."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ValueError(f"the price file {path} cannot be used: {error}") from error


class Prices:
    """Tells the cost of calls."""

    def __init__(self, models: Mapping[str, Price]) -> None:
        self._models = models

    @classmethod
    def load(cls, own: Path | None = None) -> Self:
        """The built-in list, with a user's own entries before it."""
        extra = PriceList.read(own).models if own else {}
        return cls({**PriceList.read(BUILT_IN).models, **extra})

    def cost(self, usage: TokenUsage, model: str) -> Decimal | None:
        """US dollars; None where the model's price is not known, for unknown is not free."""
        price = self._price(model)
        return None if price is None else price.cost(usage)

    def _price(self, model: str) -> Price | None:
        """The entry of the very name, else of the plain name, else of the longest beginning."""
        for name in (model, plain_name(model)):
            if name in self._models:
                return self._models[name]
        begun = [name for name in self._models if name.endswith("*") and model.startswith(name[:-1])]
        return self._models[max(begun, key=len)] if begun else None
