"""One blow of the matrix: threads are brought to their moments, the blow falls, and everything comes back."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from stack.postgres import ADMIN
from stack.server import Server
from tests.acceptance.servers import Servers, freeze, kill, thaw
from tests.acceptance.stage import Handle, Stage, staged
from tests.acceptance.worker_process import WorkerProcess
from tests.chaos.batch import hands
from tests.chaos.cases import Blow, Case
from tests.chaos.situation import Words
from tests.chaos.situations import situation, told


class Scene:
    """Threads that are struck together by one blow."""

    def __init__(self, stage: Stage, cases: Sequence[Case], worker: WorkerProcess, outage: float, token: str) -> None:
        self.stage = stage
        self.blow: Blow = cases[0].blow
        self.handles: dict[Case, Handle] = {}
        self._cases = cases
        self._worker = worker
        self._outage = max(outage, *(situation(case).away for case in cases))
        self._token = token
        self._words: Mapping[Case, Words] = {}
        self._back = self._spoken = datetime.now(UTC)

    def since(self, case: Case) -> datetime:
        """From when on nothing but the thread itself keeps it from moving."""
        return max(self._back, self._spoken) if situation(case).waits else self._back

    async def play(self) -> None:
        """Everything up to the end of all threads."""
        for case in self._cases:
            self.handles[case] = await self.stage.start(case.opening, **situation(case).terms(self._token))
        await self._come_to_the_moment()
        if self.blow.struck == {"worker"} and not self._in_a_batch:
            await self._hire_another()
        async with self._poised():
            for case in self._cases:
                await self._say(case, situation(case).at_the_blow(case))
            await self._hit()
        if "temporal" not in self.blow.struck:
            await self._speak()
        await self._come_back()

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

    async def _hire_another(self) -> None:
        """Somebody who takes over, unless they are there already."""
        if len(self.stage.workers) == 1:
            await self.stage.hire()

    # -- the blow ------------------------------------------------------------------------------

    async def _hit(self) -> None:
        worker = "worker" in self.blow.struck
        if self.blow.how == "stall":
            if worker:
                self._worker.freeze()
            freeze(*self._servers)
        else:
            if worker:
                await self._worker.kill()
            kill(*self._servers)
        self._back = datetime.now(UTC)

    async def _come_back(self) -> None:
        if self.blow.how == "stall" and not self._servers:
            await self._taken_over_while_frozen()
            return
        await (self._back_from_a_stall() if self.blow.how == "stall" else self._back_from_death())
        await self._all_done()

    async def _back_from_death(self) -> None:
        self.stage.halts.let_go()
        if self._servers:
            await asyncio.sleep(self._outage)
            await self.stage.servers.start()
            await self._servers_are_back()
        if "worker" in self.blow.struck:
            await self._hire_another()

    async def _back_from_a_stall(self) -> None:
        self.stage.halts.let_go()
        await asyncio.sleep(self._outage)
        thaw(*self._servers)
        if "worker" in self.blow.struck:
            self._worker.thaw()
        await self._servers_are_back()

    async def _servers_are_back(self) -> None:
        self._back = datetime.now(UTC)
        if "temporal" in self.blow.struck:
            await self._speak()

    async def _taken_over_while_frozen(self) -> None:
        """Another worker does everything; then this one goes on where it stood."""
        await self._hire_another()
        await self._all_done()
        self._worker.thaw()
        self.stage.halts.let_go()
        self._worker.terminate()
        await self._worker.ended()

    # -- people --------------------------------------------------------------------------------

    async def _speak(self) -> None:
        """What people say after the blow."""
        for case, words in self._words.items():
            await self._say(case, words)
        self._spoken = datetime.now(UTC)

    async def _say(self, case: Case, words: Words) -> None:
        for word in words:
            await self.handles[case].signal(word.signal, word.said)

    async def _all_done(self) -> None:
        await asyncio.gather(*(self._done(case, handle) for case, handle in self.handles.items()))

    async def _done(self, case: Case, handle: Handle) -> None:
        await situation(case).go_on(self.stage, handle, case)
        await self.stage.done(handle)

    @property
    def _servers(self) -> tuple[Server, ...]:
        servers = self.stage.servers
        there: dict[str, Server] = {"temporal": servers.temporal, "postgres": servers.postgres}
        return tuple(server for name, server in there.items() if name in self.blow.struck)


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
