"""The session's own facts: its beginning, what it is asked, its end."""

import asyncio
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attempt import attempting
from activities.journal import Author, Journal
from activities.steps import InThread, Learned, OpenSession, Tell
from activities.views import Views
from eventlog.canonical import digest_of
from eventlog.custom import RefusedEvent
from eventlog.events import AnyEvent, RequestIgnored, SessionCompleted, SessionStarted, UserMessageAdded
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
from projections.requests import Approve, Deny, Pause, Record, Request, Resume, Say, StartSession, Terminate
from projections.session import SESSION, Session
from projections.transcript import TRANSCRIPT, Transcript, check_answer, final_answer
from tools.toolbox import Toolbox, UnknownTool, Unplanned

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
    ) -> None:
        self._log = log
        self._journal = Journal(log, views)
        self._views = views
        self._toolbox = toolbox
        self._defaults = defaults
        self._vocabulary = vocabulary
        self._policies = policies

    @activity.defn
    async def open_session(self, opening: OpenSession) -> Session:
        """Write the beginning, unless it stands there already; either way answer where the session stands."""
        async with attempting():
            return await self._open(opening)

    @activity.defn
    async def recall_session(self, step: InThread) -> Session:
        """Where the session stands by its stream."""
        async with attempting():
            return await self._session(step)

    @activity.defn
    async def tell(self, tell: Tell) -> Learned:
        """Make the fact that a request asks for, exactly once, or say why not."""
        async with attempting():
            return await self._tell(tell)

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
        event = self._decided(seen.value, tell.request)
        if event is None:
            return Learned(refused=refusal(seen.value, tell.request))
        event = await self._completed(tell, event)
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
        if policy is not None and (problem := Judge(policy).refuses_model(model.name, start.tenant)):
            raise ApplicationError(problem, type="DeniedByPolicy", non_retryable=True)
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
            idle_timeout=start.idle_timeout,
            result_schema=start.result_schema,
            initial_context=start.initial_context,
            policy=policy.recorded() if policy is not None else None,
        )

    def _decided(self, session: Session, request: Request) -> AnyEvent | None:
        """The fact the request makes, by the session, the tools and the plugins' events together."""
        if not isinstance(request, Record):
            return self._mistaken(session, request) or decide(session, request)
        try:
            written = self._vocabulary.parse(request.type, request.data, request.version).written()
        except RefusedEvent as error:
            problem = refusal(session, request) or str(error)
            return RequestIgnored(request=request.request, by=request.by, problem=problem)
        return decide(session, request.model_copy(update={"data": written.data, "version": written.schema_version}))

    def _mistaken(self, session: Session, request: Request) -> RequestIgnored | None:
        """The record of an approval whose edited arguments the tool cannot take."""
        if not isinstance(request, Approve) or request.edited_arguments is None or refusal(session, request):
            return None
        call = session.pending[request.call_id]
        plan = self._toolbox.plan(call.name, request.edited_arguments, tuple(session.tools))
        if not isinstance(plan, Unplanned):
            return None
        return RequestIgnored(
            request=request.request, by=request.approver, problem=plan.problem, call_id=request.call_id
        )

    async def _completed(self, tell: Tell, event: AnyEvent) -> AnyEvent:
        """A completion is given the answer it completes with."""
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
        case Pause() | Resume() | Terminate() | Record():
            return request.by
        case _:
            return None
