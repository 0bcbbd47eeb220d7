"""Names of people: when two are one person's, and whether a name is among those that patterns mean.

Names are as people give them, so they are compared without case, without doubled spaces and without characters that
cannot be seen. `*` in a pattern is any characters, `?` is one.
"""

import unicodedata
from collections.abc import Iterable

NOBODY = frozenset({"", "anonymous", "unknown"})
"""Names that say of nobody who they are."""

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
"""Letters, marks and signs without a shape of their own: fillers, joiners and variation selectors."""


def person(name: str) -> str:
    """The name as it is compared: two names with the same are one person's."""
    once = _visible(unicodedata.normalize("NFKC", name)).casefold()
    return " ".join(unicodedata.normalize("NFKC", once).split())


def _visible(name: str) -> str:
    """The name without what cannot be seen in it; spaces stay."""
    return "".join(each for each in name if each.isspace() or not _is_invisible(each))


def _is_invisible(char: str) -> bool:
    return char in _INVISIBLE or unicodedata.category(char) in {"Cf", "Cc"}


def is_named(name: str) -> bool:
    """Whether the name says who somebody is."""
    return person(name) not in NOBODY


def fits(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns means this person."""
    given = person(name)
    return any(_fits(person(pattern), given) for pattern in patterns)


def _fits(pattern: str, text: str) -> bool:
    """In time that grows with the product of both lengths, however a pattern is written."""
    at, star, kept, held = 0, -1, 0, 0
    while held < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, kept, at = at, held, at + 1
        elif at < len(pattern) and pattern[at] in ("?", text[held]):
            at, held = at + 1, held + 1
        elif star >= 0:
            kept, at = kept + 1, star + 1
            held = kept
        else:
            return False
    return pattern[at:].strip("*") == ""
