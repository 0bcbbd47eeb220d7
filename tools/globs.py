"""File name patterns: `*` and `?` within one name, `**` for any folders between."""

import re
from collections.abc import Sequence
from fnmatch import translate


class Glob:
    """One pattern. Without a slash it is matched with the name alone, with one with the whole path."""

    def __init__(self, pattern: str) -> None:
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        parts = parts if "/" in pattern else ["**", *parts]
        self._parts = [None if part == "**" else re.compile(translate(part)) for part in parts]

    def matches(self, path: str) -> bool:
        """Whether a path, relative to where the pattern starts, fits."""
        reached = self._past_stars({0})
        for name in path.split("/"):
            reached = self._past_stars({after for at in reached for after in self._after(at, name)})
        return len(self._parts) in reached

    def _after(self, at: int, name: str) -> Sequence[int]:
        if at == len(self._parts):
            return ()
        part = self._parts[at]
        if part is None:
            return (at,)
        return (at + 1,) if part.match(name) else ()

    def _past_stars(self, reached: set[int]) -> set[int]:
        """The same places, and those behind a `**`, which may stand for nothing."""
        for at in sorted(reached):
            after = at
            while after < len(self._parts) and self._parts[after] is None:
                after += 1
                reached = reached | {after}
        return reached
