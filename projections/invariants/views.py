"""Rules about the views: those that are folded apart tell the same story."""

from collections.abc import Iterator

from projections.evolution import SESSION
from projections.invariants.invariant import Invariant, Moment
from projections.tool_calls import TOOL_CALLS
from projections.transcript import TRANSCRIPT


class ViewsAgree(Invariant):
    """What the model is shown, the calls with their arguments, and what the process knows are of one mind."""

    def __init__(self) -> None:
        self._transcript = TRANSCRIPT.initial()
        self._calls = TOOL_CALLS.initial()

    def breaks(self, moment: Moment) -> Iterator[str]:
        """Two views that differ after this event."""
        session = SESSION.evolve(moment.before, moment.recorded)
        self._transcript = TRANSCRIPT.evolve(self._transcript, moment.recorded)
        self._calls = TOOL_CALLS.evolve(self._calls, moment.recorded)
        shown, known = (self._transcript.step, self._transcript.read), (session.steps, session.answered)
        if shown != known:
            yield f"the transcript has come to step and position {shown}, the session to {known}"
        of_calls = [(call.id, call.state) for call in self._calls.open.values()]
        of_session = [(call.id, call.state) for call in session.pending.values()]
        if of_calls != of_session:
            yield f"open calls are {of_calls} with their arguments, and {of_session} to the session"
