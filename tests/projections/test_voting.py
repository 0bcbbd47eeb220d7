"""Approvals in any order: whoever answers, edits, repeats or comes late, a call runs once, or never, and by right.

The play decides requests on a session folded from the log, as the worker does, and asks the worker's own `Leaves` what
is missing before a call runs. Names, tokens and levels are checked against counts made here, from the events alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from activities.leaves import Asked, Leaves
from activities.tokens import Tokens
from eventlog.approval_terms import ApprovalTerms, Escalation, Standing
from eventlog.events import (
    AnyEvent,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalReused,
    ApprovalVoted,
    PolicyDecided,
    RequestIgnored,
    ToolExecutionRequested,
)
from eventlog.log import Recorded
from eventlog.marks import Mark
from projections.decide import decide
from projections.evolution import SESSION, evolve
from projections.fold import fold
from projections.invariants.catalogue import breaches
from projections.process_requests import Expire
from projections.requests import Approve, Deny, Request
from projections.session import Session
from projections.tool_calls import TOOL_CALLS, OpenCall, StandingGrant, ToolCalls
from projections.voting import Basis, Edited, Proof
from tests.projections.facts import (
    START,
    THREAD,
    asking,
    begun,
    completed,
    recorded,
    replied,
    ruled,
    said,
    started,
    use,
)
from tests.projections.facts import given as given_stream
from tests.projections.streams import below
from tools.tool import tool
from tools.toolbox import Failed, Planned
from tools.workbench import Workbench

Draw = Callable[[st.SearchStrategy[Any]], Any]

for_every_play = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

PEOPLE = ("ana", "Ana ", "bo", "bo", "cy", "cy", "boss", "boss", "anonymous", "b\u200bo")
SAME = {"ana": "ana", "Ana ": "ana", "bo": "bo", "b\u200bo": "bo", "cy": "cy", "boss": "boss"}
"""Whose name it is; nobody's for one that says nothing."""
ARGUMENTS = ({"path": "a"}, {"path": "b"}, {"path": "c"})

TERMS = st.builds(
    ApprovalTerms,
    quorum=st.sampled_from((1, 2, 2, 3)),
    approvers=st.sampled_from(((), (), (("ana", "b*"),), (("bo", "cy"),))),
    self_approval=st.booleans(),
    escalation=st.sampled_from(
        ((), (), (Escalation(approvers=(("boss",),), timeout=60),), (Escalation(timeout=9), Escalation(timeout=9)))
    ),
    on_expiry=st.sampled_from(("deny", "deny", "allow")),
    token=st.sampled_from((False, False, True)),
)


@tool(approval="always")
def write_file(path: str) -> str:
    """Write a file."""
    return path


BENCH = Workbench([write_file], Path.cwd())
LEAVES = Leaves(BENCH, Tokens(SecretStr("k" * 32)))


def planned(arguments: dict[str, Any]) -> Planned:
    """A call with these arguments, as the worker would make it."""
    plan = BENCH.plan("write_file", arguments, ("write_file",))
    assert isinstance(plan, Planned)
    return plan


