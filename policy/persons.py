"""Names of people: when two are one person's, and whether a name is among those that patterns mean.

Names are as people give them, so they are compared without case, without doubled spaces and without characters that
cannot be seen. `*` in a pattern is any characters, `?` is one.
"""

import unicodedata
from collections.abc import Iterable

NOBODY = frozenset({"", "anonymous", "unknown"})
"""Names that say of nobody who they are."""


def person(name: str) -> str:
    """The name as it is compared: two names with the same are one person's."""
    seen = "".join(each for each in unicodedata.normalize("NFKC", name) if unicodedata.category(each) != "Cf")
    return " ".join(seen.casefold().split())


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
