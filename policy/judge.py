"""What a policy says of a call, and why. Pure: the same policy and the same call give the same verdict, for ever.

In every layer the first rule that matches speaks, or else its default; the strictest of the layers and the tool's
author counts. Of two that are equally strict, the earlier one speaks. A rule that cannot be told to match or not
counts with its decision, and the search goes on behind it: so the verdict is at least as strict as any that
knowing more could give.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from operator import attrgetter
from typing import Literal, TypeAlias

from eventlog.approval_terms import PLAIN, ApprovalTerms
from policy import needs
from policy.approval import combined
from policy.call import STRICTNESS, Call, Decision, Hint
from policy.condition import prepared, told
from policy.patterns import Globs, shown
from policy.rules import Amount, Layer, Policy, Rule
from policy.times import Clock
from policy.truth import Truth

AUTHOR = "author"
"""The layer of the tool's author, who is heard last."""

MOST_TOOLS = 1_000
"""Names of tools that a layer keeps its rules by."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a call."""

    decision: Decision
    layer: str
    """Whose word it is."""
    rule: str | None
    """The id of the rule that decided; None for a layer's default and for the tool's author."""
    reason: str
    """In a sentence: the model reads it where the call is denied, the approver where it is asked about."""
    approval: ApprovalTerms = PLAIN
    """Where a person must be asked: how, so that all who want that are content."""

    @property
    def silent(self) -> bool:
        """Whether nothing was said of the call: no rule, and a default that allows."""
        return self.decision == "allow" and self.rule is None


Outcome: TypeAlias = Literal["matched", "undecided", "passed", "unreached"]


