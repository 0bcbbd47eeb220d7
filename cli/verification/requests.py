"""Requests to the model, rendered again from the log and held against the hashes of what was sent.

To write every request of a long thread down whole would take time that grows with the square of its length. A request
begins as the one before it did, so that only its end is rendered and written, and the hash is continued from there.
That may only ever save time: a request whose hash does not fit is written down whole before it is found wrong, and so
is the last one of every thread, which shows all that the others showed.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from eventlog.canonical import digest_of
from eventlog.events import LLMCallRequested
from eventlog.log import Recorded
from eventlog.terms import ToolTerms
from llm.messages import ModelRequest, ToolSpec
from projections.conversation import Reply
from projections.invariants.invariant import Breach
from projections.transcript import TRANSCRIPT, Transcript, render

RULE = "RequestsRenderAgain"
OTHER_TOOLS = "requests with other tools than this process has: set PERDURE_PLUGINS as the worker had it"
OTHER_VERSION = "requests rendered by another version of the transcript"

_MESSAGES = b'"messages":['
_MARK = b'"cache_control"'
_MARKED = 2
"""So many of the newest user messages may bear a mark for the provider's cache, which moves on with each request."""
_TRIED = 8
"""So many replies are looked at for a place from which to go on; the second or third nearly always is one."""


class Encoder(Protocol):
    """What of a model is needed to write its requests down."""

    def encode(self, request: ModelRequest) -> bytes:
        """The bytes that would be sent."""
        ...


class Shelf(Protocol):
    """What of the tools is needed."""

    def specs(self, tools: Sequence[ToolTerms]) -> tuple[ToolSpec, ...]:
        """The tools as the model sees them."""
        ...


@dataclass(slots=True)
class Rendered:
    """What came of it."""

    breaches: list[Breach] = field(default_factory=list)
    unchecked: Counter[str] = field(default_factory=Counter)
    """How many requests could not be rendered here, and why."""


class Requests:
    """Renders the requests of threads, by what this process knows of tools and model."""

    def __init__(self, model: Encoder, tools: Shelf) -> None:
        self._model = model
        self._tools = tools

    def check(self, events: Sequence[Recorded]) -> Rendered:
        """Render every request of a thread whose stream holds together; it is read once."""
        rendered, transcript, coming = Rendered(), TRANSCRIPT.initial(), iter(events)
        calls, writing = sorted(_calls(events), key=lambda each: each[1].at), Writing(self._model)
        for number, (position, call) in enumerate(calls, 1):
            while transcript.position < call.at:
                transcript = TRANSCRIPT.evolve(transcript, next(coming))
            whole = number == len(calls)
            self._check(transcript, position, call, rendered, None if whole else writing)
        return rendered

    def _check(
        self,
        transcript: Transcript,
        position: int,
        call: LLMCallRequested,
        rendered: Rendered,
        writing: "Writing | None",
    ) -> None:
        """Hold one request against its hash; with `writing`, only what is new of it is written first."""
        specs = self._tools.specs(transcript.terms.tools if transcript.terms else ())
        if (call.projection, call.projection_version) != (TRANSCRIPT.name, TRANSCRIPT.version):
            rendered.unchecked[OTHER_VERSION] += 1
        elif call.tools_digest != digest_of([spec.model_dump() for spec in specs]):
            rendered.unchecked[OTHER_TOOLS] += 1
        elif writing is None or writing.sha256(transcript, specs) != call.request_sha256:
            body = self._model.encode(render(transcript, specs))
            if hashlib.sha256(body).hexdigest() != call.request_sha256:
                rendered.breaches.append(Breach(RULE, position, _differs(call, len(body))))


class Writing:
    """Writes the requests of one thread, one after another, each from where it differs from the one before it."""

    def __init__(self, model: Encoder) -> None:
        self._model = model
        self._settled = 0
        """So many entries of the transcript are in the hash for good."""
        self._hash = hashlib.sha256()
        """Of the body up to and including those entries."""

    def sha256(self, transcript: Transcript, specs: Sequence[ToolSpec]) -> str:
        """The hash of the request; of something else where it does not begin as the one before it did."""
        head, rest = self._written(render(transcript, specs, self._settled))
        if not self._settled:
            self._hash = hashlib.sha256(head)
        hashed = self._hash.copy()
        hashed.update(rest)
        self._settle(transcript, specs, rest)
        return hashed.hexdigest()

    def _written(self, request: ModelRequest) -> tuple[bytes, bytes]:
        """The body up to where its messages begin, and from there on."""
        before, begin, after = self._model.encode(request).partition(_MESSAGES)
        return before + begin, after

    def _settle(self, transcript: Transcript, specs: Sequence[ToolSpec], rest: bytes) -> None:
        """Take into the hash what changes no more: all before the newest reply with which the rest can begin."""
        for entry in _newest_replies(transcript, self._settled):
            later = render(transcript, specs, entry)
            if sum(message.role == "user" for message in later.messages) < _MARKED:
                continue
            settled = rest.removesuffix(self._written(later)[1])
            if len(settled) < len(rest) and _MARK not in settled:
                self._hash.update(settled)
                self._settled = entry
                return


def _newest_replies(transcript: Transcript, after: int) -> Iterator[int]:
    """Where the newest replies stand among the entries: what comes before a reply stays what it is."""
    newest = range(len(transcript.entries) - 1, after, -1)
    return islice((index for index in newest if isinstance(transcript.entries[index], Reply)), _TRIED)


def _differs(call: LLMCallRequested, now: int) -> str:
    sizes = f"{now:,} bytes now, {call.request_bytes:,} then"
    return (
        f"model call {call.step} would no longer be sent as it was ({sizes}): by this version, or this provider, "
        "or what it was shown has been changed"
    )


def _calls(events: Sequence[Recorded]) -> list[tuple[int, LLMCallRequested]]:
    return [(each.position, each.event) for each in events if isinstance(each.event, LLMCallRequested)]
