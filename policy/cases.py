"""A table of cases: what a policy is expected to say to calls, so that a change of rules shows what it changes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from eventlog.approval_terms import ApprovalTerms
from eventlog.terms import Capabilities, Effect, Risk
from llm.messages import JsonObject
from policy.approval import Approval, Next, in_words
from policy.call import Call, Decision, Hint
from policy.files import Policies, UnknownPolicy, stacked
from policy.judge import Finding, Judge, Verdict
from policy.mistakes import InvalidFile, Reader
from policy.rules import Dollars, Policy
from policy.words import Words, listed
from policy.yaml_text import Document, Mistake


def moment(given: object) -> Any:
    """A time as it is written, in UTC where it names no offset; what is none stays, to be complained of."""
    try:
        read = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        return given
    return read.replace(tzinfo=UTC) if isinstance(read, datetime) and read.tzinfo is None else read


def _manifest(given: object) -> Any:
    """A manifest as it is written: one name may stand without a list."""
    return {kind: listed(words) for kind, words in given.items()} if isinstance(given, dict) else given


class Circumstances(Words):
    """What is known of a call besides the tool and its arguments."""

    effect: Effect | None = None
    risk: Risk | None = None
    needs: Annotated[Capabilities, BeforeValidator(_manifest)] | None = None
    """What the tool declares that it needs: paths, domains, secrets."""
    tenant: str | None = None
    principal: str | None = None
    model: str | None = None
    time: Annotated[datetime, BeforeValidator(moment)] | None = None
    """As in 2026-11-23T10:00:00+01:00; without an offset it is UTC."""
    cost: Dollars | None = None
    spent: Dollars | None = None
    author: Decision | None = None
    """What the tool's author says of the call."""


class Case(Circumstances):
    """One call, and what is expected of the policy."""

    name: str | None = None
    """What the case shows, in a few words."""
    tool: str
    arguments: JsonObject = Field(default_factory=dict)
    expect: Decision
    rule: str | None = None
    """The rule that should decide; not given: any."""
    layer: str | None = None
    """The layer that should decide; not given: any."""
    approval: Approval | None = None
    """How exactly a person should be asked; not given: in any way."""


class CaseTable(Words):
    """A file of cases."""

    policy: Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
    """The policy, or several that are laid over each other: by name, or by a path, which has a / or `.yaml` in it."""
    given: Circumstances = Circumstances()
    """What holds of every case that does not say otherwise."""
    cases: Annotated[
        tuple[Case, ...], BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)
    ] = Field(min_length=1)


PARTS: dict[str, type[Words]] = {"given": Circumstances, "cases": Case, "approval": Approval, "escalation": Next}


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one case."""

    name: str
    line: int
    expected: str
    verdict: Verdict
    passed: bool
    findings: tuple[Finding, ...]

    @property
    def said(self) -> str:
        """The verdict as an expectation is written."""
        return _spelled(self.verdict.decision, self.verdict.layer, self.verdict.rule, self.verdict.approval)


def call_of(tool: str, arguments: JsonObject, known: Circumstances) -> Call:
    """The call as a policy sees it."""
    author = known.author
    return Call(
        tool=tool,
        arguments=arguments,
        effect=known.effect,
        risk=known.risk,
        needs=known.needs,
        tenant=known.tenant,
        principal=known.principal,
        model=known.model,
        time=known.time,
        cost=known.cost,
        spent=known.spent,
        hint=Hint(author, "the tool's author wants it so") if author is not None else None,
    )


def try_cases(file: Path, policies: Policies) -> tuple[Tried, ...]:
    """Every case of the table, tried; raises `InvalidFile` where the table or a policy is wrong."""
    table, document = Reader(CaseTable, PARTS).read(file, CaseTable)
    judge = Judge(_policy(file, table, document, policies))
    return tuple(_tried(judge, table, document, number) for number in range(len(table.cases)))


def _tried(judge: Judge, table: CaseTable, document: Document, number: int) -> Tried:
    case = table.cases[number]
    said = {name: getattr(case, name) for name in Circumstances.model_fields if name in case.model_fields_set}
    call = call_of(case.tool, case.arguments, table.given.model_copy(update=said))
    verdict = judge.decide(call)
    wanted = case.approval.terms() if case.approval is not None else verdict.approval
    expected = (case.expect, case.layer or verdict.layer, case.rule or verdict.rule, wanted)
    return Tried(
        name=case.name or f"case {number + 1}: {case.tool}",
        line=document.place_of(("cases", number)).line,
        expected=_spelled(case.expect, case.layer, case.rule, wanted if case.approval is not None else None),
        verdict=verdict,
        passed=expected == (verdict.decision, verdict.layer, verdict.rule, verdict.approval),
        findings=judge.explain(call),
    )


def _policy(file: Path, table: CaseTable, document: Document, policies: Policies) -> Policy:
    """The table's policy, or policies over each other."""
    try:
        policy = stacked(table.policy, file.parent, policies)
    except (UnknownPolicy, ValidationError) as error:
        words = "two of the policies have one name" if isinstance(error, ValidationError) else str(error)
        raise InvalidFile(file, [Mistake(document.place_of(("policy",)), words)]) from error
    if policy is None:
        raise AssertionError("a table names a policy")
    return policy


def _spelled(decision: Decision, layer: str | None, rule: str | None, terms: ApprovalTerms | None) -> str:
    by = " of ".join(part for part in (rule, layer) if part)
    how = in_words(terms) if terms is not None else ""
    return decision + (f" by {by}" if by else "") + (f" ({how})" if how else "")
