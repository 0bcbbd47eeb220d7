"""Names and texts held against patterns, in time linear in their length, however a pattern is written."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import re2

from policy.truth import Truth

LONGEST = 1_000
"""Characters of one pattern."""


def compiled(expression: str) -> Any:
    """A regular expression in RE2's syntax; `ValueError` that says what is wrong with it. `.` is any character."""
    if len(expression) > LONGEST:
        raise ValueError(f"a pattern has at most {LONGEST} characters")
    try:
        return re2.compile(expression, _options())
    except (re2.error, UnicodeEncodeError) as error:
        told = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error
        raise ValueError(f"no regular expression that RE2 knows: {told}") from error


def fits(expression: Any, text: str) -> Truth:
    """Whether all of the text is what the expression says; None for text that is no Unicode."""
    try:
        return expression.fullmatch(text) is not None
    except UnicodeEncodeError:
        return None


class Globs:
    """Patterns of names: `*` is any characters, `?` is one, everything else is itself. Case counts."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._names = frozenset(pattern for pattern in patterns if not _is_wild(pattern))
        self._beginnings = tuple(pattern[:-1] for pattern in patterns if _is_beginning(pattern))
        self._endings = tuple(pattern[1:] for pattern in patterns if _is_ending(pattern))
        wild = [each for each in patterns if _is_wild(each) and not (_is_beginning(each) or _is_ending(each))]
        self._wild = _alternatives(tuple(map(_expression, wild))) if wild else None

    def match(self, name: str | None) -> Truth:
        """Whether one of the patterns fits; None where there is no name."""
        if name is None:
            return None
        if name in self._names or name.startswith(self._beginnings) or name.endswith(self._endings):
            return True
        return False if self._wild is None else fits(self._wild, name)


def shown(value: Any, longest: int = 60) -> str:
    """A value in a few characters, for people."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _is_wild(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _is_beginning(pattern: str) -> bool:
    """Most patterns are of this kind or the next, and need no regular expression."""
    return pattern.endswith("*") and not _is_wild(pattern[:-1])


def _is_ending(pattern: str) -> bool:
    return pattern.startswith("*") and not _is_wild(pattern[1:])


def _expression(pattern: str) -> str:
    named = {"*": ".*", "?": "."}
    return "".join(named.get(character) or re2.escape(character) for character in pattern)


@lru_cache(maxsize=1024)
def _alternatives(expressions: tuple[str, ...]) -> Any:
    return re2.compile("|".join(f"(?:{each})" for each in expressions), _options())


def _options() -> Any:
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    options.never_capture = True  # where the groups are would take ten times as long to tell
    return options
