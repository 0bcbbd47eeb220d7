"""The demo, told in acts: a worker dies in the middle of a step, another goes on, and a person is asked."""

import asyncio
import itertools
import secrets
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from cli.command import Invocation
from cli.connection import quiet_logs
from cli.demonstration.approver import Approver
from cli.demonstration.narrator import Narrator, Stopwatch
from cli.demonstration.outcome import Killing, Outcome, TakingOver
from cli.demonstration.pages import Places, answer, final_page, opening_page
from cli.demonstration.report_file import ReportFile
from cli.demonstration.stage import Connections, Crew, connections, ended_by_signals, system
from cli.demonstration.temporal_cli import TemporalCli
from cli.demonstration.terminal import somebody_is_there
from cli.demonstration.witness import CutShort, Witness
from cli.errors import Refused
from cli.exits import ExitCode
from eventlog.streams import ThreadId
from eventlog.terms import Limits
from projections.requests import StartSession
from settings import Settings
from stack.scripted.demo_mind import REQUEST
from workflows.options import HEARTBEAT

TOOLS = ("list_files", "read_file", "search_files", "get_current_time", "write_file")
LIMITS = Limits(turns=30, tool_calls=100, tokens=1_000_000)
TIME_TO_ANSWER = 300.0
"""Seconds a person has to answer: the demo ends by itself, even when they have gone for lunch."""
SURELY_UNDER_WAY = 15.0
"""Seconds after which a model that has sent nothing yet is taken to be in the middle of its answer."""
INTERVAL = 0.1


async def perform(run: Invocation, folder: Path) -> ExitCode:
    """Play it, and say whether everything held."""
    file = ReportFile.within(folder, run.settings.home)
    thread = ThreadId(f"demo-{secrets.token_hex(4)}")
    settings = run.settings.model_copy(update={"task_queue": f"perdure-{thread}", "workspace": file.folder})
    quiet_logs()
    play = Play(run, settings, file, thread)
    with ended_by_signals():
        outcome = await play.perform()
    run.output.answer(answer(outcome, play.places), lambda page: final_page(page, play.tell, outcome, play.places))
    return ExitCode.FAILED if outcome.problems() else ExitCode.OK


@dataclass(frozen=True, slots=True)
class Actors:
    """Who takes part."""

    ways: Connections
    crew: Crew
    witness: Witness
    cli: TemporalCli


