"""Every invariant of a stream, and the one way to hold a stream against all of them."""

from collections.abc import Iterable, Iterator, Sequence

from eventlog.log import Recorded
from projections.evolution import SESSION
from projections.invariants.approvals import EscalationsFollowEachOther, QuorumsAreMet, ReusesRestOnGrants
from projections.invariants.budgets import BudgetsAreAnsweredOnce, ToolLimitsHold
from projections.invariants.calls import (
    ApprovalsAreSpentOnce,
    CallsAreOpen,
    PoliciesAreObeyed,
    QuestionsAreAnsweredOnce,
    ResultsHaveIntents,
    ToolsBeginOnce,
)
from projections.invariants.contents import (
    AnswersAreTheLastReply,
    ArgumentsHaveTheirDigest,
    CallsAreAsTheModelWroteThem,
)
from projections.invariants.ending import LimitsHold, NothingFollowsTheEnd, TheEndLeavesNothingOpen
from projections.invariants.invariant import Breach, Invariant, Moment
from projections.invariants.model import ModelCallsEndOnce, RepliesWereAskedFor, StepsFollowEachOther
from projections.invariants.order import BeginsOnce, CausesComeFirst, IdsAreUnique, PositionsAreContiguous
from projections.invariants.reviews import AnswersAreReviewed
from projections.invariants.views import ViewsAgree

INVARIANTS: Sequence[type[Invariant]] = (
    PositionsAreContiguous,
    BeginsOnce,
    IdsAreUnique,
    CausesComeFirst,
    StepsFollowEachOther,
    ModelCallsEndOnce,
    RepliesWereAskedFor,
    CallsAreOpen,
    ToolsBeginOnce,
    PoliciesAreObeyed,
    ResultsHaveIntents,
    ApprovalsAreSpentOnce,
    QuorumsAreMet,
    EscalationsFollowEachOther,
    ReusesRestOnGrants,
    QuestionsAreAnsweredOnce,
    AnswersAreReviewed,
    LimitsHold,
    ToolLimitsHold,
    BudgetsAreAnsweredOnce,
    TheEndLeavesNothingOpen,
    NothingFollowsTheEnd,
    ViewsAgree,
)
"""Rules that hold of every stream, whatever its events say to people."""
CONTENTS: Sequence[type[Invariant]] = (CallsAreAsTheModelWroteThem, ArgumentsHaveTheirDigest, AnswersAreTheLastReply)
"""Rules about what they say."""


def breaches(events: Iterable[Recorded], kinds: Sequence[type[Invariant]] = INVARIANTS) -> Iterator[Breach]:
    """Where the stream is not what it must be, in order; nothing for a legal one."""
    watching = [kind() for kind in kinds]
    session = SESSION.initial()
    for index, recorded in enumerate(events):
        moment = Moment(index, recorded, session)
        for invariant in watching:
            for problem in invariant.breaks(moment):
                yield Breach(type(invariant).__name__, recorded.position, problem)
        session = SESSION.evolve(session, recorded)
