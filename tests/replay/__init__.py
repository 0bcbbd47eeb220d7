"""Histories recorded by released versions, replayed by the code of today: no change may strand a running thread."""

from pathlib import Path

from activities.journal import CODE_VERSION

HERE = Path(__file__).parent
CORPUS = HERE / CODE_VERSION
