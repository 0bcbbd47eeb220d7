"""What a person wants, as far as a few patterns can tell."""

import re
from collections.abc import Iterator

from stack.scripted.patterns import PATTERNS, Wish

_VERBS = (
    r"(?:list|show|ls|read|open|cat|what|which|tell|calculate|compute|evaluate|echo|repeat"
    r"|search|grep|look|find|write|save|put|think|ask)\b"
)
_JOINT = re.compile(
    rf"\s*;\s*|(?<=[\w)\"'`])[.?!]+\s+"
    rf"|,?\s+(?:and\s+then|and\s+also|and|then)\s+(?=(?:please\s+)?{_VERBS})|,\s+(?={_VERBS})",
    re.IGNORECASE,
)
"""Where one clause ends and the next begins."""
_POLITENESS = re.compile(
    r"^(?:(?:[-*]|\d+[.)])\s+)?(?:(?:please|now|then|also|can you|could you|would you)[,\s]+)*", re.IGNORECASE
)


def wishes_in(text: str) -> list[Wish]:
    """Every wish that is understood, in order."""
    found = (wish_of(clause) for line in text.splitlines() for clause in _clauses(line))
    return [wish for wish in found if wish is not None]


def wish_of(clause: str) -> Wish | None:
    """The wish in one clause."""
    return next((wish for pattern in PATTERNS if (wish := pattern.wish(clause))), None)


def _clauses(line: str) -> Iterator[str]:
    """The line cut into clauses; what a file shall say is not cut."""
    rest = _bare(line)
    while rest:
        joint = None if PATTERNS[0].words.search(rest) else _JOINT.search(rest)
        yield rest[: joint.start()] if joint else rest
        rest = _bare(rest[joint.end() :]) if joint else ""


def _bare(text: str) -> str:
    return _POLITENESS.sub("", text.strip(), count=1)
