"""Questions of the model to a person: how they are put, and how an answer is held against the question."""

import asyncio
import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from activities.steps import InThread, Tell
from activities.views import Views
from eventlog.events import AnyEvent, HumanInputProvided, HumanInputRequested, RequestIgnored
from eventlog.inquiries import MOST_BYTES, Inquiry
from llm.messages import JsonObject
from projections.human_answers import Understood, WrongAnswer, expectation, file_in, understand
from projections.inquiries import INQUIRIES
from projections.requests import Answer
from projections.tool_calls import OpenCall
from projections.transcript import TRANSCRIPT, Transcript, check_answer, final_answer
from projections.uploads import Upload
from tools.errors import ToolFailed
from tools.workspace import Workspace


def put(call: OpenCall, inquiry: Inquiry) -> HumanInputRequested:
    """The question that a call is."""
    expires_at = datetime.now(UTC) + timedelta(seconds=call.approval_timeout)
    return HumanInputRequested(call_id=call.id, expires_at=expires_at, **dict(inquiry))


@dataclass(frozen=True, slots=True)
class Answers:
    """What people answer, held against what they were asked."""

    views: Views
    workspace: Path

    async def completed(self, tell: Tell, event: AnyEvent, least: int) -> AnyEvent:
        """An answer as it is meant, and a review of a final answer with that answer; anything else as it is."""
        if isinstance(event, HumanInputProvided) and isinstance(tell.request, Answer):
            return await self._checked(tell, tell.request, event, least)
        if isinstance(event, HumanInputRequested):
            return await self._put_up(tell, event)
        return event

    async def _checked(
        self, step: InThread, request: Answer, answer: HumanInputProvided, least: int
    ) -> HumanInputProvided | RequestIgnored:
        """The answer as it is meant, or the record of one that is none; the question then stays open.

        `least` is the position up to which the stream was read when the answer was found to have a question.
        """
        found = await self.views.read(INQUIRIES, step.stream, lambda open_: open_.get(request.call_id), least=least)
        if found.value is None:
            return _ignored(request, f"no call {request.call_id!r} waits for an answer")
        try:
            understood = await self._understand(found.value, request.value)
        except WrongAnswer as error:
            return _ignored(request, str(error))
        if answer.step is not None and understood.verdict == "replace":
            problem = await self._misfit(step, understood.value)
            if problem is not None:
                return _ignored(request, problem)
        return _as_meant(answer, understood)

    async def _put_up(self, step: InThread, event: HumanInputRequested) -> HumanInputRequested:
        """The review of a final answer, with that answer."""
        found = await self.views.read(TRANSCRIPT, step.stream, final_answer)
        return event.model_copy(update={"subject": found.value})

    async def _misfit(self, step: InThread, text: str) -> str | None:
        """Why the text cannot stand in the place of the final answer; None where it can."""

        def see(transcript: Transcript) -> Any:
            return transcript.terms.result_schema if transcript.terms else None

        schema = (await self.views.read(TRANSCRIPT, step.stream, see)).value
        return None if schema is None else check_answer(text, schema)[1]

    async def _understand(self, inquiry: Inquiry, given: Any) -> Understood:
        if inquiry.action == "upload":
            given = await asyncio.to_thread(self._file, inquiry, given)
        return understand(inquiry, given)

    def _file(self, inquiry: Inquiry, given: Any) -> Upload:
        """The file that is handed in: its bytes as base64, or where it stands in the workspace."""
        match file_in(given):
            case ("path", said):
                return _read(Workspace(self.workspace), said["path"])
            case ("content", said):
                return _decoded(said)
            case _:
                raise WrongAnswer(f"this is no file; expected: {expectation(inquiry)}")


def _read(workspace: Workspace, path: str) -> Upload:
    try:
        with workspace.open_file(path) as file:
            data = file.read(MOST_BYTES + 1)
    except ToolFailed as error:
        raise WrongAnswer(str(error)) from error
    return Upload(PurePosixPath(path).name, data, path)


def _decoded(said: JsonObject) -> Upload:
    name = said.get("name")
    if not isinstance(name, str) or not PurePosixPath(name).name.strip():
        raise WrongAnswer("the file has no name: give it as 'name'")
    try:
        return Upload(PurePosixPath(name).name, base64.b64decode(said["content"], validate=True))
    except (binascii.Error, ValueError) as error:
        raise WrongAnswer(f"the content of {name} is not base64: {error}") from error


def _as_meant(answer: HumanInputProvided, understood: Understood) -> HumanInputProvided:
    return answer.model_copy(
        update={
            "value": understood.value,
            "content": understood.content,
            "verdict": understood.verdict,
            "comment": understood.comment or answer.comment,
        }
    )


def _ignored(request: Answer, problem: str) -> RequestIgnored:
    return RequestIgnored(request=request.request, by=request.by, problem=problem, call_id=request.call_id)
