"""What the process knows, and how it makes facts: it asks for them, and folds what it learns."""

import asyncio
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.session import SessionActivities
    from activities.steps import Learned, Tell
    from projections.evolution import evolve
    from projections.next_step import Step, next_step
    from projections.requests import Request
    from projections.session import Session
    from workflows.doors import Doors
    from workflows.face import Face
    from workflows.options import LOG
    from workflows.tasks import to_the_end


class Telling(Doors):
    """A session that is known, and can be told more of."""

    def __init__(self) -> None:
        self.session = Session()
        self._known_up_to = -1
        self._telling = asyncio.Lock()
        self._face = Face()

    @property
    def is_telling(self) -> bool:
        """Whether a fact is being made, so that the log may know more than the session."""
        return self._telling.locked()

    def _know(self, session: Session) -> None:
        """Begin with the session as its stream has it."""
        self.session = session
        self._known_up_to = session.position
        self._face.show(session)

    async def _tell(self, key: str, request: Request) -> Learned:
        return await to_the_end(self._tell_in_turn(key, request))

    async def _tell_in_turn(self, key: str, request: Request) -> Learned:
        await workflow.wait_condition(lambda: self.session.started)
        async with self._telling:
            learned = await workflow.execute_activity_method(
                SessionActivities.tell,
                Tell.of(self.session.started_ms, key, request),
                summary=request.request,
                **LOG,
            )
            self._learn(learned)
        return learned

    def _learn(self, learned: Learned) -> None:
        for mark in learned.marks:
            if mark.position > self._known_up_to:
                self.session = evolve(self.session, mark.position, mark.event)
        self._face.show(self.session)

    def _next(self) -> Step:
        return next_step(self.session, workflow.now())

    def _time_left(self) -> timedelta | None:
        """Until the limit on the session's running time."""
        runtime, started_at = self.session.limits.runtime, self.session.started_at
        if runtime is None or started_at is None or self.session.budget is not None:
            return None
        return started_at + timedelta(seconds=runtime) - workflow.now()
