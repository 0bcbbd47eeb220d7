"""The limits in docs/resilience.md are limits, and its tables name every key and every default there is."""

from pathlib import Path

import pytest

from projections.loops import LOOPS
from resilience.limits import CircuitWords, Limit, LimitsFile, read_limits
from resilience.store import USUAL
from settings import Settings
from tests.docs.documents import section, snippets, words_in_code
from tests.packaging.checkout import text

[WRITTEN] = [each.text for each in snippets("yaml") if each.document.name == "resilience.md"]
DOCUMENT = "docs/resilience.md"


@pytest.fixture
def limits(tmp_path: Path) -> LimitsFile:
    """The file of the document."""
    file = tmp_path / "limits.yaml"
    file.write_text(WRITTEN, encoding="utf-8")
    return read_limits(file)


def test_the_file_can_be_read(limits: LimitsFile) -> None:
    """With every limit that stands in it."""
    assert len(limits.limits) == WRITTEN.count("- {id:")
    assert limits.circuits.terms() == USUAL


def test_every_key_is_explained() -> None:
    """Of a limit and of circuits."""
    explained = set(words_in_code(text(DOCUMENT)))
    assert set(Limit.model_fields) | set(CircuitWords.model_fields) <= explained


def test_the_numbers_are_those_of_the_code() -> None:
    """What is done after how many rounds, and when a circuit opens."""
    assert Settings.model_fields["loops"].default == (LOOPS.tell, LOOPS.ask, LOOPS.end)
    circles = section(DOCUMENT, "## Circles")
    for number in (LOOPS.tell, LOOPS.ask, LOOPS.end):
        assert f"| {number} |" in circles
    circuits = section(DOCUMENT, "## Circuits")
    for name in CircuitWords.model_fields:
        assert f"`{name}` ({getattr(USUAL, name):g}" in circuits
