"""Every decision the specification asks for is recorded."""

import re
from datetime import date

import pytest

from tests.packaging.checkout import text

SECTIONS = {
    1: 4,
    2: 5,
    3: 3,
    4: 4,
    5: 3,
    6: 2,
    7: 4,
    8: 3,
    9: 4,
    10: 3,
    11: 4,
    12: 4,
    13: 2,
    14: 1,
    15: 4,
    16: 2,
    17: 2,
}
"""How many questions each section of the specification has."""
NUMBERS = [f"{section}.{number}" for section, count in SECTIONS.items() for number in range(1, count + 1)]
FIELDS = ["Decision", "Date", "Rationale", "Alternatives considered", "Trade-offs", "Owner", "Status"]
STATUSES = {"Proposed", "Approved", "Implemented", "Deprecated"}


def _decisions() -> dict[str, dict[str, str]]:
    parts = re.split(r"^### (\d+\.\d+) .+$", text("docs/decisions.md"), flags=re.MULTILINE)
    fields = (dict(re.findall(r"^- \*\*(.+?):\*\* (.+)$", body, re.MULTILINE)) for body in parts[2::2])
    return dict(zip(parts[1::2], fields, strict=True))


def test_every_question_is_answered() -> None:
    """All 54 numbers stand there, once and in order."""
    assert len(NUMBERS) == 54
    assert re.findall(r"^### (\d+\.\d+) ", text("docs/decisions.md"), re.MULTILINE) == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_a_decision_has_seven_fields(number: str) -> None:
    """Each has all seven fields, none of them empty, a date that is one and a status that is one."""
    decision = _decisions()[number]
    assert list(decision) == FIELDS
    assert all(value.strip() for value in decision.values())
    assert date.fromisoformat(decision["Date"])
    assert decision["Status"] in STATUSES