class Play:
    """One performance."""

    def __init__(self, run: Invocation, settings: Settings, file: ReportFile, thread: ThreadId) -> None:
        self.tell = Narrator(run.output)
        self.places = Places(config=run.config, settings=settings, thread=thread, report=file.path)
        self._run = run
        self._settings = settings
        self._file = file
        self._thread = thread
        self._killing: Killing | None = None
        self._taking_over: TakingOver | None = None

    async def perform(self) -> Outcome:
        """All acts, and what came of them; nothing that was started stays behind."""
        watch, cut_short = Stopwatch(), None
        opening_page(self.tell, self._settings, self._file.folder)
        async with AsyncExitStack() as stage:
            actors = await self._set_stage(stage)
            try:
                await self._acts(actors)
            except CutShort as error:
                cut_short = str(error)
            await actors.witness.look()
            outcome = self._outcome(actors.witness, cut_short)
            self._last_act(outcome)
        outcome.seconds = watch.seconds
        return outcome

    async def _set_stage(self, stage: AsyncExitStack) -> Actors:
        tell, settings = self.tell, self._settings
        tell.act("The system")
        with tell.waiting("Temporal, PostgreSQL with Message DB, and a model are looked for, or started") as watch:
            there = await stage.enter_async_context(system(settings))
            ways = await stage.enter_async_context(connections(settings))
        self.places.found(there.addresses, attached=there.attached)
        what = "It runs already, and stays" if there.attached else f"It is up after {watch.seconds:.1f} s"
        tell.say(f"{what}: Temporal decides when, Message DB remembers what.")
        crew = await stage.enter_async_context(Crew(self._run.config, settings).on_stage())
        witness = Witness(ways.log, ways.client, self._thread)
        return Actors(ways, crew, witness, TemporalCli.of(settings, ways.address, self._thread))

    async def _acts(self, actors: Actors) -> None:
        try:
            await self._begin(actors)
            async with actors.witness.watching():
                await self._kill(actors)
                if self._killing is not None:
                    await self._take_over(actors, self._killing)
                await self._answer(actors)
        finally:
            if self._outcome(actors.witness).written:
                self._file.remember()
            await self._close(actors)

    # -- the acts ------------------------------------------------------------------------------

    async def _begin(self, actors: Actors) -> None:
        tell, crew = self.tell, actors.crew
        tell.act("A worker, and a thread")
        with tell.waiting("a worker process is started") as watch:
            await crew.hire()
        tell.say(
            f"Process {crew.pid} is at work, after {watch.seconds:.1f} s. It has the task queue "
            f"{self._settings.task_queue} for itself, so that nobody else can take a step from it."
        )
        await actors.ways.threads.start(self._thread, self._request())
        handle = actors.ways.client.get_workflow_handle(self._thread)
        self.places.run_id = (await handle.describe()).run_id
        tell.say(f"Thread {self._thread} is told: {REQUEST}")
        if self.places.workflow_ui is not None:
            tell.say("See it go on in Temporal's web UI:")
            tell.say(self.places.workflow_ui, "cyan")

    def _request(self) -> StartSession:
        return StartSession(
            message=REQUEST,
            tools=TOOLS,
            limits=LIMITS,
            approval_timeout=TIME_TO_ANSWER,
            tenant=self._settings.tenant,
            principal=self._settings.principal,
        )

    async def _kill(self, actors: Actors) -> None:
        """Kill the worker in the middle of the second model call, or a later one where that was too quick."""
        tell, witness = self.tell, actors.witness
        tell.act("The worker is killed in the middle of a step")
        for step in itertools.count(2):
            with tell.waiting(f"the agent looks around, and asks the model for the {_ordinal(step)} time"):
                if not await self._under_way(actors, step):
                    return
            if witness.answered(step) is None and await self._killed(actors, step):
                return

    async def _under_way(self, actors: Actors, step: int) -> bool:
        """Whether the model call was begun; then some of its answer has come in, or all of it."""
        witness = actors.witness
        await witness.until(lambda: witness.asked(step) is not None or bool(witness.report.pending))
        watch = Stopwatch()
        while witness.asked(step) is not None and witness.answered(step) is None and watch.seconds < SURELY_UNDER_WAY:
            if await self._characters(actors.ways):
                break
            await asyncio.sleep(INTERVAL)
            await witness.look()
        return witness.asked(step) is not None

    async def _killed(self, actors: Actors, step: int) -> bool:
        """Kill it; whether the step was really not over, by the log. If it was, the next worker is at work."""
        crew, witness, characters = actors.crew, actors.witness, await self._characters(actors.ways)
        pid, exit_code = crew.pid, await crew.kill()
        await witness.look()
        request = witness.asked(step)
        if request is None or witness.answered(step) is not None:
            await crew.hire()
            return False
        self._killing = Killing(pid, exit_code, step, request.position, characters)
        arrived = f"; {characters:,} characters of the answer had come in" if characters else ""
        self.tell.say(f"The model was asked for the {_ordinal(step)} time (position {request.position}){arrived}.")
        self.tell.command(f"kill -KILL {pid}")
        self.tell.say("The process is gone. The log holds all results so far and the question, but no answer.")
        return True

    async def _characters(self, ways: Connections) -> int:
        """How much of the model's answer the worker has heard, by its heartbeats."""
        description = await ways.client.get_workflow_handle(self._thread).describe()
        found = [activity.heartbeat_details for activity in description.raw_description.pending_activities]
        told = [await ways.client.data_converter.decode(details.payloads) for details in found]
        return max((each for values in told for each in values if isinstance(each, int)), default=0)

    async def _take_over(self, actors: Actors, killing: Killing) -> None:
        tell, witness, crew = self.tell, actors.witness, actors.crew
        tell.act("Another worker takes over")
        watch = Stopwatch()
        silence = f"{HEARTBEAT.total_seconds():.0f} s"
        tell.say(
            "Temporal does not know yet: a worker gives a sign of life every second, and counts as dead after "
            f"{silence} of silence. Then the same step is given to whoever is there."
        )
        with tell.waiting(f"another worker is started, and Temporal waits out the {silence}"):
            await crew.hire()
            await witness.until(lambda: witness.answered(killing.step) is not None)
        reply = witness.answered(killing.step)
        attempt = (reply.metadata.attempt if reply is not None else None) or 0
        self._taking_over = TakingOver(crew.pid, attempt, watch.seconds)
        tell.say(
            f"Process {crew.pid} has finished the step, in attempt {attempt}, {watch.seconds:.1f} s after the death. "
            "What had happened before, it read in the log: nothing was done again."
        )

    async def _answer(self, actors: Actors) -> None:
        """Answer what the agent asks, until it has ended."""
        tell, witness = self.tell, actors.witness
        person = self._settings.principal if somebody_is_there(self._run.output) else None
        approver, answered = Approver(tell, actors.cli, witness, person), set[str]()
        tell.act("A person is asked")

        def asked_or_ended() -> bool:
            return witness.report.ended or any(each.call_id not in answered for each in witness.report.pending)

        while not witness.report.ended:
            with tell.waiting("the agent goes on" if answered else "the agent reads on, and writes its report"):
                await witness.until(asked_or_ended)
            for question in witness.report.pending:
                if question.call_id not in answered:
                    answered.add(question.call_id)
                    await approver.answer(question)

    def _last_act(self, outcome: Outcome) -> None:
        tell = self.tell
        tell.act("The end")
        tell.say(f"The thread is {outcome.report.status}, and all of it is in the log.")
        if not self.places.attached:
            tell.say("The system is stopped; what it knows stays.")

    # -- what is left --------------------------------------------------------------------------

    def _outcome(self, witness: Witness, cut_short: str | None = None) -> Outcome:
        outcome = Outcome(
            witness.report,
            lines=witness.lines,
            killing=self._killing,
            taking_over=self._taking_over,
            content=self._file.content(),
            cut_short=cut_short,
        )
        outcome.read(witness.events)
        return outcome

    async def _close(self, actors: Actors) -> None:
        """A thread that nobody will work on any more is ended, so that it does not look as if it ran."""
        if not actors.witness.report.ended:
            with suppress(Refused):
                await actors.cli.run(actors.cli.termination("the demo ended before its thread did"))


def _ordinal(number: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(number, f"{number}th")
