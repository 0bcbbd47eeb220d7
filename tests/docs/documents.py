"""The documents, and what stands in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.packaging.checkout import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    """A block of code."""

    document: Path
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}-{self.number}"


def snippets(*languages: str) -> list[Snippet]:
    """Every block in one of these languages."""
    return [each for document in DOCUMENTS for each in _snippets(document) if each.language in languages]


def _snippets(document: Path) -> Iterator[Snippet]:
    for number, (language, text) in enumerate(_FENCE.findall(document.read_text(encoding="utf-8")), 1):
        yield Snippet(document, number, language, text)


def commands(program: str) -> list[str]:
    """Every command line of this program that a document shows."""
    lines = [line for snippet in snippets("sh", "console") for line in _joined(snippet.text)]
    found = (re.search(rf"(?:^|[$(]\s?|^\w+=\S+ .*?)({program} [^|)]*)", line) for line in lines)
    return [match[1].split("  #")[0].split(" > ")[0].strip() for match in found if match]


def _joined(text: str) -> list[str]:
    return text.replace("\\\n", " ").splitlines()


def rows(text: str) -> list[list[str]]:
    """The cells of every row of every table in the text."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def section(document: str, heading: str) -> str:
    """What stands under a heading, up to the next of its level or above."""
    text = (ROOT / document).read_text(encoding="utf-8")
    level = len(heading) - len(heading.lstrip("#"))
    start = text.index(f"\n{heading}\n")
    found = re.split(rf"^#{{1,{level}}} ", text[start + len(heading) + 2 :], maxsplit=1, flags=re.MULTILINE)
    return found[0]


def anchors(document: Path) -> set[str]:
    """What a link may name after `#`: every heading, as GitHub spells it."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", document.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def words_in_code(text: str) -> set[str]:
    """Everything that stands between backticks, but for blocks of code."""
    return set(re.findall(r"`([^`\n]+)`", _FENCE.sub("", text)))
