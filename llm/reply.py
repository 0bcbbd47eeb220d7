"""A reply as it streams in: raw events are added up as JSON objects, so that nothing the provider sent is lost.

What is not known is kept. An unknown block stays as it began; an unknown delta is merged into its block key by key
(text is appended, lists are joined, the rest is replaced); an unknown event is passed over, as the protocol asks.
A reply that is not whole is no reply: then `ModelUnavailable` is raised, mostly of kind `broken_stream`.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import jiter

from llm.errors import ModelUnavailable
from llm.messages import Block, JsonObject, ModelReply, TokenUsage

_CUT_SHORT = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})
"""Stop reasons that end a reply wherever it is, also in the middle of a tool's input."""
_USAGE = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}


def broken(problem: str, *, kind: str = "broken_stream") -> NoReturn:
    """Refuse half a reply."""
    raise ModelUnavailable(kind, f"the model's reply is not whole: {problem}")


class _BlockInProgress:
    """One content block and the pieces of it that have arrived."""

    def __init__(self, begun: Block) -> None:
        self._block = dict(begun)
        self._texts: dict[str, list[str]] = {}
        self._input: list[str] = []

    def add(self, delta: JsonObject) -> int:
        """Merge a delta; the number of characters it brought."""
        match delta.get("type"):
            case "input_json_delta":
                self._input.append(_text(delta, "partial_json"))
                return len(self._input[-1])
            case "citations_delta":
                self._block["citations"] = [*(self._block.get("citations") or []), delta.get("citation")]
                return 0
            case "signature_delta":
                self._block["signature"] = _text(delta, "signature")
                return 0
            case _:
                return sum(self._merge(key, value) for key, value in delta.items() if key != "type")

    def _merge(self, key: str, value: Any) -> int:
        old = self._block.get(key)
        match value:
            case str() if old is None or isinstance(old, str):
                self._texts.setdefault(key, [old or ""]).append(value)
                self._block.setdefault(key, "")
                return len(value)
            case list() if isinstance(old, list):
                self._block[key] = [*old, *value]
            case _:
                self._block[key] = value
        return 0

    def whole(self, stop_reason: str) -> Block:
        """The block as it is when nothing more comes."""
        texts = {key: _joined(pieces) for key, pieces in self._texts.items()}
        block = {**self._block, **texts}
        written = _joined(self._input)
        if written.strip():
            block["input"] = _parsed(written, cut_short=stop_reason in _CUT_SHORT)
        return checked(block)


class ReplyInProgress:
    """Adds up the events of one streamed reply."""

    def __init__(self) -> None:
        self._message: JsonObject | None = None
        self._blocks: dict[int, _BlockInProgress] = {}
        self._stop_reason: str | None = None
        self._usage: JsonObject = {}
        self._stopped = False
        self.characters = 0
        """How many characters of content have arrived."""

    def add(self, event: JsonObject) -> None:
        """Take the next event of the stream."""
        match event.get("type"):
            case "message_start":
                self._begin(_object(event, "message"))
            case "content_block_start":
                self._begin_block(_index(event), _object(event, "content_block"))
            case "content_block_delta":
                self.characters += self._begun_block(_index(event)).add(_object(event, "delta"))
            case "message_delta":
                self._end(_object(event, "delta"), event.get("usage"))
            case "message_stop":
                self._stopped = True
            case _:
                pass

    def whole(self, request_id: str | None) -> ModelReply:
        """The reply, once the stream has ended."""
        if self._message is None or not self._stopped:
            broken("the stream ended before message_stop")
        if self._stop_reason is None:
            broken("it has no stop_reason")
        content = [self._blocks[index].whole(self._stop_reason) for index in sorted(self._blocks)]
        return _reply(self._message, content, self._stop_reason, self._usage, request_id)

    def _begin(self, message: JsonObject) -> None:
        if self._message is not None:
            broken("it began twice")
        self._message = message
        self._count(message.get("usage"))
        for index, block in enumerate(message.get("content") or []):
            self._begin_block(index, block)

    def _begin_block(self, index: int, block: Block) -> None:
        if self._message is None or index in self._blocks:
            broken(f"content block {index} began out of turn")
        self._blocks[index] = _BlockInProgress(block)

    def _begun_block(self, index: int) -> _BlockInProgress:
        if index not in self._blocks:
            broken(f"content block {index} went on before it began")
        return self._blocks[index]

    def _end(self, delta: JsonObject, usage: object) -> None:
        reason = delta.get("stop_reason")
        self._stop_reason = reason if isinstance(reason, str) else self._stop_reason
        self._count(usage)

    def _count(self, usage: object) -> None:
        """Counts are running totals: a later one replaces an earlier one, and one that is left out stays."""
        if isinstance(usage, Mapping):
            self._usage |= {key: value for key, value in usage.items() if value is not None}


def reply_of(message: Any, request_id: str | None) -> ModelReply:
    """The reply in a message that came whole, from a server that does not stream."""
    match message:
        case {"content": list(content), "stop_reason": str(stop_reason)}:
            blocks = [
                checked(block) if isinstance(block, dict) else broken("a block is no object") for block in content
            ]
            return _reply(message, blocks, stop_reason, message.get("usage"), request_id)
    broken("the server sent JSON that is no message", kind="unexpected_response")


def checked(block: Block) -> Block:
    """The block, if it can be answered: a tool call without id, name or arguments cannot."""
    _check_writable(block)
    match block:
        case {"type": "tool_use", "id": str(), "name": str(), "input": dict()}:
            return block
        case {"type": "tool_use"}:
            broken("a tool call lacks its id, its name or its arguments")
        case {"type": str()}:
            return block
    broken("a content block has no type")


def _check_writable(block: Block) -> None:
    """What came must be sent back with the next request: 1e400 is read as infinity, which no JSON can say."""
    try:
        json.dumps(block, allow_nan=False)
    except (ValueError, RecursionError) as error:
        broken(f"a content block cannot be written as JSON again: {error}")


def _reply(
    message: JsonObject, content: list[Block], stop_reason: str, usage: object, request_id: str | None
) -> ModelReply:
    counts = usage if isinstance(usage, Mapping) else {}
    return ModelReply(
        message_id=str(message.get("id") or ""),
        model=str(message.get("model") or ""),
        content=tuple(content),
        stop_reason=stop_reason,
        usage=TokenUsage(**{ours: _number(counts.get(theirs)) for ours, theirs in _USAGE.items()}),
        request_id=request_id,
    )


def _parsed(written: str, *, cut_short: bool) -> Any:
    """A tool's input; of one that was cut short, what can be read of it."""
    try:
        value = json.loads(written, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return _readable(written) if cut_short else broken(f"a tool's input is no JSON: {error}")
    return {} if cut_short and not isinstance(value, dict) else value


def _readable(written: str) -> JsonObject:
    try:
        value = jiter.from_json(written.encode(errors="replace"), partial_mode="trailing-strings", allow_inf_nan=False)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _joined(pieces: list[str]) -> str:
    """The pieces as one text; the two halves of a character that was cut between them are one again."""
    text = "".join(pieces)
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _object(event: JsonObject, key: str) -> JsonObject:
    value = event.get(key)
    return value if isinstance(value, dict) else broken(f"a {event.get('type')} event has no {key}")


def _index(event: JsonObject) -> int:
    value = event.get("index")
    return value if isinstance(value, int) else broken(f"a {event.get('type')} event has no index")


def _text(delta: JsonObject, key: str) -> str:
    value = delta.get(key)
    return value if isinstance(value, str) else broken(f"a {delta.get('type')} has no {key}")


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
