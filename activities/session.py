"""The session's own facts: its beginning, what it is asked, its end."""

import asyncio
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attempt import attempting
from activities.consents import Consents
from activities.inquiries import Answers
from activities.journal import Author, Journal
from activities.purse import Purse, answered_in_time
from activities.steps import InThread, Learned, OpenSession, Tell
from activities.views import Views
from eventlog.canonical import digest_of
from eventlog.custom import RefusedEvent
from eventlog.events import (
    AnyEvent,
    BudgetExceeded,
    RequestIgnored,
    SessionCompleted,
    SessionStarted,
    UserMessageAdded,
)
from eventlog.log import NO_STREAM, AlreadyAppended, Appended, EventLog, IdConflict, VersionConflict
from eventlog.marks import Mark
from eventlog.vocabulary import Vocabulary
from llm.messages import ModelTerms
from policy.files import Policies, UnknownPolicy
from policy.judge import Judge
from policy.mistakes import InvalidFile
from policy.rules import Policy
from projections.answer import schema_problem
from projections.decide import decide, refusal
from projections.evolution import SESSION
from projections.requests import (
    Answer,
    Approve,
    ClearBreakpoint,
    Deny,
    Interrupt,
    Pause,
    RaiseBudget,
    Record,
    Request,
    Resume,
    Say,
    SetBreakpoint,
    StartSession,
    Steer,
    StepOnce,
    Terminate,
)
from projections.session import Session
from projections.steering_decisions import told_by
from projections.transcript import TRANSCRIPT, Transcript, check_answer, final_answer
from projections.voting import Proof
from tools.toolbox import Toolbox, UnknownTool

CONTENDERS = 64
"""How often a request is decided anew because somebody else wrote first."""


class Defaults(Protocol):
    """What a session gets where its starter said nothing."""

    @property
    def model(self) -> ModelTerms:
        """The model."""
        ...

    @property
    def system(self) -> str:
        """The system prompt."""
        ...

    @property
    def fallback_models(self) -> tuple[str, ...]:
        """Models that may stand in for the first."""
        ...


