"""Legal streams: the process itself, played with a model, tools, people and workers that do as they like.

`Play` does what the workflow and its activities do, without Temporal and without a database: it asks `next_step` of a
session folded from marks, which arrive late and out of order as they do there, while requests are decided on a
session folded from the log.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar, assert_never, get_args

from hypothesis import strategies as st

from eventlog.events import (
    AnyEvent,
    BudgetExceeded,
    ErrorOccurred,
    HumanInputProvided,
    LLMResponseReceived,
    LoopDetected,
    ModelChanged,
    RequestIgnored,
    SessionStarted,
    UnknownEvent,
)
from eventlog.inquiries import Verdict
from eventlog.log import Recorded
from eventlog.marks import Mark
from eventlog.raises import Raise
from eventlog.terms import Limits, LoopStage, Mode
from llm.messages import Block
from projections.decide import decide
from projections.evolution import SESSION, evolve
from projections.next_step import (
    AwaitMessage,
    AwaitRaise,
    AwaitResume,
    AwaitReview,
    CallModel,
    Ended,
    Finish,
    PutUp,
    SettleCalls,
    StopAt,
    StopCalls,
    TripLimit,
    next_step,
)
from projections.process_requests import (
    Close,
    Expire,
    GiveUpBudget,
    GiveUpModel,
    GiveUpTool,
    Reach,
    ReviewAnswer,
    Trip,
)
from projections.requests import (
    Answer,
    Approve,
    Deny,
    Pause,
    RaiseBudget,
    Reject,
    Request,
    Resume,
    Say,
    Terminate,
)
from projections.review import FINAL
from projections.session import Session
from projections.stopping import kind_of_stop, why_stopped
from tests.projections.facts import (
    MODEL,
    START,
    asked,
    asking,
    begun,
    completed,
    inquired,
    model_failed,
    recorded,
    replied,
    said,
    started,
    thought,
    tool_failed,
    unknown,
    use,
)

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

MOST_REPLIES = 12
"""After so many the model has had enough and only gives final answers."""
MOST_DEEDS = 14
"""After so many the people go home."""
MOST_STEPS = 200
"""A play that takes longer does not end."""

REPLIES = (
    *("answer",) * 4,
    *("calls",) * 6,
    *("text and calls",) * 3,
    *("thoughts and calls",) * 3,
    *("cut-off text", "cut-off calls", "cut-off thought"),
    *("nothing", "blank", "wrong", "wrong"),
    *("refusal", "refused calls", "full context"),
    *("pause", "pause", "new stop reason"),
)


@dataclass(frozen=True, repr=False)
class Story:
    """A legal stream, and how the play that made it stands."""

    log: Sequence[Recorded]
    process: Session
    """The session as the process knows it, from the marks it was given."""
    ended: bool
    """Whether the session is over; else it waits for a person."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """A story that failed is shown as one event a line."""
        del cycle
        printer.text("\n".join(f"{each.position:3} {each.event!r}" for each in self.log))


@dataclass
class Play:
    """One session, played."""

    draw: Draw
    zombies_write: bool = True
    """Whether replies to steps that were given up get into the log, where the outcome's id would be taken already."""
    log: list[Recorded] = field(default_factory=list)
    stored: Session = field(default_factory=Session)
    """Folded from the log."""
    process: Session = field(default_factory=Session)
    """Folded from the marks that have arrived."""
    told: list[Mark] = field(default_factory=list)
    """Marks of people's requests that have not arrived yet: they come in order."""
    done: list[tuple[str, Mark]] = field(default_factory=list)
    """Marks of tool activities, by call, that have not arrived yet: they come in any order."""
    zombies: list[LLMResponseReceived] = field(default_factory=list)
    """Replies to steps that were given up: their processes were only slow."""
    clock: float = 0.0
    replies: int = 0
    deeds: int = 0
    steps: int = 0

    # -- the story -------------------------------------------------------------------------------

    def run(self) -> Story:
        """Take one step after another until the session is over or waits for people who have gone."""
        self.begin()
        while not isinstance(step := next_step(self.process, self.now), Ended):
            self.steps += 1
            assert self.steps < MOST_STEPS, "the play does not end"
            if not self.take(step):
                return self.story(ended=False)
        self.deliver_told()
        for _ in range(self.pick((0, 0, 1))):
            self.act()
        return self.story(ended=True)

    def story(self, *, ended: bool) -> Story:
        """How it stands now."""
        return Story(tuple(self.log), self.process, ended)

    def begin(self) -> None:
        """Open the session: its beginning and its first message are known at once."""
        mode: Mode = self.pick(("task", "chat", "chat"))
        beginning: SessionStarted = started(
            mode,
            limits=self.draw(LIMITS),
            result_schema=self.pick((None, {"type": "object"})) if mode == "task" else None,
            idle_timeout=self.pick((None, 60.0)),
        )
        if mode == "task" and self.maybe():
            beginning = beginning.model_copy(update={"review": True})
        for event in (beginning, said("hi")):
            self.append(event)
        self.process = self.stored

    def take(self, step: Any) -> bool:
        """Take one step; whether the play can go on."""
        match step:
            case CallModel():
                self.call_model(step)
            case SettleCalls(calls):
                return self.settle([call.id for call in calls])
            case AwaitMessage(timeout):
                return self.await_people(timeout)
            case AwaitResume():
                return self.await_people(None)
            case TripLimit(limit, allowed, used, tool):
                self.tell(Trip(limit=limit, allowed=allowed, used=used, tool=tool))
                self.deliver_told()
            case AwaitRaise(asked_at):
                return self.await_raise(asked_at)
            case PutUp(number):
                self.tell(ReviewAnswer(step=number, expires_at=START + timedelta(days=1)))
                self.deliver_told()
            case AwaitReview():
                return self.await_review()
            case StopCalls(calls):
                for call in calls:
                    why = why_stopped(self.process, call)
                    self.tell(GiveUpTool(call_id=call.id, kind=kind_of_stop(self.process), problem=why))
                self.deliver_told()
            case StopAt(point):
                self.tell(Reach(**asdict(point)))
                self.deliver_told()
            case Finish(reason, summary):
                self.tell(Close(reason=reason, summary=summary))
                self.deliver_told()
            case _:
                raise AssertionError(step)
        return True

    # -- the model -------------------------------------------------------------------------------

    def call_model(self, step: CallModel) -> None:
        """Ask the model, which answers, fails, or is given up and answers nevertheless."""
        if self.pick((True, True, False)):
            self.act()  # between the decision and the request
        if self.pick((False,) * 12 + (True,)):
            self.meet_the_limit()
            return
        if self.pick((False,) * 12 + (True,)):
            self.take_a_detour(step)
            return
        self.append(asking(step.step, step.at))
        self.meanwhile()
        for _ in range(self.pick((0,) * 8 + (1, 2))):
            self.append(model_failed(step.step, will_retry=True))
            self.meanwhile()
        ending = self.pick(("reply",) * 12 + ("failure", "given up"))
        if ending == "reply":
            self.settle_with(self.reply(step))
        elif ending == "failure":
            self.settle_with(model_failed(step.step))
        else:
            if self.zombies_write:
                self.zombies.append(self.reply(step))
            self.tell(GiveUpModel(step=step.step, kind="crashed", problem="the worker died"))
            self.deliver_told()

    def reply(self, step: CallModel) -> LLMResponseReceived:
        """What the model says: anything, until it has had enough."""
        self.replies += 1
        kind = self.pick(REPLIES) if self.replies < MOST_REPLIES else "answer"
        at, number = step.at, step.step
        match kind:
            case "calls":
                return replied(*self.calls(), step=number, at=at)
            case "text and calls":
                return replied("Let me see.", *self.calls(), step=number, at=at)
            case "thoughts and calls":
                return replied(thought(), *self.calls(), step=number, at=at)
            case "cut-off text":
                return replied("Once upon", step=number, at=at, stop_reason="max_tokens")
            case "cut-off calls":
                return replied("I will", *self.calls(), step=number, at=at, stop_reason="max_tokens")
            case "cut-off thought":
                return replied(thought(), step=number, at=at, stop_reason="max_tokens")
            case "nothing":
                return replied(step=number, at=at, final=False)
            case "blank":
                return replied(" ", thought(), step=number, at=at, final=False)
            case "wrong":
                return replied("{", step=number, at=at, problem="no JSON")
            case "refusal":
                return replied("I", step=number, at=at, stop_reason="refusal")
            case "refused calls":
                return replied(*self.calls(), step=number, at=at, stop_reason="refusal", final=True)
            case "pause":
                return replied(SERVER_CALL, step=number, at=at, stop_reason="pause_turn")
            case "full context":
                blocks = self.calls() if self.pick((True, False)) else ["So"]
                reason = "model_context_window_exceeded"
                return replied(*blocks, step=number, at=at, stop_reason=reason, final=True)
            case "new stop reason":
                return replied("well", step=number, at=at, stop_reason="a_new_one")
            case _:
                return replied(thought(), "Done.", step=number, at=at)

    def calls(self) -> list[Block]:
        """Some calls; half of the servers count their ids anew in every reply."""
        head = self.pick(("call", f"call_{self.replies}"))
        names = self.draw(st.lists(st.sampled_from(("read_file", "write_file")), min_size=1, max_size=4))
        return [use(f"{head}_{index}", name, path=f"{index}") for index, name in enumerate(names)]

    # -- the tools -------------------------------------------------------------------------------

    def settle(self, calls: list[str]) -> bool:
        """Bring calls forward in any order, until each has its outcome or somebody wants the session to end."""
        for _ in range(MOST_STEPS):
            self.meanwhile()
            open_calls = [call for call in calls if call in self.stored.pending]
            if self.stored.terminating or not open_calls:
                self.deliver_done()
                self.deliver_told()
                return True
            if self.stored.paused and not self.await_people(None):
                self.deliver_done()
                return False
            call_id = self.pick(open_calls)
            if call_id in self.stored.pending and not self.stored.paused:
                self.deliver_done(call_id)
                self.advance(call_id)
        raise AssertionError("the calls never end")

    def advance(self, call_id: str) -> None:
        """One step nearer to the outcome of one call."""
        call = self.stored.pending[call_id]
        match call.state:
            case "wanted":
                nexts: Mapping[str, AnyEvent] = {
                    "ask": asked(call_id, path="0"),
                    "begin": begun(call_id, call.name),
                    "inquire": inquired(call_id),
                    "mistake": tool_failed(call_id, kind="invalid_arguments"),
                }
                self.work(call_id, nexts[self.pick(("ask", "begin", "begin", "inquire", "mistake"))])
            case "asked" | "inquired":
                self.answer(call_id)
            case "granted":
                changed: AnyEvent = tool_failed(call_id, kind="changed")
                self.work(call_id, self.pick((*(begun(call_id, call.name),) * 3, inquired(call_id), changed)))
            case "begun":
                self.finish(call_id, call.name)
            case _:
                assert_never(call.state)

    def answer(self, call_id: str) -> None:
        """Somebody answers, or nobody does in time."""
        answers: Sequence[Request] = (
            Approve(call_id=call_id, approver="bo"),
            Approve(call_id=call_id, approver="bo", edited_arguments={"path": "other"}),
            Deny(call_id=call_id, approver="bo"),
            Answer(call_id=call_id, by="bo", value="blue"),
            Expire(call_id=call_id),
        )
        self.tell(self.pick(answers))

    def finish(self, call_id: str, name: str) -> None:
        """A call that was begun comes to an end, or to another attempt."""
        ending = self.pick(("completed",) * 4 + ("silent", "failed", "again", "unknown", "given up"))
        match ending:
            case "completed":
                self.work(call_id, completed(call_id, "some text", name=name))
            case "silent":
                self.work(call_id, completed(call_id, "", name=name))
            case "failed":
                self.work(call_id, tool_failed(call_id))
            case "again":
                self.append(tool_failed(call_id, will_retry=True))
            case "unknown":
                self.work(call_id, unknown(call_id))
            case _:
                self.tell(GiveUpTool(call_id=call_id, kind="crashed", problem="the worker died"))

    # -- the people ------------------------------------------------------------------------------

    def await_people(self, timeout: float | None) -> bool:
        """Whether anything happened: somebody did something, or it took them too long."""
        if self.told:
            self.deliver_told()
            return True
        if timeout is not None and self.pick((False, False, False, True)):
            self.clock += timeout
            self.tell(Close(reason="timeout", summary="nobody said anything"))
            self.deliver_told()
            return True
        if self.deeds >= MOST_DEEDS:
            return False
        before = len(self.log)
        self.act()
        self.deliver_told()
        return len(self.log) > before

    def await_review(self) -> bool:
        """Whether anything happened: somebody has looked at the final answer, or nobody does in time."""
        if not self.told and self.maybe():
            self.answer(FINAL)
        return self.await_people(None)

    def await_raise(self, asked_at: int) -> bool:
        """Whether anything happened: more is allowed or not, or nobody answers in time."""
        if not self.told and self.pick((True, False, False)):
            self.tell(GiveUpBudget(asked_at=asked_at))
        return self.await_people(None)

    def raise_budget(self) -> None:
        """Somebody allows more, or says no."""
        more = Raise(
            **{name: 5 for name in ("turns", "tool_calls", "tokens", "runtime") if getattr(self.stored.limits, name)},
            tools=dict.fromkeys(self.stored.limits.tools, 5),
        )
        self.tell(RaiseBudget(amounts=more, refuse=self.pick((False, False, True)), by="cy"))

    def meet_the_limit(self) -> None:
        """The call would cost more than is left: a person is asked, or a cheaper model goes on from here."""
        about = {"limit": "cost", "allowed": 1.0, "used": 0.9, "needed": 0.2}
        if self.maybe():
            self.settle_with(BudgetExceeded(**about, action="ask", question="May it use more?"))
            return
        marks = [self.append(BudgetExceeded(**about, action="degrade"))]
        marks.append(self.append(ModelChanged(model=MODEL, previous="a dearer one", reason="it has no room")))
        for mark in marks:
            self.arrive(mark)

    def take_a_detour(self, step: CallModel) -> None:
        """Something comes before the call: a word about a circle, or another model."""
        if self.maybe():
            self.settle_with(ModelChanged(model=MODEL, previous="another", reason="it is away", stand_in=self.maybe()))
            return
        stage = self.pick(get_args(LoopStage))
        self.settle_with(LoopDetected(step=step.step, stage=stage, period=1, times=3, calls="look"))

    def meanwhile(self) -> None:
        """Whatever else goes on at this moment."""
        for _ in range(self.pick((0, 0, 0, 1, 1, 2))):
            self.act()
        if self.told and self.maybe():
            self.arrive(self.told.pop(0))
        if self.done and self.maybe():
            self.deliver_done(self.pick(self.done)[0])

    def act(self) -> None:
        """Somebody does something, sensible or not."""
        if self.deeds >= MOST_DEEDS:
            return
        self.deeds += 1
        deed = self.pick(
            ("say",) * 6
            + (
                "pause",
                "resume",
                "resume",
                "terminate",
                "answer",
                "late answer",
                "raise",
                "nonsense",
                "strange",
                "zombie",
            )
        )
        match deed:
            case "say":
                self.tell(Say(message=self.pick(("and?", " ", "stop that")), sender="ana"))
            case "pause":
                self.tell(Pause(by="bo"))
            case "resume":
                self.tell(Resume(by="bo"))
            case "terminate" if self.pick((True, False, False)):
                self.tell(Terminate(by="bo"))
            case "raise":
                self.raise_budget()
            case "answer" if self.stored.waiting_for_answer:
                self.answer(self.pick(self.stored.waiting_for_answer).id)
            case "late answer":
                self.tell(Approve(call_id=self.pick(("call_0", "call_1_0", "no such call")), approver="bo"))
            case "nonsense":
                self.tell(Reject(name="approve", problem="call_id: missing"))
            case "strange":
                self.append(self.pick(STRANGE))
            case "zombie" if self.zombies:
                self.append(self.zombies.pop(0))
            case _:
                pass

    # -- the log ---------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The time of the play."""
        return START + timedelta(seconds=self.clock)

    def append(self, event: AnyEvent) -> Mark:
        """Write an event, some time after the last."""
        self.clock += self.pick((0.0, 0.1, 5.0))
        entry = recorded(len(self.log), event, after=self.clock)
        self.log.append(entry)
        self.stored = SESSION.evolve(self.stored, entry)
        return Mark.of(entry.position, event)

    def settle_with(self, event: AnyEvent) -> None:
        """The model's activity writes what came of it; its mark may overtake those of people's requests."""
        mark = self.append(event)
        if self.told and self.maybe():
            self.deliver_told()
        self.arrive(mark)

    def work(self, call_id: str, event: AnyEvent) -> None:
        """A tool's activity writes; of an intent nobody is told."""
        mark = self.append(event)
        if event.type != "ToolExecutionRequested":
            self.done.append((call_id, mark))

    def tell(self, request: Request) -> None:
        """A request is decided on what the log says; its mark is on its way."""
        event = decide(self.stored, request)
        if event is None:
            return
        if isinstance(event, HumanInputProvided) and event.action == "review":
            event = event.model_copy(update={"verdict": self.pick(get_args(Verdict))})
        mark = self.append(event)
        if not isinstance(event, RequestIgnored):
            self.told.append(mark)

    def deliver_told(self) -> None:
        """Every mark that was on its way arrives."""
        while self.told:
            self.arrive(self.told.pop(0))

    def deliver_done(self, call_id: str | None = None) -> None:
        """The marks of one call's activities arrive, or of all."""
        now = [each for each in self.done if call_id in (each[0], None)]
        self.done = [each for each in self.done if each not in now]
        for _, mark in now:
            self.arrive(mark)

    def arrive(self, mark: Mark) -> None:
        """The process learns of a fact, as JSON and without its content."""
        mark = Mark.model_validate_json(mark.model_dump_json())
        self.process = evolve(self.process, mark.position, mark.event)

    def maybe(self) -> bool:
        """Yes or no."""
        return self.pick((True, False))

    def pick(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[self.draw(below(len(options)))]


@cache
def below(count: int) -> st.SearchStrategy[int]:
    """A number below this one; to make such a strategy anew takes longer than to draw from it."""
    return st.integers(0, count - 1)


SERVER_CALL: Block = {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}}
STRANGE: Sequence[AnyEvent] = (
    UnknownEvent(type_name="Later", data={"a": 1}),
    ErrorOccurred(error_type="Odd", error_message="it was odd"),
)

LIMITS = st.just(Limits()) | st.builds(
    Limits,
    turns=st.sampled_from((None, 1, 2, 3, 5)),
    tool_calls=st.sampled_from((None, 1, 3, 6)),
    tokens=st.sampled_from((None, 15, 40, 100)),
    runtime=st.sampled_from((None, 20.0, 100.0)),
    tools=st.sampled_from(({}, {}, {"read_file": 2})),
    at_limit=st.sampled_from(("end", "end", "ask")),
)


@st.composite
def stories(draw: Draw, *, zombies_write: bool = True) -> Story:
    """A legal stream and the end of its play."""
    return Play(draw, zombies_write).run()
