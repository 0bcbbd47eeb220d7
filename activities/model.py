"""The model call: look, intend, act, record."""

import hashlib
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from uuid import UUID

from temporalio import activity

from activities.admission import Admission, Permit
from activities.attempt import Pulse, attempting
from activities.detours import Detours, Outlook, Prospect, outlook_of
from activities.journal import Author, Intent, Journal
from activities.purse import Held, Prices, Purse
from activities.retry import pause_before, try_again
from activities.spans import chat_span
from activities.steps import Learned, ModelStep
from activities.underway import Underway
from activities.views import Views
from eventlog.canonical import digest_of
from eventlog.events import LLMCallFailed, LLMCallRequested, LLMResponseReceived, SessionStarted, ToolCall
from eventlog.log import EventLog
from eventlog.marks import Mark
from llm.errors import ModelError, ModelRefusesRequest, ModelUnavailable
from llm.messages import Block, ModelReply, ModelRequest
from llm.model import Model
from projections.evolution import SESSION
from projections.loops import LOOPS, LoopTerms
from projections.session import Session
from projections.transcript import TRANSCRIPT, NotStarted, Transcript, render
from projections.verdict import asked, verdict
from tools.toolbox import Toolbox

ATTEMPTS = 12
"""How often one step asks the model before it gives up, not counting processes that died."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to be sent."""

    terms: SessionStarted
    so_far: str
    """What was said already of an answer that the reply continues."""
    request: ModelRequest
    author: Author
    outlook: Outlook
    held: Held | None = None
    """What was set aside for it, where there is a budget."""

    def prospect(self, step: ModelStep) -> Prospect:
        """The call, as far as it matters for what may come in its place."""
        return Prospect(step, self.request.terms, self.author, self.outlook)


