"""Who answers what the agent asks: a person at the terminal, else the demo itself; by the `temporal` program."""

import asyncio
import posixpath
from dataclasses import dataclass

from cli.answers import PendingQuestion
from cli.demonstration.narrator import INDENT, Narrator
from cli.demonstration.temporal_cli import TemporalCli, shown
from cli.demonstration.terminal import ask
from cli.demonstration.witness import Witness
from cli.visible import visible
from stack.scripted.report import NAME

WRITE = "write_file"
QUOTED = 6
"""Lines of the report that are shown where nobody has to decide about it."""


class AnsweredElsewhere(Exception):
    """The question needs no answer any more."""


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer, as the signal that gives it."""

    signal: str
    """approve or deny"""
    approver: str
    reason: str | None = None

    def value(self, call_id: str) -> dict[str, object]:
        """What the signal carries."""
        value: dict[str, object] = {"call_id": call_id, "approver": self.approver}
        return value if self.reason is None else {**value, "reason": self.reason}


class Approver:
    """Answers one question after another."""

    def __init__(self, tell: Narrator, cli: TemporalCli, witness: Witness, person: str | None) -> None:
        self._tell = tell
        self._cli = cli
        self._witness = witness
        self._person = person
        """The name of whoever sits at the terminal; None where nobody does."""
        self._allowed_report = False

    async def answer(self, question: PendingQuestion) -> None:
        """Bring about an answer."""
        tell = self._tell
        tell.say(f"May it {question.question}? The risk is {question.risk}: {question.reason}.", "yellow")
        self._quote(question, None if self._person else QUOTED)
        try:
            decision = self._by_itself(question) if self._person is None else await self._asked(question, self._person)
        except AnsweredElsewhere:
            tell.say("The question was answered elsewhere, or its time is over.")
            return
        command = self._cli.signal(decision.signal, decision.value(question.call_id))
        tell.command(shown(command))
        tell.say(await self._cli.run(command))

    def _quote(self, question: PendingQuestion, most: int | None) -> None:
        """The exact call; a report is shown as the text it is."""
        for name, value in question.arguments.items():
            if "\n" not in str(value):
                self._tell.row(f"{name}:", str(value))
                continue
            self._tell.row(f"{name}:", "")
            self._tell.quote(str(value), most)

    def _by_itself(self, question: PendingQuestion) -> Decision:
        """Allow the report, once, and nothing else."""
        path = posixpath.normpath(str(question.arguments.get("path", "")))
        if question.tool == WRITE and path == NAME and not self._allowed_report:
            self._allowed_report = True
            self._tell.say("Nobody sits at a terminal, so the demo says yes, with the temporal program:")
            return Decision("approve", "perdure demo")
        self._tell.say("Nobody sits at a terminal, and this is not what the demo is about, so it says no:")
        return Decision("deny", "perdure demo", f"the demo allows only to write {NAME}, and that once")

    async def _asked(self, question: PendingQuestion, person: str) -> Decision:
        """Ask until it is yes or no; whoever closes the terminal has not said yes."""
        yes = Decision("approve", person)
        self._tell.say("Yes is the following command, which you can also give yourself, in another terminal:")
        self._tell.command(shown(self._cli.signal(yes.signal, yes.value(question.call_id))))
        while True:
            said = await self._typed(question, "May it? [y/n]")
            match said.lower() if said is not None else None:
                case "y" | "yes":
                    return yes
                case "n" | "no":
                    why = await self._typed(question, "Why not? The model reads it [enter: no reason]")
                    return Decision("deny", person, why or "no reason was given")
                case None:
                    self._tell.say("Nobody is there any more, and that is no yes:")
                    return Decision("deny", person, "nobody was there to say yes")

    async def _typed(self, question: PendingQuestion, prompt: str) -> str | None:
        """What a person types, unless the question is answered by other means first."""
        typing = asyncio.create_task(ask(self._tell.output, f"{INDENT}{visible(prompt)}"))
        settled = asyncio.create_task(self._witness.until(lambda: question not in self._witness.report.pending))
        try:
            await asyncio.wait({typing, settled}, return_when=asyncio.FIRST_COMPLETED)
            if typing.done():
                return typing.result()
            self._tell.output.notes.print()
            settled.result()
            raise AnsweredElsewhere
        finally:
            for task in (typing, settled):
                task.cancel()
            await asyncio.gather(typing, settled, return_exceptions=True)
