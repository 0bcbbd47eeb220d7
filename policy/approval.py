"""How a question is to be answered, as it is written in a rule; and what holds where several want it answered.

Whatever is not said asks for nothing. Where several ask, each of them must be content: the larger quorum, people whom
all of them admit, the shorter times. A call is allowed by nobody's answer only where all of them want that.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from eventlog.approval_terms import LONGEST_WAIT, MOST_LEVELS, PLAIN, Action, ApprovalTerms, Escalation, Groups
from policy.persons import fits, is_named, person
from policy.words import Patterns, Words

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(given: Any) -> Any:
    """Seconds of a number, or of text such as `90s`, `15m`, `8h` and `7d`; what is none stays, to be complained of."""
    if isinstance(given, str):
        found = _DURATION.fullmatch(given)
        if found is None:
            raise ValueError("write seconds, or 90s, 15m, 8h, 7d")
        return float(found[1]) * _UNITS[found[2]]
    return given


def _tuple(given: object) -> object:
    return tuple(given) if isinstance(given, list) else given


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=LONGEST_WAIT)]


class Next(Words):
    """Who is asked where nobody has answered in time."""

    approvers: Patterns | None = None
    timeout: Seconds
    """How long they have."""


class Approval(Words):
    """How a question is to be answered."""

    quorum: int = Field(default=1, ge=1, le=100)
    """How many different people must say yes."""
    approvers: Patterns | None = None
    """Who may answer: names, in which `*` is any characters and `?` is one. Not said: anyone."""
    self_approval: bool = True
    """Whether whoever started the thread may allow its calls."""
    timeout: Seconds | None = None
    """How long the question waits: seconds, or 90s, 15m, 8h, 7d. Not said: as long as the thread's questions do."""
    escalation: Annotated[tuple[Next, ...], BeforeValidator(_tuple), Field(max_length=MOST_LEVELS)] = ()
    """Who is asked after that, one group after another."""
    on_expiry: Action = "deny"
    """What happens where nobody has answered at all."""
    token: bool = False
    """Whether an answer must show the question's token."""

    @model_validator(mode="after")
    def _can_be_answered(self) -> Self:
        levels = [("approvers", self.approvers)]
        levels += [(f"escalation {number}", each.approvers) for number, each in enumerate(self.escalation, 1)]
        for where, names in levels:
            if names is not None and not any(set("*?") & set(name) for name in names):
                different = len({person(name) for name in names if is_named(name)})
                if not different or (where == "approvers" and different < self.quorum and not self.escalation):
                    raise ValueError(f"{where}: {different} of these can answer, and {self.quorum} must")
        return self

    def terms(self) -> ApprovalTerms:
        """The terms, as they are recorded."""
        escalation = tuple(
            Escalation(approvers=_groups(each.approvers), timeout=each.timeout) for each in self.escalation
        )
        return ApprovalTerms(
            quorum=self.quorum,
            approvers=_groups(self.approvers),
            self_approval=self.self_approval,
            timeout=self.timeout,
            escalation=escalation,
            on_expiry=self.on_expiry,
            token=self.token,
        )


def _groups(names: tuple[str, ...] | None) -> Groups:
    return () if names is None else (names,)


def combined(asking: Sequence[ApprovalTerms]) -> ApprovalTerms:
    """Terms with which all of these are content, who ask about one call."""
    if all(terms is PLAIN for terms in asking):
        return PLAIN  # so it is nearly always
    timeouts = [terms.timeout for terms in asking if terms.timeout is not None]
    return ApprovalTerms(
        quorum=max((terms.quorum for terms in asking), default=1),
        approvers=_all_of(terms.approvers for terms in asking),
        self_approval=all(terms.self_approval for terms in asking),
        timeout=min(timeouts, default=None),
        escalation=_levels(asking),
        on_expiry="allow" if _all_allow(asking) else "deny",
        token=any(terms.token for terms in asking),
    )


def _levels(asking: Sequence[ApprovalTerms]) -> tuple[Escalation, ...]:
    """As many as the fewest that are wanted; who does not escalate goes on insisting on their own approvers."""
    wanted = [terms for terms in asking if terms.escalation]
    return tuple(
        Escalation(
            approvers=_all_of(terms.groups(level if terms.escalation else 0) for terms in asking),
            timeout=min(terms.escalation[level - 1].timeout for terms in wanted),
        )
        for level in range(1, min((len(terms.escalation) for terms in wanted), default=0) + 1)
    )


def _all_of(groups: Iterable[Groups]) -> Groups:
    return tuple(dict.fromkeys(group for each in groups for group in each))


def _all_allow(asking: Sequence[ApprovalTerms]) -> bool:
    """Whether nobody's answer is a yes to all of them, and after the same times."""
    waits = {(terms.timeout, *(level.timeout for level in terms.escalation)) for terms in asking}
    return len(waits) == 1 and all(terms.on_expiry == "allow" for terms in asking)


def refuses_person(terms: ApprovalTerms, level: int, name: str) -> str | None:
    """Why this person may not answer at this level; None where they may."""
    groups = terms.groups(level)
    if (groups or terms.quorum > 1 or not terms.self_approval) and not is_named(name):
        return "the question wants to know who answers: give a name"
    for group in groups:
        if not fits(group, name):
            return f"{name} is not among those who may answer: {', '.join(group)}"
    return None


def refuses_consent(terms: ApprovalTerms, level: int, name: str, principal: str) -> str | None:
    """Why this person may not allow the call; None where they may. Denying it is open to more."""
    if not terms.self_approval and person(name) == person(principal):
        return f"{name} has started this thread and may not allow its calls"
    return refuses_person(terms, level, name)


def is_covered(given: ApprovalTerms, wanted: ApprovalTerms) -> bool:
    """Whether an answer under the given terms is as good as one under those that are wanted."""
    both = combined((given, wanted))
    return (both.quorum, both.self_approval, both.token, set(both.approvers)) == (
        given.quorum,
        given.self_approval,
        given.token,
        set(given.approvers),
    )


def is_content(terms: ApprovalTerms, names: Iterable[str], principal: str, *, shown: bool) -> bool:
    """Whether these people's yes is enough for the terms; `shown` says whether the question's token was."""
    willing = {person(name) for name in names if refuses_consent(terms, 0, name, principal) is None}
    return len(willing) >= terms.quorum and (shown or not terms.token)


def whom(groups: Groups) -> str:
    """Who may answer, in words."""
    return " who are also among ".join(", ".join(group) for group in groups) or "anyone"


def in_words(terms: ApprovalTerms) -> str:
    """What the terms ask for; nothing of those that want no more than one person's yes."""
    parts = [f"{terms.quorum} people" if terms.quorum > 1 else ""]
    parts += [f"of {whom(terms.approvers)}" if terms.approvers else ""]
    parts += ["" if terms.self_approval else "not who started the thread", "with its token" if terms.token else ""]
    parts += [f"within {_span(terms.timeout)}" if terms.timeout else ""]
    parts += [f"then {whom(level.approvers)} within {_span(level.timeout)}" for level in terms.escalation]
    parts += ["then allowed" if terms.on_expiry == "allow" else ""]
    return ", ".join(part for part in parts if part)


def _span(seconds: float) -> str:
    """Seconds in the largest unit that has no rest."""
    unit = next((unit for unit in "dhm" if seconds % _UNITS[unit] == 0), "s")
    return f"{seconds / _UNITS[unit]:g}{unit}"