class ModelActivities:
    """Asks the model on behalf of threads."""

    def __init__(
        self,
        log: EventLog,
        views: Views,
        model: Model,
        toolbox: Toolbox,
        prices: Prices,
        *,
        purse: Purse | None = None,
        admission: Admission | None = None,
        loops: LoopTerms = LOOPS,
    ) -> None:
        self._journal = Journal(log, views)
        self._purse = purse or Purse(self._journal, views, prices)
        self._views = views
        self._model = model
        self._toolbox = toolbox
        self._prices = prices
        self._admission = admission or Admission()
        self._detours = Detours(self._journal, self._admission, loops)
        self._underway = Underway()

    @activity.defn
    async def call_model(self, step: ModelStep) -> Learned:
        """Ask once; the reply, or the failure that ends the step, is in the log when this returns."""
        with attempting() as pulse:
            work = partial(self._call_model, step, pulse)
            return await self._underway.bring_to_end((step.stream, step.step), work)

    async def _call_model(self, step: ModelStep, pulse: Pulse) -> Learned:
        if activity.info().attempt > 1 and (known := await self._known(step)):
            return known
        call = await self._prepare(step)
        try:
            body = self._model.encode(call.request)
        except ModelRefusesRequest as error:
            return await self._failed(step, call.author, error)
        held = await self._purse.before_model(step, call.terms, call.request, len(body), call.author)
        if isinstance(held, Learned):
            return held
        call = replace(call, held=held)
        permit = await self._detours.before(call.prospect(step), body)
        if isinstance(permit, Learned):
            await self._purse.never_happened(held)
            return permit
        declared = await self._intend(step, call, body)
        if not _is_next(declared, step) and (known := await self._known(step)):
            await self._purse.never_happened(held)
            await self._admission.unused(permit)
            return known
        intent, began = declared.id, time.monotonic()
        answer = await self._ask(call, intent, pulse)
        await self._admission.came(permit, answer)
        if isinstance(answer, ModelError):
            counted = await self._purse.failed(held, answer)
            made = (call.prospect(step), permit)
            return await self._failed(step, call.author.because(intent), answer, made, counted)
        return await self._record(step, call, declared, answer, round((time.monotonic() - began) * 1000))

    async def _known(self, step: ModelStep) -> Learned | None:
        """The outcome, where the log has it already."""
        known = await self._journal.find(step, _outcome(step))
        return None if known is None else Learned(marks=(Mark.of(known.position, known.event),))

    async def _prepare(self, step: ModelStep) -> Call:
        def see(transcript: Transcript) -> Call:
            terms = transcript.terms
            if terms is None:
                raise NotStarted(f"the stream {step.stream} has no beginning")
            request = render(transcript, self._toolbox.specs(terms.tools))
            author = Author(transcript.tenant, transcript.principal, transcript.last_id)
            return Call(terms, transcript.so_far, request, author, outlook_of(transcript))

        return (await self._views.read(TRANSCRIPT, step.stream, see, at=step.at)).value

    async def _intend(self, step: ModelStep, call: Call, body: bytes) -> Intent:
        sha256 = hashlib.sha256(body).hexdigest()
        event = LLMCallRequested(
            step=step.step,
            at=step.at,
            projection=TRANSCRIPT.name,
            projection_version=TRANSCRIPT.version,
            model=call.request.terms,
            tools_digest=digest_of([spec.model_dump() for spec in call.request.tools]),
            request_sha256=sha256,
            request_bytes=len(body),
            reserved_usd=call.held.cost if call.held is not None else None,
        )
        return await self._journal.intend(step, f"model/{step.step}/request/{sha256}", event, call.author)

    async def _ask(self, call: Call, intent: UUID, pulse: Pulse) -> ModelReply | ModelError:
        try:
            with chat_span(call.request) as span:
                reply = await self._model.answer(call.request, idempotency_key=str(intent), progress=pulse.note)
                span.tell(reply)
            _refuse_ambiguous(reply)
        except ModelError as error:
            return error
        return reply

    async def _failed(
        self,
        step: ModelStep,
        author: Author,
        error: ModelError,
        made: tuple[Prospect, Permit] | None = None,
        counted: Decimal | None = None,
    ) -> Learned:
        """Record that the call failed; made or not, it is made again, by another model, or not at all."""

        def see(session: Session) -> tuple[int, int, int]:
            return session.steps, session.failures, session.failures - session.failed_before

        ended, failures, of_this_model = (await self._views.read(SESSION, step.stream, see)).value
        transient = isinstance(error, ModelUnavailable)
        # An attempt that was taken for dead may fail when another has long had the reply: that one stands.
        retrying = transient and of_this_model + 1 < ATTEMPTS and ended < step.step
        turning = made if transient and not retrying and ended < step.step and made and made[0].next_models else None
        retry_after = error.retry_after if isinstance(error, ModelUnavailable) else None
        pause = pause_before(of_this_model, retry_after)
        event = LLMCallFailed(
            step=step.step,
            kind=error.kind,
            error_message=error.message,
            retry_count=failures,
            will_retry=retrying or turning is not None,
            retry_in=pause if retrying else None,
            counted_usd=counted,
        )
        if event.will_retry:
            await self._journal.settle(step, f"model/{step.step}/failure/{failures}", event, author)
        if retrying:
            raise try_again(error.kind, error.message, pause)
        if turning is not None:
            return await self._detours.after_all_attempts(*turning, error)
        written = await self._journal.settle(step, _outcome(step), event, author)
        return Learned(marks=(written.mark,))

    async def _record(
        self, step: ModelStep, call: Call, declared: Intent, reply: ModelReply, duration_ms: int
    ) -> Learned:
        calls = tuple(self._call(block) for block in asked(reply))
        final, problem = verdict(reply, call.terms, call.so_far)
        event = LLMResponseReceived(
            step=step.step,
            at=_shown_up_to(step, declared),
            content=reply.content,
            tool_calls=calls,
            stop_reason=reply.stop_reason,
            final=final,
            problem=problem,
            model_name=reply.model,
            token_usage=reply.usage,
            cost_usd=self._prices.cost(reply.usage, reply.model),
            duration_ms=duration_ms,
            message_id=reply.message_id,
            request_id=reply.request_id,
        )
        author = call.author.because(declared.id)
        written = await self._journal.settle(step, _outcome(step), event, author)
        await self._purse.replied(step, call.held, event, author)
        return Learned(marks=(written.mark,))

    def _call(self, block: Block) -> ToolCall:
        arguments = block["input"] if isinstance(block.get("input"), dict) else {}
        name = str(block["name"])
        return ToolCall(id=str(block["id"]), name=name, arguments=arguments, title=self._toolbox.title(name, arguments))


def _refuse_ambiguous(reply: ModelReply) -> None:
    """A result could not be told to belong to one of two calls with the same id: ask again."""
    ids = [block.get("id") for block in asked(reply)]
    if len(set(ids)) < len(ids) or not all(isinstance(id_, str) and id_ for id_ in ids):
        raise ModelUnavailable("invalid_reply", f"the model's tool calls have missing or repeated ids: {ids}")


def _is_next(intent: Intent, step: ModelStep) -> bool:
    """Whether the intent, new, stands right after what the model is shown.

    Then the step has no outcome in the log: the process asks only where there is none up to `at`, and nothing else
    stands before the intent. So this look costs no query; it is made later than one before the intent would be.
    """
    return intent.fresh and intent.position == step.at + 1


def _shown_up_to(step: ModelStep, declared: Intent) -> int:
    """The position up to which the request shows the log.

    A request that is made again when nothing it shows has changed, though something else was written, is the same one.
    """
    return declared.event.at if isinstance(declared.event, LLMCallRequested) else step.at


def _outcome(step: ModelStep) -> str:
    return f"model/{step.step}/outcome"
