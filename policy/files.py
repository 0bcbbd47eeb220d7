"""Named policies: one YAML file each, in one folder. The file's name is the policy's."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from policy.approval import Approval, Next
from policy.call import Decision
from policy.condition import Condition
from policy.mistakes import InvalidFile, Reader, near
from policy.needs import Needs
from policy.rules import MOST_RULES, NAME, Amount, Layer, Policy, Rule, layers_apart, rules_in_order
from policy.times import Times
from policy.words import Patterns, Words
from policy.yaml_text import Mistake, Place

SUFFIX = ".yaml"
CASES = ".cases.yaml"
"""The end of a table of cases, which may lie beside the policies."""


def _tuple(given: object) -> object:
    return tuple(given) if isinstance(given, list) else given


class PolicyFile(Words):
    """A policy as its author writes it: `rules` with a `default`, or several `layers` of them."""

    description: str | None = None
    """For people."""
    default: Decision = "allow"
    reason: str | None = Field(default=None, min_length=1, max_length=2_000)
    tenants: Patterns | None = None
    allowed_models: Patterns | None = None
    rules: Annotated[tuple[Rule, ...], BeforeValidator(_tuple), Field(max_length=MOST_RULES)] = ()
    layers: Annotated[tuple[Layer, ...], BeforeValidator(_tuple), Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        said = self.model_fields_set - {"description"}
        if not said:
            raise ValueError("it says nothing: write default: deny, rules: … or layers: …")
        if "layers" in said and said != {"layers"}:
            beside = ", ".join(sorted(said - {"layers"}))
            raise ValueError(f"beside layers there can be no {beside}: put it into one of the layers")
        if any("/" in layer.name for layer in self.layers or ()):
            raise ValueError("the name of a layer has no /: the policy's name is put before it by itself")
        layers_apart(self.layers or ())
        rules_in_order(self.rules)
        return self

    def named(self, name: str) -> Policy:
        """The policy by this name; its layers' names begin with it."""
        layers = self.layers or (
            Layer(
                name=name,
                default=self.default,
                reason=self.reason,
                tenants=self.tenants,
                allowed_models=self.allowed_models,
                rules=self.rules,
            ),
        )
        prefix = f"{name}/" if self.layers else ""
        return Policy(
            name=name, layers=tuple(layer.model_copy(update={"name": prefix + layer.name}) for layer in layers)
        )


PARTS: dict[str, type[Words]] = {
    "rules": Rule,
    "layers": Layer,
    "needs": Needs,
    "times": Times,
    "cost": Amount,
    "spent": Amount,
    "approval": Approval,
    "escalation": Next,
    **dict.fromkeys(("where", "all", "any", "not", "some", "every"), Condition),
}


def read_policy(file: Path) -> Policy:
    """The policy in a file; raises `InvalidFile` with everything that is wrong with it."""
    name = file.name.removesuffix(SUFFIX)
    if not re.fullmatch(NAME, name):
        words = f"{name!r} is no name for a policy: letters, digits, _, . and -, at most 64"
        raise InvalidFile(file, [Mistake(Place(1, 1), words)])
    said, _ = Reader(PolicyFile, PARTS).read(file, PolicyFile)
    return said.named(name)


class UnknownPolicy(LookupError):
    """There is no policy of that name; the message lists those there are."""


class Policies:
    """The named policies in a folder."""

    def __init__(self, folder: Path | None, always: Sequence[str] = ()) -> None:
        self._folder = folder
        self._always = tuple(always)
        """Names of those that are in force for every thread, undermost."""

    def names(self) -> tuple[str, ...]:
        """All there are, in order."""
        files = self._folder.glob(f"*{SUFFIX}") if self._folder else ()
        return tuple(sorted(file.name.removesuffix(SUFFIX) for file in files if not file.name.endswith(CASES)))

    def get(self, name: str) -> Policy:
        """The policy of this name; raises `UnknownPolicy` or `InvalidFile`."""
        if self._folder is None:
            raise UnknownPolicy(f"there is no policy {name!r}: set PERDURE_POLICIES to the folder they are in")
        names = self.names()
        if name not in names:
            raise UnknownPolicy(f"there is no policy {name!r} in {self._folder}{near(name, names)}")
        return read_policy(self._folder / f"{name}{SUFFIX}")

    def in_force(self, chosen: Sequence[str]) -> Policy | None:
        """What is in force for a thread for which these are chosen; None where there is no policy at all.

        Raises `UnknownPolicy` or `InvalidFile`.
        """
        return _over_each_other(self.get(name) for name in dict.fromkeys((*self._always, *chosen)))


def stacked(given: Sequence[str], folder: Path, policies: Policies) -> Policy | None:
    """All of these in one, the first undermost; None for no name.

    What has a / or `.yaml` in it is the path of a file, beginning at `folder`.
    """
    return _over_each_other(
        read_policy(folder / name) if "/" in name or name.endswith(SUFFIX) else policies.get(name)
        for name in dict.fromkeys(given)
    )


def _over_each_other(policies: Iterable[Policy]) -> Policy | None:
    stacked: Policy | None = None
    for each in policies:
        stacked = each if stacked is None else each.over(stacked)
    return stacked
