"""One blow of the matrix: threads are brought to their moments, the blow falls, and everything comes back."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from stack.postgres import ADMIN
from stack.server import Server
from tests.acceptance.servers import Servers, thaw
from tests.acceptance.stage import Handle, Stage, staged
from tests.acceptance.worker_process import WorkerProcess
from tests.chaos.batch import hands
from tests.chaos.cases import Blow, Case
from tests.chaos.situation import Words
from tests.chaos.situations import situation, told
from tests.chaos.strikes import STRIKES


class Scene:
    """Threads that are struck together by one blow."""

    def __init__(self, stage: Stage, cases: Sequence[Case], worker: WorkerProcess, outage: float, token: str) -> None:
        self.stage = stage
        self.blow: Blow = cases[0].blow
        self.handles: dict[Case, Handle] = {}
        self.worker = worker
        """The one that halts, and that is struck where a worker is."""
        self.outage = max(outage, *(situation(case).away for case in cases))
        """Seconds for which what is struck is away, where it has to be brought back."""
        self.back = datetime.now(UTC)
        """When nothing was missing any more for threads to move."""
        self._strike = STRIKES[self.blow.how]
        self._cases = cases
        self._token = token
        self._words: Mapping[Case, Words] = {}
        self._spoken = self.back

    def since(self, case: Case) -> datetime:
        """From when on nothing but the thread itself keeps it from moving."""
        return max(self.back, self._spoken) if situation(case).waits else self.back

    @property
    def strikes_worker(self) -> bool:
        """Whether a worker is struck, alone or with others."""
        return "worker" in self.blow.struck

    @property
    def servers(self) -> tuple[Server, ...]:
        """Those that are struck."""
        servers = self.stage.servers
        there: dict[str, Server] = {"temporal": servers.temporal, "postgres": servers.postgres}
        return tuple(server for name, server in there.items() if name in self.blow.struck)

    async def play(self) -> None:
        """Everything up to the end of all threads."""
        for case in self._cases:
            self.handles[case] = await self.stage.start(case.opening, **situation(case).terms(self._token))
        await self._come_to_the_moment()
        if self.blow.struck == {"worker"} and self._strike.needs_another and not self._in_a_batch:
            await self.hire_another()
        async with self._poised():
            for case in self._cases:
                await self._say(case, situation(case).at_the_blow(case))
            await self._strike.fall(self)
            self.back = datetime.now(UTC)
        if "temporal" not in self.blow.struck:
            await self._speak()
        await self._strike.pass_over(self)

    async def _come_to_the_moment(self) -> None:
        """All threads are where they are to be struck, and it is known what people will say then."""
        await asyncio.gather(*(situation(case).come(self.stage, handle, case) for case, handle in self.handles.items()))
        self._words = {
            case: await situation(case).afterwards(self.stage, handle, case) for case, handle in self.handles.items()
        }

    @asynccontextmanager
    async def _poised(self) -> AsyncIterator[None]:
        """In a batch commit, where that is the moment."""
        if not self._in_a_batch:
            yield
            return
        async with hands(self.stage.servers.postgres.url(ADMIN)) as both:
            await both.take()
            self.stage.halts.let_go()
            await self.stage.halts.left_by(handle.id for handle in self.handles.values())
            await both.one_is_waiting()
            if len(self.handles) > 1:
                await both.change()
            yield

    @property
    def _in_a_batch(self) -> bool:
        return self._cases[0].moment == "batch-commit"

    async def hire_another(self) -> None:
        """Somebody who takes over, unless they are there already."""
        if len(self.stage.workers) == 1:
            await self.stage.hire()

    async def servers_are_back(self) -> None:
        """Now threads can move again; and people can speak who could not."""
        self.back = datetime.now(UTC)
        if "temporal" in self.blow.struck:
            await self._speak()

    # -- people --------------------------------------------------------------------------------

    async def _speak(self) -> None:
        """What people say after the blow."""
        for case, words in self._words.items():
            await self._say(case, words)
        self._spoken = datetime.now(UTC)

    async def _say(self, case: Case, words: Words) -> None:
        for word in words:
            await self.handles[case].signal(word.signal, word.said)

    async def all_done(self) -> None:
        """Return when all threads have ended."""
        await asyncio.gather(*(self._done(case, handle) for case, handle in self.handles.items()))

    async def _done(self, case: Case, handle: Handle) -> None:
        await situation(case).go_on(self.stage, handle, case)
        await self.stage.done(handle)


@asynccontextmanager
async def played(servers: Servers, folder: Path, cases: Sequence[Case], outage: float) -> AsyncIterator[Scene]:
    """The scene, at its end. `outage`: seconds for which servers are away or frozen."""
    plays = {case.opening: situation(case).play(case) for case in cases}
    token = uuid4().hex
    async with AsyncExitStack() as exits:
        stage = await exits.enter_async_context(staged(servers, folder, plays))
        exits.callback(thaw, servers.temporal, servers.postgres)
        stage.besides.update(told(folder, token))
        scene = Scene(stage, cases, await stage.hire(halting=True), outage, token)
        await scene.play()
        yield scene
