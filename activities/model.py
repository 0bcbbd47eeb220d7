"""The model call: look, intend, act, record."""

import hashlib
import time
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Protocol
from uuid import UUID

from temporalio import activity

from activities.attempt import Pulse, attempting
from activities.journal import Author, Intent, Journal
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
from llm.messages import Block, ModelReply, ModelRequest, TokenUsage
from llm.model import Model
from projections.session import SESSION
from projections.transcript import TRANSCRIPT, NotStarted, Transcript, render
from projections.verdict import asked, verdict
from tools.toolbox import Toolbox

ATTEMPTS = 12
"""How often one step asks the model before it gives up, not counting processes that died."""


class Prices(Protocol):
    """What calls cost."""

    def cost(self, usage: TokenUsage, model: str) -> Decimal | None:
        """US dollars; None where the model's price is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to be sent."""

    terms: SessionStarted
    so_far: str
    """What was said already of an answer that the reply continues."""
    request: ModelRequest
    author: Author


class ModelActivities:
    """Asks the model on behalf of threads."""

    def __init__(self, log: EventLog, views: Views, model: Model, toolbox: Toolbox, prices: Prices) -> None:
        self._journal = Journal(log, views)
        self._views = views
        self._model = model
        self._toolbox = toolbox
        self._prices = prices
        self._underway = Underway()

    @activity.defn
    async def call_model(self, step: ModelStep) -> Learned:
        """Ask once; the reply, or the failure that ends the step, is in the log when this returns."""
        async with attempting() as pulse:
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
        declared = await self._intend(step, call, body)
        if not _is_next(declared, step) and (known := await self._known(step)):
            return known
        intent, began = declared.id, time.monotonic()
        answer = await self._ask(call, intent, pulse)
        if isinstance(answer, ModelError):
            return await self._failed(step, call.author.because(intent), answer)
        return await self._record(step, call, intent, answer, round((time.monotonic() - began) * 1000))

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
            return Call(terms, transcript.so_far, request, author)

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

    async def _failed(self, step: ModelStep, author: Author, error: ModelError) -> Learned:
        now = await self._views.read(SESSION, step.stream, lambda session: (session.steps, session.failures))
        ended, failures = now.value
        transient = isinstance(error, ModelUnavailable)
        # An attempt that was taken for dead may fail when another has long had the reply: that one stands.
        retrying = transient and failures + 1 < ATTEMPTS and ended < step.step
        retry_after = error.retry_after if isinstance(error, ModelUnavailable) else None
        pause = pause_before(failures, retry_after)
        event = LLMCallFailed(
            step=step.step,
            kind=error.kind,
            error_message=error.message,
            retry_count=failures,
            will_retry=retrying,
            retry_in=pause if retrying else None,
        )
        if retrying:
            await self._journal.settle(step, f"model/{step.step}/failure/{failures}", event, author)
            raise try_again(error.kind, error.message, pause)
        written = await self._journal.settle(step, _outcome(step), event, author)
        return Learned(marks=(written.mark,))

    async def _record(self, step: ModelStep, call: Call, intent: UUID, reply: ModelReply, duration_ms: int) -> Learned:
        calls = tuple(self._call(block) for block in asked(reply))
        final, problem = verdict(reply, call.terms, call.so_far)
        event = LLMResponseReceived(
            step=step.step,
            at=step.at,
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
        written = await self._journal.settle(step, _outcome(step), event, call.author.because(intent))
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


def _outcome(step: ModelStep) -> str:
    return f"model/{step.step}/outcome"
