"""Looks threads over: the stream by itself, beside Temporal's history, and its requests rendered again."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from temporalio.client import Client

from cli.errors import NotFound
from cli.following import Closed, closed
from cli.temporal import RPC_TIMEOUT, temporal
from cli.verification.evidence import Evidence, disagreements
from cli.verification.history import WORKFLOW, History, Unreadable, knows_run, read_history
from cli.verification.repair import END_IS_MISSING, repair
from cli.verification.requests import Requests
from cli.verification.verdict import Finding, Repair, Verdict
from cli.visibility import CLOSED_OTHERWISE
from eventlog.custom import RefusedEvent
from eventlog.events import UnknownEvent
from eventlog.log import EventLog, LogCorrupted, Recorded
from eventlog.streams import AGENT, InvalidName, ThreadId, stream_of, thread_id
from eventlog.vocabulary import NO_EVENTS, Vocabulary
from projections.evolution import SESSION
from projections.fold import fold
from projections.invariants.catalogue import CONTENTS, INVARIANTS, breaches
from projections.invariants.invariant import Breach

NO_HISTORY = "threads of which Temporal knows no workflow: only their streams were looked at"
PART_OF_HISTORY = "threads of whose history Temporal does not have the beginning"
UNKNOWN_EVENT = "events that neither this version knows nor any plugin that is loaded"
NO_THREAD = "streams and workflows whose name no thread can have: they were not looked at"
NOT_RENDERED = "threads whose requests cannot be rendered here"
UNSOUND = "threads whose requests were not rendered, because of what was found in their streams"


@dataclass
class Look:
    """One thread, while it is looked over."""

    thread: ThreadId
    events: list[Recorded] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)
    """Which runs of the workflow wrote them."""
    history: History | None = None
    outside: Closed | None = None
    """How the workflow was ended, where it was not by itself."""
    findings: list[Finding] = field(default_factory=list)
    repaired: list[Repair] = field(default_factory=list)
    unchecked: Counter[str] = field(default_factory=Counter)

    def add(self, *found: Breach, repairable: bool = False) -> None:
        """Note what does not hold."""
        self.findings += [
            Finding(self.thread, each.position, each.invariant, each.problem, repairable) for each in found
        ]

    def take(self, recorded: Recorded) -> None:
        """One more event. Raises `LogCorrupted` where its metadata is damaged, which is read only when asked for."""
        run_id = recorded.metadata.run_id
        if run_id is not None:
            self.runs.add(run_id)
        self.events.append(recorded)

    def verdict(self) -> Verdict:
        """What came of it."""
        return Verdict(self.thread, len(self.events), tuple(self.findings), tuple(self.repaired), self.unchecked)


class Verifier:
    """Looks threads over, one after another."""

    def __init__(
        self,
        log: EventLog,
        client: Client | None,
        task_queue: str,
        requests: Requests | None,
        vocabulary: Vocabulary = NO_EVENTS,
    ) -> None:
        self._log = log
        self._client = client
        """None where only the log is to be looked at."""
        self._task_queue = task_queue
        self._requests = requests
        """None where no request can be rendered."""
        self._vocabulary = vocabulary
        """Whoever brings custom events says whether they can be read."""

    async def threads(self) -> AsyncIterator[ThreadId]:
        """Every thread there is, in the log or in Temporal, and whatever else is there under its name."""
        seen: set[str] = set()
        for stream in await self._log.streams(AGENT):
            thread = stream.partition("-")[2]
            seen.add(thread)
            yield ThreadId(thread)
        if self._client is not None:
            async for thread in _workflows(self._client, self._task_queue):
                if thread not in seen:
                    seen.add(thread)
                    yield ThreadId(thread)

    async def verify(self, thread: ThreadId, *, mend_as: str | None = None) -> Verdict:
        """Look one thread over; `mend_as` names who repairs what can be repaired. Raises `NotFound`."""
        look = Look(thread)
        if not _can_be(thread):
            look.unchecked[NO_THREAD] += 1
            return look.verdict()
        readable = await self._read(look)
        if look.history is None and not look.events and not look.findings:
            raise NotFound(f"there is no thread {thread}", remedy="`perdure list` shows the threads there are")
        if look.outside is not None and mend_as is not None and readable:
            look.repaired += await repair(self._log, thread, look.events, look.outside, mend_as)
            async for recorded in self._log.read(stream_of(thread), len(look.events)):
                look.take(recorded)
        look.add(*breaches(look.events, (*INVARIANTS, *CONTENTS)))
        if not readable:
            look.unchecked[UNSOUND] += 1
            return look.verdict()
        self._read_custom(look)
        sound = not look.findings
        await self._compare(look)
        if sound:
            self._render(look)
        else:
            look.unchecked[UNSOUND] += 1
        look.unchecked = +look.unchecked
        return look.verdict()

    async def _read(self, look: Look) -> bool:
        """Read the history, then the stream, which may go on meanwhile; whether both could be read."""
        readable = True
        if self._client is not None:
            try:
                look.history = await read_history(self._client, look.thread)
            except Unreadable as error:
                look.add(Breach("HistoryIsReadable", -1, str(error)))
                readable = False
            if look.history is not None and look.history.status in CLOSED_OTHERWISE:
                look.outside = await closed(self._client, look.thread)
        try:
            async for recorded in self._log.read(stream_of(look.thread)):
                look.take(recorded)
        except LogCorrupted as error:
            look.add(Breach("EventsAreReadable", len(look.events), str(error)))
            readable = False
        return readable

    def _read_custom(self, look: Look) -> None:
        """Have the plugins' classes read the plugins' events."""
        for each in look.events:
            if not isinstance(event := each.event, UnknownEvent):
                continue
            kind = self._vocabulary.kinds.get(event.type_name)
            try:
                look.unchecked[UNKNOWN_EVENT] += kind is None or kind.read(each) is None
            except RefusedEvent as error:
                look.add(Breach("CustomEventsAreReadable", each.position, str(error)))

    async def _compare(self, look: Look) -> None:
        if self._client is None or look.history is None:
            look.unchecked[NO_HISTORY] += self._client is not None
            return
        look.unchecked[PART_OF_HISTORY] += not look.history.whole
        look.add(*_missing_end(look.events, look.outside), repairable=True)
        unknown = look.runs - {run.id for run in look.history.runs}
        strange = {run for run in unknown if not await knows_run(self._client, look.thread, run)}
        look.add(*disagreements(Evidence(look.events, look.history, frozenset(strange))))

    def _render(self, look: Look) -> None:
        if self._requests is None:
            look.unchecked[NOT_RENDERED] += 1
            return
        rendered = self._requests.check(look.events)
        look.add(*rendered.breaches)
        look.unchecked.update(rendered.unchecked)


def _can_be(thread: str) -> bool:
    try:
        thread_id(thread)
    except InvalidName:
        return False
    return True


def _missing_end(events: Sequence[Recorded], outside: Closed | None) -> Iterator[Breach]:
    if outside is not None and events and fold(SESSION, events).completed is None:
        yield Breach(END_IS_MISSING, len(events) - 1, f"the stream has no end, and {outside.why}")


async def _workflows(client: Client, task_queue: str) -> AsyncIterator[str]:
    """Every agent on the task queue: those on others may have other logs."""
    query = f"WorkflowType = '{WORKFLOW}' AND TaskQueue = '{task_queue}'"
    with temporal(client):
        async for execution in client.list_workflows(query, rpc_timeout=RPC_TIMEOUT):
            yield execution.id