class SessionActivities:
    """Writes what is asked of a session into its stream."""

    def __init__(
        self,
        log: EventLog,
        views: Views,
        toolbox: Toolbox,
        defaults: Defaults,
        vocabulary: Vocabulary,
        policies: Policies,
        answers: Answers,
        consents: Consents,
        *,
        purse: Purse | None = None,
    ) -> None:
        self._purse = purse
        self._log = log
        self._journal = Journal(log, views)
        self._views = views
        self._toolbox = toolbox
        self._defaults = defaults
        self._vocabulary = vocabulary
        self._policies = policies
        self._answers = answers
        self._consents = consents

    @activity.defn
    async def open_session(self, opening: OpenSession) -> Session:
        """Write the beginning, unless it stands there already; either way answer where the session stands."""
        with attempting():
            return await self._open(opening)

    @activity.defn
    async def recall_session(self, step: InThread) -> Session:
        """Where the session stands by its stream."""
        with attempting():
            return await self._session(step)

    @activity.defn
    async def tell(self, tell: Tell) -> Learned:
        """Make the fact that a request asks for, exactly once, or say why not."""
        with attempting():
            learned = await self._tell(tell)
            if self._purse is not None:
                await self._purse.told(tell, learned)
            return learned

    async def _open(self, opening: OpenSession) -> Session:
        step: InThread = opening
        event = self._beginning(opening, await asyncio.to_thread(self._policy, opening.start))
        author = Author(opening.start.tenant, opening.start.principal)
        outcome = await self._journal.append(step, "session/started", event, author, NO_STREAM)
        if isinstance(outcome, VersionConflict):
            session = await self._session(step)
            step = InThread(started_ms=session.started_ms)
        await self._say_first(step, opening.start, author)
        return await self._session(step)

    async def _tell(self, tell: Tell) -> Learned:
        known = await self._journal.find(tell, tell.key)
        if known is not None:
            return _learned(known.position, known.event)
        for _ in range(CONTENDERS):
            learned = await self._try(tell)
            if learned is not None:
                return learned
        raise ApplicationError(f"{CONTENDERS} other writers came first", type="Contention")

    async def _try(self, tell: Tell) -> Learned | None:
        """Decide on the newest state, and append if nobody has changed it since."""
        seen = await self._views.read(SESSION, tell.stream, lambda session: session)
        proof = await self._consents.prove(tell, seen.value)
        event = proof if isinstance(proof, RequestIgnored) else self._decided(seen.value, tell.request, proof)
        if event is None:
            return Learned(refused=refusal(seen.value, tell.request))
        event = await self._consents.completed(tell, await self._completed(tell, event))
        event = await self._answers.completed(tell, event, seen.position)
        author = Author(seen.value.tenant, _sender(tell.request) or seen.value.principal, seen.last_id)
        outcome = await self._journal.append(tell, tell.key, event, author, seen.position)
        match outcome:
            case VersionConflict():
                return None
            case Appended(position):
                return _learned(position, event)
            case AlreadyAppended(recorded) | IdConflict(recorded):
                return _learned(recorded.position, recorded.event)

    async def _session(self, step: InThread) -> Session:
        return (await self._views.read(SESSION, step.stream, lambda session: session)).value

    async def _say_first(self, step: InThread, start: StartSession, author: Author) -> None:
        event = UserMessageAdded(message=start.message, attachments=start.attachments, sender=start.principal)
        await self._journal.append(step, f"message/first/{digest_of(event.model_dump())}", event, author)

    def _policy(self, start: StartSession) -> Policy | None:
        """The policy in force: what the settings name, and what the starter chose above it."""
        try:
            return self._policies.in_force(start.policy)
        except UnknownPolicy as error:
            raise ApplicationError(str(error), type="UnknownPolicy", non_retryable=True) from error
        except InvalidFile as error:
            raise ApplicationError(str(error), type="InvalidPolicy", non_retryable=True) from error

    def _beginning(self, opening: OpenSession, policy: Policy | None) -> SessionStarted:
        start = opening.start
        if start.result_schema is not None and (problem := schema_problem(start.result_schema)):
            raise ApplicationError(f"result_schema: {problem}", type="InvalidStart", non_retryable=True)
        try:
            tools = self._toolbox.terms(start.tools)
        except UnknownTool as error:
            raise ApplicationError(str(error), type="UnknownTool", non_retryable=True) from error
        model = start.model or self._defaults.model
        judge = Judge(policy) if policy is not None else None
        for name in (model.name, *(start.fallback_models or ())):
            if judge is not None and (problem := judge.refuses_model(name, start.tenant)):
                raise ApplicationError(problem, type="DeniedByPolicy", non_retryable=True)
        fallbacks = self._defaults.fallback_models if start.fallback_models is None else start.fallback_models
        allowed = (name for name in fallbacks if judge is None or not judge.refuses_model(name, start.tenant))
        return SessionStarted(
            thread_id=opening.thread_id,
            started_at=opening.started_at,
            tenant=start.tenant,
            principal=start.principal,
            mode=start.mode,
            model=model,
            system=start.system or self._defaults.system,
            tools=tools,
            limits=start.limits,
            approval_timeout=start.approval_timeout,
            review=start.review,
            idle_timeout=start.idle_timeout,
            result_schema=start.result_schema,
            initial_context=start.initial_context,
            breakpoints=start.breakpoints,
            policy=policy.recorded() if policy is not None else None,
            fallback_models=tuple(name for name in dict.fromkeys(allowed) if name != model.name),
            approval=start.approval.terms() if start.approval is not None else None,
        )

    def _decided(self, session: Session, request: Request, proof: Proof) -> AnyEvent | None:
        """The fact the request makes, by the session, the tools and the plugins' events together."""
        if not isinstance(request, Record):
            return decide(session, request, proof)
        try:
            written = self._vocabulary.parse(request.type, request.data, request.version).written()
        except RefusedEvent as error:
            problem = refusal(session, request) or str(error)
            return RequestIgnored(request=request.request, by=request.by, problem=problem)
        return decide(session, request.model_copy(update={"data": written.data, "version": written.schema_version}))

    async def _completed(self, tell: Tell, event: AnyEvent) -> AnyEvent:
        """A completion is given the answer it completes with, a question about a budget the time for its answer."""
        if isinstance(event, BudgetExceeded) and event.action == "ask":
            return await answered_in_time(self._views, tell.stream, event)
        if not isinstance(event, SessionCompleted) or event.completion_reason != "success":
            return event

        def see(transcript: Transcript) -> tuple[str | None, object]:
            answer = final_answer(transcript)
            schema = transcript.terms.result_schema if transcript.terms else None
            result = check_answer(answer, schema)[0] if answer is not None and schema is not None else None
            return answer, result

        answer, result = (await self._views.read(TRANSCRIPT, tell.stream, see)).value
        return event.model_copy(update={"answer": answer, "result": result})


def _learned(position: int, event: AnyEvent) -> Learned:
    if isinstance(event, RequestIgnored):
        return Learned(refused=event.problem)
    return Learned(marks=(Mark.of(position, event),))


def _sender(request: Request) -> str | None:
    """The person who asked; None where the process itself did."""
    match request:
        case Approve() | Deny():
            return request.approver
        case Say():
            return request.sender
        case Answer() | Pause() | Resume() | Terminate() | Record() | RaiseBudget():
            return request.by
        case Interrupt() | Steer() | StepOnce() | SetBreakpoint() | ClearBreakpoint():
            return told_by(request)
        case _:
            return None
