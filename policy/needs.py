"""What a tool needs of the world, as its author declares it, held against what a rule names."""

from collections.abc import Sequence
from typing import Self

from pydantic import model_validator

from eventlog.terms import Capabilities
from policy.patterns import Globs
from policy.truth import Truth, all_of, any_of
from policy.words import Patterns, Words

_WILD = frozenset("*?[")


class Needs(Words):
    """What must stand in the tool's manifest: of each kind that is named here, something that fits."""

    paths: Patterns | None = None
    domains: Patterns | None = None
    secrets: Patterns | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(getattr(self, kind) is None for kind in type(self).model_fields):
            raise ValueError(f"say what: {', '.join(type(self).model_fields)}")
        return self

    def held(self) -> "Held":
        """Ready to be held against manifests."""
        return Held(self)


class Held:
    """What a rule names, with its patterns compiled."""

    def __init__(self, needs: Needs) -> None:
        named = {kind: getattr(needs, kind) for kind in Needs.model_fields}
        self._globs = {kind: Globs(patterns) for kind, patterns in named.items() if patterns is not None}

    def match(self, declared: Capabilities | None) -> Truth:
        """Whether the tool declares such needs; None where it declares nothing at all, or so widely that it may."""
        if declared is None:
            return None
        return all_of(_fits(globs, getattr(declared, kind)) for kind, globs in self._globs.items())


def told(declared: Capabilities | None) -> str:
    """The manifest in words."""
    if declared is None:
        return "the tool does not say what it needs"
    kinds = [f"{kind} {', '.join(words)}" for kind, words in declared if words]
    return f"the tool needs {'; '.join(kinds) or 'nothing'}"


def _fits(globs: Globs, declared: Sequence[str]) -> Truth:
    return any_of(_covers(globs, each) for each in declared)


def _covers(globs: Globs, declared: str) -> Truth:
    """Whether a pattern fits what is declared; one that is a pattern itself may yet come to what fits."""
    return globs.match(declared) or (None if _WILD & set(declared) else False)