@dataclass
class Play:
    """One thread whose calls are asked about, and people who answer as they like."""

    draw: Draw
    log: list[Recorded] = field(default_factory=list)
    stored: Session = field(default_factory=Session)
    calls: ToolCalls = field(default_factory=ToolCalls)
    sent: list[tuple[Request, Proof]] = field(default_factory=list)
    terms: ApprovalTerms = field(default_factory=ApprovalTerms)
    """How the thread's questions are to be answered."""

    def run(self) -> Sequence[Recorded]:
        """Some replies, each with calls of the same ids, and many answers."""
        self.terms = self.draw(TERMS)
        for event in (started("chat"), said("go")):
            self.append(event)
        for step in range(1, self.draw(st.integers(1, 3)) + 1):
            at = len(self.log) - 1
            self.append(asking(step, at))
            wanted = [use(f"c{n}", "write_file", **self.pick(ARGUMENTS)) for n in range(self.draw(st.integers(1, 2)))]
            self.append(replied(*wanted, step=step, at=at))
            self.settle()
        return self.log

    def settle(self) -> None:
        """Everybody does something, until every call has its outcome."""
        for _ in range(60):
            if not self.calls.open:
                return
            call = self.calls.open[self.pick(sorted(self.calls.open))]
            deeds = (*(self.answer,) * 5, self.again, self.expire, *(self.work,) * 4)
            self.pick(deeds)(call)
        for call_id in sorted(self.calls.open):
            self.tell(Deny(call_id=call_id, approver="ana"), Proof(token=True))
            self.tell(Deny(call_id=call_id, approver="bo"), Proof(token=True))
            while call_id in self.calls.open:
                self.work(self.calls.open[call_id])
                self.expire(self.calls.open.get(call_id, None))

    def work(self, call: OpenCall) -> None:
        """The worker brings the call as far as it may."""
        plan = planned(call.arguments_to_run)
        if call.state == "begun":
            self.append(completed(call.id, "done", name=call.name))
            return
        if call.state == "asked" or plan.question is None:
            return
        decided = call.decided if call.decided and call.decided.digest == plan.digest else self.decide(call, plan)
        asked = Asked(call, plan, plan.question, decided, self.calls.terms, self.calls.standing)
        match LEAVES.needed(asked, UUID(int=len(self.log) + 1)):
            case Failed():
                raise AssertionError("there is a key, and nothing makes these calls stricter")
            case None:
                self.append(begun(call.id, call.name).model_copy(update={"digest": plan.digest}))
            case needed:
                self.append(needed)

    def decide(self, call: OpenCall, plan: Planned) -> PolicyDecided:
        """What the policy says of the call: that it be asked about, one way or another."""
        said = ruled(call.id, "ask", rule=self.pick(("r1", "r1", "r2")))
        decided = said.model_copy(update={"digest": plan.digest, "approval": self.terms})
        self.append(decided)
        return decided

    def answer(self, call: OpenCall) -> None:
        """Somebody answers, with or without a token, to what is asked now or was asked before."""
        position = self.pick((None, None, None, *(call.ballot.at if call.ballot.at >= 0 else None,) * 3, 3))
        shown = self.pick((True, True, True, False))
        if self.pick((True, True, True, True, False)):
            edited = self.pick((*(None,) * 9, *ARGUMENTS))
            remember = self.pick((None, None, "tool", "arguments"))
            said = {"edited_arguments": edited, "position": position, "remember": remember}
            request: Request = Approve(call_id=call.id, approver=self.pick(PEOPLE), **said)
            wanted = self.pick((self.terms, self.draw(TERMS)))
            changed = None if edited is None else Edited(planned(edited).digest, wanted)
            rule = call.decided.rule if call.decided else None
            self.tell(request, Proof(shown, changed, Basis(BENCH.terms(["write_file"])[0].digest, "own", rule)))
        else:
            self.tell(Deny(call_id=call.id, approver=self.pick(PEOPLE), position=position), Proof(shown))

    def again(self, call: OpenCall) -> None:
        """An answer comes a second time, or late."""
        del call
        if self.sent:
            self.tell(*self.pick(self.sent))

    def expire(self, call: OpenCall | None) -> None:
        """A time is over, the present one or one before."""
        if call is not None:
            level = self.pick((call.ballot.level, call.ballot.level, 0))
            self.tell(Expire(call_id=call.id, level=level, at=START + timedelta(hours=9)), Proof())

    def tell(self, request: Request, proof: Proof) -> None:
        """A request is decided; one that does nothing changes nothing."""
        self.sent.append((request, proof))
        before, event = self.stored, decide(self.stored, request, proof)
        assert event is None or isinstance(event, RequestIgnored) or not self.is_void(request, proof)
        if event is None:
            return
        if isinstance(event, ApprovalGranted) and event.edited_digest and event.edited_arguments is None:
            event = event.model_copy(update={"edited_arguments": self.calls.open[event.call_id].edited})
        self.append(event)
        if isinstance(event, RequestIgnored):
            assert self.stored.pending == before.pending

    def is_void(self, request: Request, proof: Proof) -> bool:
        """Whether it may do nothing: no token, another level's time, or a yes to what its giver has not seen."""
        call = self.calls.open.get(getattr(request, "call_id", ""))
        if call is None or call.state != "asked":
            return True
        match request:
            case Expire():
                return request.level != call.ballot.level
            case Approve() if request.position is None and request.edited_arguments is None:
                unseen = call.edited is not None and planned(call.edited).digest != call.ballot.asked_digest
                return unseen or (call.ballot.asked_terms.token and not proof.token)
            case _:
                return call.ballot.asked_terms.token and not proof.token

    def append(self, event: AnyEvent) -> None:
        """Write an event."""
        entry = recorded(len(self.log), event)
        self.log.append(entry)
        self.stored, self.calls = SESSION.evolve(self.stored, entry), TOOL_CALLS.evolve(self.calls, entry)

    def pick(self, options: Sequence[Any]) -> Any:
        """One of these."""
        return options[self.draw(below(len(options)))]


