"""A script file: conversations written as JSON, for whoever wants to try an agent against a model that obeys.

The file is an object. Each key is the first message of a conversation, each value the list of the model's replies to
it, in order. A reply is an object with

- `text`, `thinking`, `tools` (a list of `{"name": …, "input": {…}}`, `id` if it matters) or `content` (blocks as the
  API sends them), and if wanted `stop_reason`, `pace` (seconds between pieces), `chunk` (characters of a piece) and
  `usage` (`{"output_tokens": 5000}`);

or with the way in which it goes wrong:

- `fault`: an HTTP status from 400 to 529, with `message`, `error_type`, `retry_after` if wanted;
- `broken`: the connection is cut after so many events of the stream;
- `error`: the stream tells of an error of this type (`overloaded_error`) after `after` events, with `message`;
- `stalled`: the stream is silent after so many events for `seconds`;
- `raw`: this text as the body, with `status`.

`broken`, `error` and `stalled` take what they interrupt as `reply`. Several objects in a list make one turn: all but
the last are played once, in order, then the last, as often as it is asked for.

    {"What is new?": [
        [{"fault": 429, "retry_after": 1}, {"text": "Let me look.", "tools": [{"name": "list_files", "input": {}}]}],
        {"text": "Nothing."}
    ]}

Conversations that are not in the file are answered by the default mind.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError, model_validator

from llm.messages import Block, JsonObject, text_block
from stack.scripted.answers import Answer, Broken, Fault, MidStreamError, Mind, Raw, Reply, Stalled, thought, tool_use
from stack.scripted.errors import BadScript
from stack.scripted.playbook import Playbook


class Entry(BaseModel):
    """One object of a script."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ScriptedCall(Entry):
    """A tool call."""

    name: str = Field(min_length=1)
    input: JsonObject = {}
    id: str | None = None


class ScriptedReply(Entry):
    """A whole message."""

    text: str = ""
    thinking: str = ""
    tools: list[ScriptedCall] = []
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    pace: float | None = Field(default=None, ge=0)
    chunk: int = Field(default=24, ge=1)
    usage: dict[str, int] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ScriptedReply":
        said = self.text or self.thinking or self.tools
        if self.content is None and not said:
            raise ValueError("says nothing: give text, thinking, tools, content, fault, broken, error, stalled or raw")
        if self.content is not None and said:
            raise ValueError("give either content or text, thinking and tools")
        if any("type" not in block for block in self.content or ()):
            raise ValueError("every block of content needs a type")
        return self

    def answer(self) -> Reply:
        """The reply this is."""
        return Reply(self._blocks(), self.stop_reason, self.stop_sequence, self.pace, self.chunk, self.usage)

    def _blocks(self) -> tuple[Block, ...]:
        if self.content is not None:
            return tuple(self.content)
        thoughts = [thought(self.thinking)] if self.thinking else []
        said = [text_block(self.text)] if self.text else []
        return (*thoughts, *said, *(tool_use(call.name, call.input, call.id) for call in self.tools))


SOMETHING = ScriptedReply(text="Something that is long enough to be sent in several pieces, so that it can go wrong.")


class ScriptedFault(Entry):
    """An HTTP error."""

    fault: int = Field(ge=400, le=599)
    message: str = ""
    error_type: str | None = None
    retry_after: float | None = Field(default=None, ge=0)

    def answer(self) -> Fault:
        """The fault this is."""
        return Fault(self.fault, self.message, self.error_type, self.retry_after)


class ScriptedBreak(Entry):
    """A connection that is cut."""

    broken: int = Field(ge=0)
    reply: ScriptedReply = SOMETHING

    def answer(self) -> Broken:
        """The break this is."""
        return Broken(self.broken, self.reply.answer())


class ScriptedError(Entry):
    """An error in the middle of a stream."""

    error: str
    after: int = Field(default=3, ge=0)
    message: str = "Overloaded"
    reply: ScriptedReply = SOMETHING

    def answer(self) -> MidStreamError:
        """The error this is."""
        return MidStreamError(self.after, self.error, self.message, self.reply.answer())


class ScriptedStall(Entry):
    """A stream that falls silent."""

    stalled: int = Field(ge=0)
    seconds: float = Field(ge=0)
    reply: ScriptedReply = SOMETHING

    def answer(self) -> Stalled:
        """The stall this is."""
        return Stalled(self.stalled, self.seconds, self.reply.answer())


class ScriptedRaw(Entry):
    """Any bytes."""

    raw: str
    status: int = Field(default=200, ge=200, le=599)

    def answer(self) -> Raw:
        """The bytes these are."""
        return Raw(self.raw.encode(), self.status)


def _kind(value: Any) -> str:
    kinds = ("fault", "broken", "error", "stalled", "raw")
    return next((f"({kind})" for kind in kinds if isinstance(value, dict) and kind in value), "(reply)")


AnyEntry: TypeAlias = Annotated[
    Annotated[ScriptedReply, Tag("(reply)")]
    | Annotated[ScriptedFault, Tag("(fault)")]
    | Annotated[ScriptedBreak, Tag("(broken)")]
    | Annotated[ScriptedError, Tag("(error)")]
    | Annotated[ScriptedStall, Tag("(stalled)")]
    | Annotated[ScriptedRaw, Tag("(raw)")],
    Discriminator(_kind),
]
Turn: TypeAlias = Annotated[
    Annotated[AnyEntry, Tag("(one)")] | Annotated[Annotated[list[AnyEntry], Field(min_length=1)], Tag("(several)")],
    Discriminator(lambda value: "(several)" if isinstance(value, list) else "(one)"),
]
_SCRIPT: TypeAdapter[Mapping[str, Sequence[Any]]] = TypeAdapter(dict[str, list[Turn]])


def load_script(path: Path, otherwise: Mind | None = None) -> Playbook:
    """The playbook in this file. Raises `BadScript` that names every mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadScript(f"the script {path} cannot be read: {error}") from error
    return Playbook(parse_script(text, str(path)), otherwise)


def parse_script(text: str, source: str = "the script") -> Mapping[str, Sequence[Answer | Sequence[Answer]]]:
    """The conversations in this text."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadScript(f"{source} is not JSON: {error}") from error
    try:
        script = _SCRIPT.validate_python(value)
    except ValidationError as error:
        raise BadScript(f"{source} does not say what it should:\n{_mistakes(error)}") from error
    return {opening: [_answers(turn) for turn in turns] for opening, turns in script.items()}


def _answers(turn: Any) -> Answer | Sequence[Answer]:
    if isinstance(turn, list):
        return [entry.answer() for entry in turn]
    answer: Answer = turn.answer()
    return answer


def _mistakes(error: ValidationError) -> str:
    return "\n".join(f"- {_where(mistake['loc'])}: {mistake['msg']}" for mistake in error.errors(include_url=False))


def _where(location: tuple[int | str, ...]) -> str:
    """The place as it is counted in the file: replies from 1, and without the names of our own alternatives."""
    if not location:
        return "the file"
    opening, *rest = location
    shown = [f"reply {part + 1}" if isinstance(part, int) else part for part in rest if not str(part).startswith("(")]
    return ", ".join([repr(opening), *shown])
