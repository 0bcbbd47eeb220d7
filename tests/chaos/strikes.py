"""The ways in which a blow falls, and how what it struck comes back."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stack.postgres import ADMIN
from tests.acceptance.servers import freeze, kill, thaw
from tests.chaos.database import crowd, make_room, refuse, take_again
from workflows.options import HEARTBEAT

if TYPE_CHECKING:
    from tests.chaos.scene import Scene

SILENCE = HEARTBEAT.total_seconds()
"""After so many seconds a worker is taken for dead."""


class Strike:
    """SIGKILL, and whatever was killed is started again: servers after a while, a worker at once."""

    needs_another = True
    """Whether somebody must be there already who takes over, where a worker alone is struck."""

    async def fall(self, scene: "Scene") -> None:
        """Strike."""
        if scene.strikes_worker:
            await scene.worker.kill()
        kill(*scene.servers)

    async def pass_over(self, scene: "Scene") -> None:
        """Bring back what was struck, and return when all threads have ended."""
        scene.stage.halts.let_go()
        if scene.servers:
            await asyncio.sleep(scene.outage)
            await scene.stage.servers.start()
            await scene.servers_are_back()
        if scene.strikes_worker:
            await scene.hire_another()
        await scene.all_done()


class Stall(Strike):
    """SIGSTOP, and later SIGCONT: a worker stands still until another has done all its work."""

    async def fall(self, scene: "Scene") -> None:
        """Strike."""
        if scene.strikes_worker:
            scene.worker.freeze()
        freeze(*scene.servers)

    async def pass_over(self, scene: "Scene") -> None:
        """All go on as if nothing had been."""
        if not scene.servers:
            await self._taken_over(scene)
            return
        scene.stage.halts.let_go()
        await asyncio.sleep(scene.outage)
        thaw(*scene.servers)
        if scene.strikes_worker:
            scene.worker.thaw()
        await scene.servers_are_back()
        await scene.all_done()

    async def _taken_over(self, scene: "Scene") -> None:
        """Another worker does everything; then this one goes on where it stood."""
        await scene.hire_another()
        await scene.all_done()
        scene.worker.thaw()
        scene.stage.halts.let_go()
        scene.worker.terminate()
        await scene.worker.ended()


class Nap(Stall):
    """SIGSTOP for about as long as it takes to be taken for dead: it goes on while another is about to take over."""

    async def pass_over(self, scene: "Scene") -> None:
        """Both are at it."""
        await scene.hire_another()
        await asyncio.sleep(SILENCE - 1 + scene.outage)
        scene.stage.halts.let_go()
        scene.worker.thaw()
        await scene.all_done()


class Again(Strike):
    """The worker is killed, the next while it starts, and the one after it when it has worked for a while."""

    needs_another = False

    async def pass_over(self, scene: "Scene") -> None:
        """The fourth may live."""
        scene.stage.halts.let_go()
        starting = await scene.stage.engage()
        await asyncio.sleep(scene.outage / 2)
        await starting.kill()
        working = await scene.stage.hire()
        await asyncio.sleep(scene.outage)
        await working.kill()
        scene.back = datetime.now(UTC)
        await scene.stage.hire()
        await scene.all_done()


class Stop(Strike):
    """SIGTERM: the worker takes nothing new, brings to its end what it is at, and ends by itself."""

    async def fall(self, scene: "Scene") -> None:
        """Strike."""
        scene.worker.terminate()

    async def pass_over(self, scene: "Scene") -> None:
        """Another one does the rest."""
        scene.stage.halts.let_go()
        await scene.hire_another()
        await scene.all_done()
        code = await scene.worker.ended()
        if code != 0:
            raise AssertionError(f"a worker that is told to stop ends in peace: it ended with {code}")


class Refuse(Strike):
    """The database answers, and takes nothing new."""

    async def fall(self, scene: "Scene") -> None:
        """Strike."""
        await refuse(_admin(scene))

    async def pass_over(self, scene: "Scene") -> None:
        """It takes everything again."""
        scene.stage.halts.let_go()
        try:
            await asyncio.sleep(scene.outage)
        finally:
            await take_again(_admin(scene))
        await scene.servers_are_back()
        await scene.all_done()


class Crowd(Strike):
    """The database hangs up on everybody, and lets nobody in; then it does, and hangs up again and again."""

    async def fall(self, scene: "Scene") -> None:
        """Strike."""
        await crowd(_admin(scene))

    async def pass_over(self, scene: "Scene") -> None:
        """There is room again."""
        scene.stage.halts.let_go()
        try:
            await asyncio.sleep(scene.outage / 2)
        finally:
            await make_room(_admin(scene), scene.outage / 2)
        await scene.servers_are_back()
        await scene.all_done()


def _admin(scene: "Scene") -> str:
    return scene.stage.servers.postgres.url(ADMIN)


STRIKES: Mapping[str, Strike] = {
    "kill": Strike(),
    "outlast": Strike(),
    "stall": Stall(),
    "nap": Nap(),
    "again": Again(),
    "stop": Stop(),
    "refuse": Refuse(),
    "crowd": Crowd(),
}
"""By how a case says that it is struck."""