@st.composite
def plays(draw: Draw) -> Sequence[Recorded]:
    """A stream with many answers."""
    return Play(draw).run()


ENDS = (ApprovalGranted, ApprovalDenied, ApprovalExpired, ApprovalReused)


def questions(log: Sequence[Recorded]) -> list[list[Recorded]]:
    """What was told of each call, from the reply that asks for it to the next one."""
    found: list[list[Recorded]] = []
    here: dict[str, list[Recorded]] = {}
    for each in log:
        if each.event.type == "LLMResponseReceived":
            here = {}
        call_id = getattr(each.event, "call_id", None)
        if call_id is not None and not isinstance(each.event, RequestIgnored):
            if call_id not in here:
                found.append(here.setdefault(call_id, []))
            here[call_id].append(each)
    return found


@for_every_play
@given(log=plays())
def test_the_streams_invariants_hold_at_every_cut(log: Sequence[Recorded]) -> None:
    """Whatever people do, nothing is written that `perdure verify` would complain of."""
    assert not list(breaches(log))


@for_every_play
@given(log=plays())
def test_there_are_never_two_outcomes(log: Sequence[Recorded]) -> None:
    """A question is answered once, and a call begins at most once, after a yes."""
    for told in questions(log):
        kinds = [type(each.event) for each in told]
        assert sum(kind in ENDS for kind in kinds) <= 1
        assert kinds.count(ToolExecutionRequested) <= 1
        assert kinds.count(ApprovalRequested) <= 1
        if ApprovalDenied in kinds:
            assert ToolExecutionRequested not in kinds


@for_every_play
@given(log=plays())
def test_nothing_runs_without_enough_votes(log: Sequence[Recorded]) -> None:
    """Counted anew: so many different people as the terms want, none who may not, each for what then ran."""
    for told in questions(log):
        begins = [each.event for each in told if isinstance(each.event, ToolExecutionRequested)]
        for begin in begins:
            asked = next((each.event for each in told if isinstance(each.event, ApprovalRequested)), None)
            if asked is None:
                assert any(isinstance(each.event, ApprovalReused) for each in told)
                continue
            terms = asked.terms or ApprovalTerms()
            if any(isinstance(each.event, ApprovalExpired) for each in told):
                assert terms.on_expiry == "allow"
                continue
            people = voters(told, asked, begin.digest)
            assert len(set(people)) == len(people) >= terms.quorum
            assert terms.self_approval or "ana" not in people  # who started the thread
            if terms.approvers == (("bo", "cy"),) and not any(isinstance(e.event, ApprovalEscalated) for e in told):
                assert set(people) <= {"bo", "cy"}


def voters(told: Sequence[Recorded], asked: ApprovalRequested, digest: str) -> list[str]:
    """Who has allowed what ran: those since the arguments were changed last."""
    people: list[str] = []
    now = asked.digest
    for each in told:
        if isinstance(each.event, ApprovalVoted | ApprovalGranted):
            its = each.event.digest
            if isinstance(each.event, ApprovalGranted):
                its = each.event.edited_digest or its
            people = people if its == now else []
            now = its
            people.append(SAME.get(each.event.approver, each.event.approver))
    assert now == digest
    return people


