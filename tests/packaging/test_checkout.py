"""The files around the code say what the code says."""

import re
import subprocess
from pathlib import Path

import pytest

from settings import CONFIG, Settings, variable_of
from tests.packaging.checkout import ROOT, interpolated, pyproject, text

READ_ELSEWHERE = {CONFIG, "PERDURE_CACHE", "PERDURE_DEBUG", "OTEL_EXPORTER_OTLP_ENDPOINT"}
"""Variables that are no settings: the configuration file's name, two that are needed before settings are read, and
OpenTelemetry's own."""
EXAMPLE = re.compile(r"^# ([A-Z_]+)=(.*)$", re.MULTILINE)


def test_the_example_names_every_variable_and_no_other() -> None:
    """`.env.example` is complete, and nothing in it would be set in vain."""
    settings = {variable_of(field) for field in Settings.model_fields}
    assert {name for name, _ in EXAMPLE.findall(text(".env.example"))} == settings | READ_ELSEWHERE | interpolated()


def test_the_example_sets_nothing() -> None:
    """Copied as it is, `.env.example` changes nothing."""
    assert [line for line in text(".env.example").splitlines() if line and not line.startswith("#")] == []


def test_the_example_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every `#` taken away it is a file that can be read."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable_of(field), raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(EXAMPLE.sub(r"\1=\2", text(".env.example")), encoding="utf-8")
    assert Settings.load().temporal_address == "localhost:7233"


def test_every_module_is_installed() -> None:
    """What lies at the top level can be imported from anywhere."""
    setuptools = pyproject()["tool"]["setuptools"]
    modules = {path.stem for path in ROOT.glob("*.py")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "examples", "bench"}
    assert modules == set(setuptools["py-modules"])
    assert packages == {name.rstrip("*") for name in setuptools["packages"]["find"]["include"]}


def test_make_lists_its_targets() -> None:
    """`make` alone prints every target with what it does."""
    shown = subprocess.run(["make", "--directory", ROOT], capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", text("Makefile"), re.MULTILINE)
    assert phony
    for target in phony[1].split():
        assert re.search(rf"^  make {target} +\S", shown, re.MULTILINE)
