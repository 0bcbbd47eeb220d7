"""Walking through everything that waits: each question is shown whole and answered, or left for later."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rich.text import Text

from cli.answer_values import json_value, typed_value
from cli.answers import PendingQuestion
from cli.command import Invocation
from cli.errors import BadUsage, NotFound, NoWorker, Refused
from cli.given import made
from cli.question_pages import question_text
from cli.questions import APPROVAL, BUDGET, LOOP
from cli.threads import Threads, Wish
from cli.typing_in import Lines
from cli.visible import visible
from eventlog.raises import Raise
from eventlog.streams import ThreadId
from projections.requests import Answer, Approve, Deny, RaiseBudget, Resume, Terminate

_CHOICES = {
    APPROVAL: "y(es), n(o), e(dit), s(kip), q(uit)",
    "confirm": "y(es), n(o), s(kip), q(uit)",
    "review": "y(es, use it), e(dit), n(o, send it back), s(kip), q(uit)",
    BUDGET: "y(es, more), n(o), s(kip), q(uit)",
    LOOP: "y(es, go on), n(o, end it), s(kip), q(uit)",
}
_OTHERWISE = "a(nswer), s(kip), q(uit)"
_WORDS = {"yes": "y", "no": "n", "edit": "e", "skip": "s", "quit": "q", "answer": "a"}


class Quit(Exception):
    """Whoever walks has had enough."""


class AnsweredElsewhere(Exception):
    """The question waits no more."""


@dataclass
class Walk:
    """One walk: what was answered, and what was left."""

    run: Invocation
    threads: Threads
    lines: Lines = field(default_factory=Lines)
    answered: int = 0
    left: int = 0

    async def through(self, questions: Sequence[PendingQuestion]) -> None:
        """Show one question after another, until there is none or somebody has had enough."""
        for number, question in enumerate(questions, start=1):
            try:
                await self._one(question, f"{number} of {len(questions)}")
            except AnsweredElsewhere:
                self._tell("it was answered or changed elsewhere, or its time is over", "yellow")
                self.left += 1
            except Quit:
                self.left += len(questions) - number + 1
                return

    async def _one(self, question: PendingQuestion, count: str) -> None:
        if not await self._still(question):
            raise AnsweredElsewhere
        self.run.output.notes.print(Text(f"\n{count} · thread {question.thread_id}", style="dim"))
        self.run.output.notes.print(question_text(question), soft_wrap=True)
        while (request := await self._decided(question)) is not None:
            if await self._sent(question, request):
                self.answered += 1
                return
        self.left += 1

    async def _still(self, question: PendingQuestion) -> bool:
        """Whether the very same question waits still."""
        try:
            now = await self.threads.pending(ThreadId(question.thread_id))
        except NotFound:
            return False
        return _key(question) in map(_key, now)

    async def _sent(self, question: PendingQuestion, request: Wish) -> bool:
        """Whether the answer was taken; what is wrong with it is told, and it may be given again."""
        thread = ThreadId(question.thread_id)
        try:
            await self.threads.ask(thread, request)
        except NoWorker as error:
            if error.kind != NoWorker.kind:
                raise
            await self.threads.ask(thread, request, signal=True)
            self._tell("no worker answers: it was sent as a signal, and is read when one does", "yellow")
            return True
        except Refused as error:
            self._tell(error.message, "red")
            if not await self._still(question):
                raise AnsweredElsewhere from error
            return False
        self._tell("done", "green")
        return True

    # -- what somebody types -----------------------------------------------------------------------

    async def _decided(self, question: PendingQuestion) -> Wish | None:
        """What to ask of the thread; None to leave the question for later."""
        choices = _CHOICES.get(question.kind, _OTHERWISE)
        while True:
            word = (await self._typed(question, f"{choices}:")).lower()
            key = _WORDS.get(word, word)
            if key == "q":
                raise Quit
            if key == "s":
                return None
            try:
                request = await self._request(question, key)
            except BadUsage as error:
                self._tell(error.message, "red")
                continue
            if request is not None:
                return request
            self._tell(f"{word!r} is none of {choices}", "red")

    async def _request(self, question: PendingQuestion, key: str) -> Wish | None:
        match question.kind:
            case "approval":
                return await self._approval(question, key)
            case "budget":
                return await self._raise(question, key)
            case "loop" if key in ("y", "n"):
                return made(Resume, by=self._name) if key == "y" else made(Terminate, by=self._name)
            case "confirm" if key in ("y", "n"):
                return self._answer(question, key == "y")
            case "review":
                return await self._review(question, key)
            case _ if key == "a":
                return self._answer(question, typed_value(question, await self._typed(question, "your answer:")))
            case _:
                return None

    async def _approval(self, question: PendingQuestion, key: str) -> Wish | None:
        asked = {"call_id": question.call_id, "approver": self._name, "position": question.position}
        if question.token and key in ("y", "n", "e"):
            asked["token"] = await self._typed(question, "the question's token:")
        match key:
            case "y":
                return made(Approve, **asked)
            case "n":
                reason = await self._typed(question, "why not? The model reads it:")
                return made(Deny, **asked, **({"reason": reason} if reason else {}))
            case "e":
                return made(Approve, **asked, edited_arguments=await self._edited(question))
            case _:
                return None

    async def _edited(self, question: PendingQuestion) -> Any:
        self._tell(f"now: {json.dumps(question.arguments, ensure_ascii=False)}")
        edited = json_value("this", await self._typed(question, "the arguments to run with, as JSON on one line:"))
        if not isinstance(edited, dict):
            raise BadUsage("the arguments must be a JSON object")
        return edited

    async def _review(self, question: PendingQuestion, key: str) -> Wish | None:
        match key:
            case "y":
                return self._answer(question, "accept")
            case "e":
                text = await self._typed(question, "what is to be used instead, on one line:")
                return self._answer(question, {"verdict": "replace", "text": text})
            case "n":
                comments = await self._typed(question, "what is to be changed? The model reads it:")
                return self._answer(question, {"verdict": "send_back", "comments": comments})
            case _:
                return None

    async def _raise(self, question: PendingQuestion, key: str) -> Wish | None:
        match key:
            case "y":
                return made(RaiseBudget, amounts=await self._more(question), by=self._name)
            case "n":
                return made(RaiseBudget, refuse=True, by=self._name)
            case _:
                return None

    async def _more(self, question: PendingQuestion) -> Raise:
        if question.arguments.get("unpriced"):
            return Raise(unpriced=True)
        return _amounts(await self._typed(question, _HOW_MUCH))

    def _answer(self, question: PendingQuestion, value: Any) -> Answer:
        return made(Answer, call_id=question.call_id, position=question.position, value=value, by=self._name)

    @property
    def _name(self) -> str:
        return self.run.settings.principal

    async def _typed(self, question: PendingQuestion, prompt: str) -> str:
        """What a person types, unless the question is answered by others first."""
        notes = self.run.output.notes
        notes.print(visible(prompt), end=" ", markup=False, highlight=False, soft_wrap=True)
        notes.file.flush()
        typing: Typing = asyncio.create_task(self.lines.next())
        watching = asyncio.create_task(self._until_settled(question))
        try:
            await asyncio.wait({typing, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not typing.done():
                notes.print()
                watching.result()
                raise AnsweredElsewhere
            if (line := typing.result()) is None:
                notes.print()
                raise Quit
            return line
        finally:
            for task in (typing, watching):
                task.cancel()
            await asyncio.gather(typing, watching, return_exceptions=True)

    async def _until_settled(self, question: PendingQuestion) -> None:
        async with aclosing(self.threads.follow(ThreadId(question.thread_id))) as news:
            async for progress in news:
                if _key(question) not in map(_key, progress.report.pending):
                    return

    def _tell(self, text: str, style: str = "dim") -> None:
        self.run.output.notes.print(Text(visible(text), style=style), soft_wrap=True)


Typing: TypeAlias = asyncio.Task[str | None]
_HOW_MUCH = "how much more? As in cost=5 turns=20 tools.write_file=3:"
_TOOL = "tools."


def _key(question: PendingQuestion) -> tuple[str, int]:
    return question.call_id, question.position


def _amounts(text: str) -> Raise:
    """So much more of one limit or of several; the calls of one tool are `tools.write_file=3`."""
    pairs = [each.partition("=") for each in text.replace(",", " ").split()]
    tools = {name.removeprefix(_TOOL): value for name, _, value in pairs if name.startswith(_TOOL)}
    return made(Raise, tools=tools, **{name: value for name, _, value in pairs if not name.startswith(_TOOL)})


async def walk(run: Invocation, threads: Threads, questions: Sequence[PendingQuestion]) -> None:
    """Walk through the questions and say what came of it."""
    walked = Walk(run, threads)
    try:
        await walked.through(questions)
    finally:
        words = f"{walked.answered} answered, {walked.left} left for later"
        run.output.note(words if questions else "nothing waits")
