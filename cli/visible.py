"""Words of models and tools, made safe to print: a terminal must show them, never obey them."""

import unicodedata

_KEPT = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs"})
"""Control characters, invisible formatting (right-to-left overrides among it) and lone surrogates."""
_JOINERS = frozenset("\u200c\u200d")
"""Invisible, but part of how words and emoji are written."""


def visible(text: str) -> str:
    """`text` with every character that could move the cursor or reorder the line shown as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def one_line(text: str, longest: int = 120) -> str:
    """The same in one line of at most `longest` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _shown(character: str) -> str:
    if character in _KEPT or character in _JOINERS or unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode("ascii")
