"""What the worker finds out of a person's answer to a question: whether its token is right, and what an edit means."""

from dataclasses import dataclass, replace
from decimal import Decimal

from activities.rulings import Rulings, asking_terms
from activities.steps import Tell
from activities.tokens import Tokens, is_right
from activities.views import Views
from eventlog.events import AnyEvent, ApprovalEscalated, ApprovalGranted, PolicyDecided, RequestIgnored, SessionStarted
from eventlog.ids import event_id
from projections.decide import refusal
from projections.requests import Approve, Deny
from projections.session import Session
from projections.tool_calls import TOOL_CALLS, OpenCall, ToolCalls
from projections.voting import NOTHING_SHOWN, Basis, Edited, Proof
from tools.toolbox import Planned, Toolbox, UnknownTool, Unplanned


@dataclass(frozen=True, slots=True)
class _Asked:
    """An open question with everything that is known about its call."""

    call: OpenCall
    terms: SessionStarted | None
    spent: Decimal | None


@dataclass(frozen=True, slots=True)
class Consents:
    """Looks into answers."""

    views: Views
    toolbox: Toolbox
    rulings: Rulings
    tokens: Tokens

    async def prove(self, tell: Tell, session: Session) -> Proof | RequestIgnored:
        """What is true of an answer, or the record of one that is none; nothing more of one without the right token."""
        request = tell.request
        if not isinstance(request, Approve | Deny) or refusal(session, request) is not None:
            return NOTHING_SHOWN
        wants_token = session.pending[request.call_id].ballot.terms.token
        plain = isinstance(request, Deny) or (request.edited_arguments is None and request.remember is None)
        if plain and not wants_token:
            return NOTHING_SHOWN
        asked = await self._asked(tell, request.call_id)
        proof = Proof(token=not wants_token or is_right(tell.token_sha256, asked.call.token_sha256))
        if plain or not proof.token or isinstance(request, Deny):
            return proof
        return self._meant(request, asked, proof)

    async def completed(self, tell: Tell, event: AnyEvent) -> AnyEvent:
        """The fact with what the session does not know of it: arguments that were edited before, and a new token."""
        match event:
            case ApprovalGranted(edited_arguments=None, edited_digest=str()):
                asked = await self._asked(tell, event.call_id)
                return event.model_copy(update={"edited_arguments": asked.call.edited})
            case ApprovalEscalated():
                asked = await self._asked(tell, event.call_id)
                if asked.call.ballot.terms.token:
                    digest = self.tokens.digest_for(event_id(tell.thread_id, tell.started_ms, tell.key))
                    return event.model_copy(update={"token_sha256": digest})
            case _:
                pass
        return event

    def _meant(self, request: Approve, asked: _Asked, proof: Proof) -> Proof | RequestIgnored:
        decided = asked.call.decided
        if request.edited_arguments is not None:
            plan = self.toolbox.plan(asked.call.name, request.edited_arguments, asked.call.allowed)
            if isinstance(plan, Unplanned):
                return _ignored(request, plan.problem)
            decided = self._ruled(asked, plan)
            starter = asked.terms.approval if asked.terms else None
            proof = replace(proof, edited=Edited(plan.digest, asking_terms(decided, starter)))
        return self._remembered(request, asked, proof, decided)

    def _ruled(self, asked: _Asked, plan: Planned) -> PolicyDecided | None:
        """What the policy would say of the call with these arguments. Where it denies them, that is recorded later."""
        if asked.terms is None or asked.terms.policy is None:
            return None
        return self.rulings.rule(asked.terms, asked.call, plan, asked.spent)

    def _remembered(
        self, request: Approve, asked: _Asked, proof: Proof, decided: PolicyDecided | None
    ) -> Proof | RequestIgnored:
        if request.remember is None:
            return proof
        try:
            digest = self.toolbox.terms((asked.call.name,))[0].digest
        except UnknownTool as error:
            return _ignored(request, str(error))
        layer, rule = (
            (decided.layer, decided.rule) if decided is not None and decided.decision == "ask" else (None, None)
        )
        return replace(proof, basis=Basis(digest, layer, rule))

    async def _asked(self, tell: Tell, call_id: str) -> _Asked:
        def see(calls: ToolCalls) -> _Asked:
            return _Asked(calls.open[call_id], calls.terms, calls.spent)

        return (await self.views.read(TOOL_CALLS, tell.stream, see)).value


def _ignored(request: Approve, problem: str) -> RequestIgnored:
    return RequestIgnored(request=request.request, by=request.approver, problem=problem, call_id=request.call_id)
