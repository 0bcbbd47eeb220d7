"""An environment in which nothing is set."""

import os
from pathlib import Path

import pytest

from settings import CONFIG, Settings, variable_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no variable that Perdure knows."""
    for name in {CONFIG, *map(variable_of, Settings.model_fields)} & os.environ.keys():
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
