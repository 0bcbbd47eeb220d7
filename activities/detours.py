"""What comes in the place of a model call: a word about a circle, another model, or a wait.

The first two are facts. They are recorded, and the step is begun anew by the process, which then shows the model a log
that has them in it: so what a model is shown stays a function of the log alone.
"""

from dataclasses import dataclass

from activities.admission import Admission, Instead, Permit
from activities.journal import Author, Journal
from activities.steps import Learned, ModelStep, Rest
from eventlog.events import LoopDetected, ModelChanged
from llm.errors import ModelError
from llm.messages import ModelTerms
from projections.loops import Circle, LoopTerms, circle_of
from projections.transcript import Transcript
from resilience.limits import Subject

BYTES_A_TOKEN = 4
"""Of a request's body, about: what is wrong with it is put right after the call."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What may come before the next call, as the log has it."""

    models: tuple[str, ...]
    """The one that is wanted, and those that may stand in for it."""
    circle: Circle | None = None
    """A circle that was not told of yet."""
    calls: str = ""
    """The last calls, in a few words."""


def outlook_of(transcript: Transcript) -> Outlook:
    """What the transcript says of it."""
    reply = transcript.reply
    if reply is None or reply.notice or (circle := circle_of(transcript.entries)) is None:
        return Outlook(transcript.models)
    names = (str(block.get("name")) for block in reply.content if block.get("type") == "tool_use")
    return Outlook(transcript.models, circle, ", ".join(names))


@dataclass(frozen=True, slots=True)
class Prospect:
    """A model call that is ready to be made."""

    step: ModelStep
    model: ModelTerms
    author: Author
    outlook: Outlook

    @property
    def next_models(self) -> tuple[str, ...]:
        """Those that may be asked where this one cannot be."""
        models, name = self.outlook.models, self.model.name
        return models[models.index(name) + 1 :] if name in models else ()


class Detours:
    """Looks whether anything comes before a model call."""

    def __init__(self, journal: Journal, admission: Admission, loops: LoopTerms) -> None:
        self._journal = journal
        self._admission = admission
        self._loops = loops

    async def before(self, prospect: Prospect, body: bytes) -> Permit | Learned:
        """Leave to make the call; or what was recorded, or must be waited for, in its place."""
        circle = prospect.outlook.circle
        stage = self._loops.stage(circle)
        if circle is not None and stage is not None:
            about = {"period": circle.period, "times": circle.times, "calls": prospect.outlook.calls}
            return await self._record(prospect, "loop", LoopDetected(step=prospect.step.step, stage=stage, **about))
        model = prospect.model.name
        tokens = len(body) // BYTES_A_TOKEN + prospect.model.max_tokens
        thread = prospect.step.thread_id
        subject = Subject(prospect.author.tenant, thread, model=model, tokens=tokens)
        ticket = f"{thread}/{prospect.step.step}"
        match await self._admission.model(prospect.outlook.models, model, subject, ticket):
            case Instead() as instead:
                return await self._turn_to(prospect, instead)
            case Rest() as rest:
                return Learned(rest=rest)
            case permit:
                return permit

    async def after_all_attempts(self, prospect: Prospect, permit: Permit, error: ModelError) -> Learned:
        """Turn to the next model: this one was asked as often as one step may ask."""
        why = f"{prospect.model.name} did not answer: {error.kind}"
        await self._admission.given_up(permit, f"{error.kind}: {error.message}")
        return await self._turn_to(prospect, Instead(prospect.next_models[0], why))

    async def _turn_to(self, prospect: Prospect, instead: Instead) -> Learned:
        event = ModelChanged(
            model=prospect.model.model_copy(update={"name": instead.model}),
            previous=prospect.model.name,
            reason=instead.why,
            stand_in=instead.model != prospect.outlook.models[0],
        )
        return await self._record(prospect, "changed", event)

    async def _record(self, prospect: Prospect, what: str, event: LoopDetected | ModelChanged) -> Learned:
        """Write it, once for each state of the log that it follows from."""
        step = prospect.step
        key = f"model/{step.step}/{what}/{step.at}"
        return Learned(marks=((await self._journal.settle(step, key, event, prospect.author)).mark,))