_OUTCOMES: dict[Truth, Outcome] = {True: "matched", False: "passed", None: "undecided"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one rule, or of a layer's default (no rule)."""

    layer: str
    rule: str | None
    decision: Decision
    outcome: Outcome
    """matched: it speaks for its layer; undecided: it cannot be told, so that it counts where it is stricter than what
    comes after; passed: it does not fit; unreached: an earlier one has matched"""
    why: str


@dataclass(frozen=True, slots=True)
class _Aspect:
    """One thing a rule looks at."""

    holds: Callable[[Call], Truth]
    told: Callable[[Call], str]


class _Ruling:
    """A rule, ready to be held against calls."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.aspects = tuple(_aspects(rule))
        self._tests = tuple(aspect.holds for aspect in self.aspects)
        self._tools = Globs(rule.tools) if rule.tools is not None else None
        self._further = self._tests if rule.tools is None else self._tests[1:]  # the tool is looked at first

    def is_for(self, tool: str) -> Truth:
        """Whether the tool is one that the rule names."""
        return True if self._tools is None else self._tools.match(tool)

    def match(self, call: Call, named: Truth = None) -> Truth:
        """Whether the rule matches; where it is known already that the tool is named, that is not looked at again."""
        known = True
        for test in (
            self._further if named else self._tests
        ):  # as `all_of`, written out: most of a decision's time is spent here
            truth = test(call)
            if truth is False:
                return False
            known = known and truth is True
        return True if known else None

    def why(self, call: Call, truth: Truth) -> str:
        """What decided: every aspect that came out as the whole did."""
        return "; ".join(each.told(call) for each in self.aspects if each.holds(call) is truth) or "it fits every call"


@dataclass(frozen=True, slots=True)
class _Bench:
    """A layer, ready to be held against calls."""

    layer: Layer
    tenants: Globs | None
    rulings: tuple[_Ruling, ...]
    by_tool: dict[str, tuple[tuple[_Ruling, Truth], ...]] = field(default_factory=dict)
    """Of the tools that were asked about: the rules that may match, and whether each surely names the tool."""

    @classmethod
    def of(cls, layer: Layer) -> "_Bench":
        tenants = Globs(layer.tenants) if layer.tenants else None
        return cls(layer, tenants, tuple(_Ruling(rule) for rule in layer.rules))

    def is_for(self, call: Call) -> bool:
        """Whether the layer has a say in the call."""
        return self.is_for_tenant(call.tenant)

    def is_for_tenant(self, tenant: str | None) -> bool:
        """Whether the layer has a say; it has one too where nobody knows the tenant."""
        return self.tenants is None or self.tenants.match(tenant) is not False

    def verdict(self, call: Call) -> Verdict:
        """What the layer says."""
        strictest: Verdict | None = None
        for ruling, named in self._for_tool(call.tool):
            truth = ruling.match(call, named)
            if truth is False or (truth is None and ruling.rule.decision == "allow"):
                continue
            strictest = _stricter(strictest, _spoken(self.layer, ruling.rule))
            if truth:
                return strictest
        return _stricter(strictest, _spoken(self.layer, None))

    def _for_tool(self, tool: str) -> tuple[tuple[_Ruling, Truth], ...]:
        """Most rules are for other tools: they are passed by once and for all."""
        found = self.by_tool.get(tool)
        if found is None:
            named = ((ruling, ruling.is_for(tool)) for ruling in self.rulings)
            found = tuple((ruling, truth) for ruling, truth in named if truth is not False)
            if len(self.by_tool) < MOST_TOOLS:
                self.by_tool[tool] = found
        return found


class Judge:
    """One policy, with its patterns compiled."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._benches = tuple(_Bench.of(layer) for layer in policy.layers)

    def decide(self, call: Call) -> Verdict:
        """What is to be done with the call."""
        verdict: Verdict | None = None
        for bench in self._benches:
            if bench.is_for(call):
                verdict = _stricter(verdict, bench.verdict(call))
        return _heard(verdict or _nothing_said(self.policy), call.hint)

    def refuses_model(self, model: str, tenant: str | None) -> str | None:
        """Why a thread of this tenant may not ask this model; None where it may."""
        for bench in self._benches:
            allowed = bench.layer.allowed_models
            if allowed is not None and bench.is_for_tenant(tenant) and not Globs(allowed).match(model):
                return (
                    f"the model {model!r} may not be asked: the layer {bench.layer.name!r} allows {', '.join(allowed)}"
                )
        return None

    def explain(self, call: Call) -> tuple[Finding, ...]:
        """Rule by rule, why the verdict is what it is."""
        return tuple(finding for bench in self._benches for finding in _findings(bench, call))


def _findings(bench: _Bench, call: Call) -> Iterator[Finding]:
    layer, reached = bench.layer, bench.is_for(call)
    elsewhere = f"the layer is for {', '.join(layer.tenants or ())}"
    for ruling in bench.rulings:
        truth = ruling.match(call)
        outcome = _OUTCOMES[truth] if reached else "unreached"
        why = ruling.why(call, truth) if reached else "an earlier rule has matched"
        yield Finding(
            layer.name, ruling.rule.id, ruling.rule.decision, outcome, why if bench.is_for(call) else elsewhere
        )
        reached = reached and truth is not True
    why = "no rule has matched for certain" if reached else "a rule has matched"
    spoken: Outcome = "matched" if reached else "unreached"
    yield Finding(layer.name, None, layer.default, spoken, why if bench.is_for(call) else elsewhere)


def _aspects(rule: Rule) -> Iterator[_Aspect]:
    named = {
        "tool": rule.tools,
        "effect": rule.effects,
        "risk": rule.risks,
        "tenant": rule.tenants,
        "principal": rule.principals,
        "model": rule.models,
    }
    for what, patterns in named.items():
        if patterns is not None:
            yield _named(what, patterns)
    if rule.needs is not None:
        held = rule.needs.held()
        yield _Aspect(lambda call: held.match(call.needs), lambda call: needs.told(call.needs))
    if rule.times is not None:
        clock = Clock(rule.times)
        yield _Aspect(lambda call: clock.match(call.time), lambda call: clock.told(call.time))
    for what, amount in (("cost", rule.cost), ("spent", rule.spent)):
        if amount is not None:
            yield _priced(what, amount)
    if (where := rule.where) is not None:
        holds = prepared(where)
        yield _Aspect(lambda call: holds(call.arguments), lambda call: told(where, call.arguments))


def _named(what: str, patterns: tuple[str, ...]) -> _Aspect:
    globs, read = Globs(patterns), attrgetter(what)

    def words(call: Call) -> str:
        name = read(call)
        given = f"{what} is not known" if name is None else f"{what} is {shown(name)}"
        return f"{given}; the rule says {', '.join(patterns)}"

    return _Aspect(lambda call: globs.match(read(call)), words)


def _priced(what: str, amount: Amount) -> _Aspect:
    read: Callable[[Call], Decimal | None] = attrgetter(what)

    def holds(call: Call) -> Truth:
        money = read(call)
        return None if money is None or money.is_nan() else _is_so_much(money, amount)

    def words(call: Call) -> str:
        limits = ", ".join(f"{name} ${value}" for name, value in amount.model_dump(exclude_none=True).items())
        money = read(call)
        return f"{what} is {'not known' if money is None else f'${money}'}; the rule says {limits}"

    return _Aspect(holds, words)


def _is_so_much(money: Decimal, amount: Amount) -> bool:
    return (
        (amount.more_than is None or money > amount.more_than)
        and (amount.at_least is None or money >= amount.at_least)
        and (amount.less_than is None or money < amount.less_than)
        and (amount.at_most is None or money <= amount.at_most)
    )


def _stricter(one: Verdict | None, other: Verdict) -> Verdict:
    """The stricter of two; of equals the first, but a rule's word before a default's."""
    if one is None:
        return other
    if one.decision == other.decision == "ask":
        said = other if one.rule is None and other.rule is not None else one
        return replace(said, approval=combined((one.approval, other.approval)))
    if STRICTNESS[other.decision] == STRICTNESS[one.decision]:
        return other if one.rule is None and other.rule is not None else one
    return other if STRICTNESS[other.decision] > STRICTNESS[one.decision] else one


def _heard(verdict: Verdict, hint: Hint | None) -> Verdict:
    """The verdict, or the author's word where it is stricter."""
    if hint is None:
        return verdict
    return _stricter(verdict, Verdict(hint.decision, AUTHOR, None, hint.reason))


def _spoken(layer: Layer, rule: Rule | None) -> Verdict:
    if rule is None:
        reason = layer.reason or _because(layer.default, f"no rule of the layer {layer.name!r} says otherwise")
        return Verdict(layer.default, layer.name, None, reason)
    reason = rule.reason or _because(rule.decision, _named_rule(layer, rule))
    return Verdict(rule.decision, layer.name, rule.id, reason, rule.terms)


def _named_rule(layer: Layer, rule: Rule) -> str:
    return f"the rule {rule.id!r} of the layer {layer.name!r} says so"


def _because(decision: Decision, why: str) -> str:
    words = {
        "allow": "this call may be made",
        "warn": "this call may be made, and is noted",
        "ask": "a person must allow this call",
        "deny": "this call may not be made",
    }
    return f"{words[decision]}: {why}"


def _nothing_said(policy: Policy) -> Verdict:
    return Verdict("allow", policy.layers[0].name, None, "no layer of the policy is for this tenant")
