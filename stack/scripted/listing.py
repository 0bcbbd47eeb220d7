"""What `list_files` answered, read back: which files there are."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath

_FILE = re.compile(r"^(?P<name>.+) \((?P<size>[\d,]+) bytes\)$")
_NOTICE = re.compile(r"^(?:…\s*)?\[.*\]$")

_TELLING = (
    "readme",
    "pyproject.toml",
    "package.json",
    "cargo.toml",
    "go.mod",
    "makefile",
    "dockerfile",
    "changelog",
    "license",
)
"""Names of files that say what a folder is about, the best first."""
_TEXT = frozenset(
    {
        ".md",
        ".rst",
        ".txt",
        ".toml",
        ".py",
        ".js",
        ".ts",
        ".go",
        ".rs",
        ".java",
        ".c",
        ".h",
        ".sh",
        ".sql",
        ".yaml",
        ".yml",
        ".json",
        ".ini",
        ".cfg",
        ".csv",
        ".html",
        ".css",
        ".ex",
        ".rb",
    }
)
LARGEST_READ = 2_000_000
"""Bytes of a file that is worth opening."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of the listing."""

    name: str
    size: int

    @property
    def extension(self) -> str:
        """`.py`, or a name for files that have none."""
        return PurePosixPath(self.name).suffix.lower() or "no extension"

    @property
    def rank(self) -> tuple[int, int, int, str]:
        """The lower, the sooner it is read: telling names first, then text, near the top."""
        base = PurePosixPath(self.name).name.lower()
        telling = next((place for place, name in enumerate(_TELLING) if base.startswith(name)), len(_TELLING))
        return (self.name.count("/"), telling, self.extension not in _TEXT, self.name)


@dataclass(frozen=True, slots=True)
class Listing:
    """All that was listed."""

    files: tuple[File, ...]
    folders: int
    whole: bool
    """Whether there is no more than this."""

    @classmethod
    def read(cls, text: str) -> "Listing":
        """Read the tool's answer; lines that are neither file nor folder are passed over."""
        lines = text.splitlines()
        found = [_FILE.match(line) for line in lines]
        files = tuple(File(match["name"], int(match["size"].replace(",", ""))) for match in found if match)
        return cls(files, sum(line.endswith("/") for line in lines), not any(_NOTICE.match(line) for line in lines))

    def without(self, name: str) -> "Listing":
        """The same, but for one file."""
        return Listing(tuple(file for file in self.files if file.name != name), self.folders, self.whole)

    def worth_reading(self, most: int) -> list[str]:
        """The files that say most about the folder."""
        candidates = [
            file
            for file in self.files
            if 0 < file.size <= LARGEST_READ
            and "\\" not in file.name
            and (file.extension in _TEXT or _is_telling(file))
        ]
        return [file.name for file in sorted(candidates, key=lambda file: file.rank)[:most]]

    def by_extension(self) -> list[tuple[str, int, int]]:
        """Extension, number of files and bytes, the most files first."""
        counts = Counter(file.extension for file in self.files)
        sizes: Counter[str] = Counter()
        for file in self.files:
            sizes[file.extension] += file.size
        return sorted(((name, count, sizes[name]) for name, count in counts.items()), key=lambda row: (-row[1], row[0]))


def _is_telling(file: File) -> bool:
    return PurePosixPath(file.name).name.lower().startswith(_TELLING)