@for_every_play
@given(log=plays())
def test_a_remembered_approval_covers_what_it_says(log: Sequence[Recorded]) -> None:
    """A call that nobody was asked about rests on an earlier yes to the same tool, or to the same arguments."""
    grants = {each.position: each.event for each in log if isinstance(each.event, ApprovalGranted)}
    for each in log:
        if isinstance(each.event, ApprovalReused):
            grant = grants[each.event.grant]
            assert grant.remember is not None
            assert grant.remember.thread_id == THREAD
            people = {SAME.get(name, name) for name in each.event.approvers}
            terms = next(e.event for e in log if isinstance(e.event, PolicyDecided)).approval or ApprovalTerms()
            assert len(people) >= terms.quorum
            assert people <= {"bo", "cy"} or terms.approvers != (("bo", "cy"),)
            assert each.event.scope == "tool" or each.event.digest == (grant.edited_digest or grant.digest)


@for_every_play
@given(log=plays(), data=st.data())
def test_the_process_may_hear_of_answers_in_any_order(log: Sequence[Recorded], data: st.DataObject) -> None:
    """Votes and escalations that are heard of before their question, through JSON, make the same session."""
    about = (ApprovalRequested, ApprovalVoted, ApprovalEscalated)
    asked = [[each for each in told if isinstance(each.event, about)] for told in questions(log)]
    told = data.draw(st.sampled_from([each for each in asked if each] or [[]]))
    before = [each for each in log if not told or each.position < told[0].position]
    heard = data.draw(st.permutations(told))
    assert folded([*before, *heard]).pending == folded([*before, *told]).pending


def folded(events: Sequence[Recorded]) -> Session:
    """The session of the marks of these events, in this order."""
    session = Session()
    for each in events:
        mark = Mark.model_validate_json(Mark.of(each.position, each.event).model_dump_json())
        session = evolve(session, mark.position, mark.event)
    return session


def remembering(**changes: Any) -> Asked:
    """A second call of a tool that bo has allowed for good, as the policy's rule `r1` wants it."""
    digest = BENCH.terms(["write_file"])[0].digest
    standing = Standing(scope="tool", tool_digest=digest, thread_id=THREAD, layer="own", rule="r1")
    plan = planned({"path": "b"})
    log = given_stream(started(), said("go"), asking(1, 1), replied(use("b", "write_file", path="b"), at=1))
    calls = fold(TOOL_CALLS, log)
    grant = StandingGrant(5, "write_file", "other", standing.model_copy(update=changes), ("bo",), ApprovalTerms())
    assert plan.question is not None
    return Asked(calls.open["b"], plan, plan.question, ruled("b", "ask", rule="r1"), calls.terms, (grant,))


def test_a_remembered_approval_covers_the_next_call() -> None:
    """Of the same tool, in the same thread, asked about by the same rule."""
    assert isinstance(LEAVES.needed(remembering(), UUID(int=9)), ApprovalReused)


@pytest.mark.parametrize(
    "changes",
    [{"tool_digest": "changed"}, {"thread_id": "thread-2"}, {"rule": "r2"}, {"layer": None}, {"scope": "arguments"}],
)
def test_it_covers_nothing_else(changes: dict[str, Any]) -> None:
    """A changed tool, another thread, another rule and other arguments are asked about."""
    assert isinstance(LEAVES.needed(remembering(**changes), UUID(int=9)), ApprovalRequested)


@pytest.mark.parametrize(
    "terms",
    [
        ApprovalTerms(quorum=2),
        ApprovalTerms(approvers=(("ana",),)),
        ApprovalTerms(token=True),
        ApprovalTerms(approvers=(("b*",), ("cy",))),
    ],
)
def test_it_gets_round_no_stricter_terms(terms: ApprovalTerms) -> None:
    """Where those who gave it could not answer this question alone, people are asked."""
    asked = remembering()
    decided = ruled("b", "ask", rule="r1").model_copy(update={"approval": terms})
    needed = LEAVES.needed(replace(asked, decided=decided), UUID(int=9))
    assert isinstance(needed, ApprovalRequested)
    assert needed.terms == terms
