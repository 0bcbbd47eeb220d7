"""The words of a policy: rules in layers. START HERE, then read `policy/judge.py`.

In every layer the first rule that matches speaks, or else the layer's default; of what the layers and the tool's
author say, the strictest counts. Whatever cannot be told counts as if it matched, without ending the search: not
knowing never loosens anything.
"""

import re
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from eventlog.approval_terms import PLAIN, ApprovalTerms
from eventlog.canonical import digest_of
from eventlog.terms import Effect, Risk
from llm.messages import JsonObject
from policy.approval import Approval
from policy.call import Decision
from policy.condition import DEEPEST, Condition
from policy.needs import Needs
from policy.times import Times
from policy.words import Patterns, Words, listed

_MONEY = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
MOST_RULES = 2_000
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"


def dollars(given: object) -> object:
    """Money as it is written; a float is taken at its shortest spelling."""
    if type(given) in (int, float) or (isinstance(given, str) and _MONEY.fullmatch(given)):
        return Decimal(str(given))
    return given


def _tuple(given: object) -> object:
    return tuple(given) if isinstance(given, list) else given


Dollars = Annotated[Decimal, BeforeValidator(dollars), Field(ge=0, allow_inf_nan=False, max_digits=20)]
Named = Annotated[str, Field(pattern=f"^{NAME}$")]


class Amount(Words):
    """How much money, in US dollars."""

    more_than: Dollars | None = None
    at_least: Dollars | None = None
    less_than: Dollars | None = None
    at_most: Dollars | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError(f"say how much: {', '.join(type(self).model_fields)}")
        return self


class Rule(Words):
    """One rule: it matches a call where everything it names fits. What it leaves out fits every call."""

    id: Named
    """Its name within the layer; recorded with every decision it makes."""
    decision: Decision
    """allow, warn, ask or deny"""
    reason: str | None = Field(default=None, min_length=1, max_length=2_000)
    """Why: the model reads it where the call is denied, the approver where it is asked about."""
    tools: Patterns | None = None
    effects: Annotated[tuple[Effect, ...], BeforeValidator(listed), Field(min_length=1)] | None = None
    """What the tool does to the world: read_only, idempotent, unsafe."""
    risks: Annotated[tuple[Risk, ...], BeforeValidator(listed), Field(min_length=1)] | None = None
    """What its author says of its risk: low, medium, high."""
    tenants: Patterns | None = None
    principals: Patterns | None = None
    models: Patterns | None = None
    """The model that wants the call."""
    needs: Needs | None = None
    """What its author says it needs of the world: paths, domains, secrets."""
    times: Times | None = None
    cost: Amount | None = None
    """What the call may cost."""
    spent: Amount | None = None
    """What the thread has spent so far."""
    where: Condition | None = None
    """What must hold of the arguments."""
    approval: Approval | None = None
    """How a person must be asked, where the decision is to ask."""

    @field_validator("where")
    @classmethod
    def _not_too_deep(cls, where: Condition | None) -> Condition | None:
        if where is not None and where.depth > DEEPEST:
            raise ValueError(f"conditions stand more than {DEEPEST} deep within each other")
        return where

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if self.approval is not None and self.decision != "ask":
            raise ValueError(f"approval says how a person is asked: write decision: ask, not {self.decision}")
        return self

    @cached_property
    def terms(self) -> ApprovalTerms:
        """How a person must be asked, where it asks."""
        return PLAIN if self.approval is None else self.approval.terms()

    @property
    def matches_everything(self) -> bool:
        """Whether no call passes it by."""
        return not any(getattr(self, name) is not None for name in MATCHERS)


MATCHERS = (
    "tools",
    "effects",
    "risks",
    "tenants",
    "principals",
    "models",
    "needs",
    "times",
    "cost",
    "spent",
    "where",
)


class Layer(Words):
    """Rules in their order, by one authority."""

    name: Annotated[str, Field(pattern=f"^{NAME}(?:/{NAME})?$")]
    default: Decision = "allow"
    """What is said of calls that no rule matches."""
    reason: str | None = Field(default=None, min_length=1, max_length=2_000)
    """Why, of the default."""
    tenants: Patterns | None = None
    """The tenants it is for; all where it names none."""
    allowed_models: Patterns | None = None
    """The only models that threads may ask; all where it names none."""
    rules: Annotated[tuple[Rule, ...], BeforeValidator(_tuple), Field(max_length=MOST_RULES)] = ()

    @field_validator("rules")
    @classmethod
    def _can_all_be_reached(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        rules_in_order(rules)
        return rules


class Policy(Words):
    """Layers of rules, whole and by themselves: what is recorded with a thread and can be read years later."""

    schema_version: Literal[1] = 1
    name: str = Field(min_length=1)
    """The names of what it was made of, joined by `+`."""
    layers: Annotated[tuple[Layer, ...], BeforeValidator(_tuple), Field(min_length=1)]

    @field_validator("layers")
    @classmethod
    def _told_apart(cls, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        layers_apart(layers)
        return layers

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its canonical JSON: two policies with the same digest decide the same."""
        return digest_of(self.recorded())

    def recorded(self) -> JsonObject:
        """As JSON, defaults included: what they are then is none of tomorrow's business."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def read(cls, recorded: Any) -> Self:
        """The policy of what was recorded; `UnreadablePolicy` where this code cannot be sure what it means."""
        try:
            return cls.model_validate(recorded)
        except (ValidationError, RecursionError) as error:
            raise UnreadablePolicy(f"the policy that was recorded cannot be read: {error}") from error

    def over(self, other: "Policy") -> "Policy":
        """Both: the layers of the other one beneath these. It is as strict as either of them."""
        return Policy(name=f"{other.name}+{self.name}", layers=(*other.layers, *self.layers))


class UnreadablePolicy(ValueError):
    """A recorded policy that this version of the code does not understand."""


def rules_in_order(rules: tuple[Rule, ...]) -> None:
    """Raise `ValueError` where two rules have one id, or where some can never be reached."""
    seen: dict[str, int] = {}
    for number, rule in enumerate(rules, 1):
        if rule.id in seen:
            raise ValueError(f"two rules have the id {rule.id!r}: numbers {seen[rule.id]} and {number}")
        seen[rule.id] = number
        if rule.matches_everything and number < len(rules):
            raise ValueError(
                f"the rule {rule.id!r} matches every call, so that those after it are never reached: "
                "put it last, or make it the default"
            )


def layers_apart(layers: tuple[Layer, ...]) -> None:
    """Raise `ValueError` where two layers have one name."""
    names = [layer.name for layer in layers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two layers have the name {name!r}")
