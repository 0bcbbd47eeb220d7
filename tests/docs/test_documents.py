"""The documents hold what they promise."""

import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from cli import answers
from cli.exits import ExitCode
from client import build
from settings import CONFIG, Settings, variable_of
from tests.docs.documents import DOCUMENTS, Snippet, anchors, commands, rows, section, snippets, words_in_code
from tests.docs.settings_table import table, written
from tests.packaging.checkout import ROOT, pyproject, text
from tools.context import ToolContext
from tools.tool import tool

OBEYED = {CONFIG, "PERDURE_CACHE", "PERDURE_DEBUG"}
"""Variables that are no settings."""
SECRET = "PERDURE_SECRET_"
"""A secret's variable begins so."""
GROUP = typer.main.get_command(build())


def _names() -> set[str]:
    return set(GROUP.commands)  # type: ignore[attr-defined]


def test_the_first_screen_shows_the_two_commands() -> None:
    """Whoever opens the README sees what it is, a worker killed and both commands without scrolling far."""
    screen = "\n".join(text("README.md").splitlines()[:35])
    assert pyproject()["project"]["description"].split(":")[0] in screen
    for promised in ("make demo", "make test", "kill -9", "temporal workflow signal"):
        assert promised in screen


def test_the_settings_are_listed() -> None:
    """The README's table is the one the settings make: `python -m tests.docs.settings_table` brings it up to date."""
    assert written() == table()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_variables_exist(document: Path) -> None:
    """No document names a variable of ours that does not exist."""
    known = {variable_of(name) for name in Settings.model_fields} | OBEYED
    named = set(re.findall(r"PERDURE_[A-Z_]+\b", document.read_text(encoding="utf-8"))) - {"PERDURE_REPORT"}
    assert {name for name in named if not name.startswith(SECRET)} <= known


def test_the_commands_are_listed() -> None:
    """The README's table names every command there is, and no other."""
    listed = {
        code.split()[1]
        for cells in rows(section("README.md", "## Try it"))
        for code in words_in_code(cells[0])
        if code.startswith("perdure ")
    }
    assert listed == _names()


@pytest.mark.parametrize("line", commands("perdure"))
def test_commands_can_be_typed(line: str) -> None:
    """Every `perdure` command line in a document is one that the program takes."""
    name, *rest = shlex.split(line)[1:]
    assert name in _names()
    command = GROUP.commands[name]  # type: ignore[attr-defined]
    with command.make_context(name, rest):
        pass


def test_the_targets_exist() -> None:
    """Every `make` command in a document is a target of the Makefile."""
    named = {target for line in commands("make") for target in [line.split()[1]]}
    assert named <= set(re.findall(r"^([\w-]+):", text("Makefile"), re.MULTILINE))


def test_the_exit_codes_are_documented() -> None:
    """Every exit code stands in docs/cli.md with its name and its meaning, and no other does."""
    listed = rows(section("docs/cli.md", "## Exit codes"))
    assert listed[1:] == [[str(code.value), f"`{code.name}`", code.meaning] for code in ExitCode]


@pytest.mark.parametrize(
    "kind",
    [
        answers.ThreadReport,
        answers.PendingQuestion,
        answers.RequestReport,
        answers.ThreadLine,
        answers.PromptReport,
    ],
)
def test_the_keys_are_documented(kind: type) -> None:
    """Every key of an answer stands in docs/cli.md, and no other does."""
    cells = [cells[0] for cells in rows(section("docs/cli.md", f"### {kind.__name__}"))[1:]]
    listed = [key for cell in cells for key in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == sorted(field.name for field in fields(kind))


def test_every_answer_is_documented() -> None:
    """Each command stands in docs/cli.md with what it answers under `--json`."""
    cells = [cells[0] for cells in rows(section("docs/cli.md", "## Keys under `--json`"))]
    assert _names() <= {word.split()[0] for cell in cells for word in words_in_code(cell)}


def test_the_kinds_of_errors_are_documented() -> None:
    """Every kind of error that the command can report stands in docs/cli.md."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "cli").rglob("*.py"))
    kinds = set(re.findall(r'kind(?:: str)? ?= ?"(\w+)"', code)) - {"error"}
    documented = rows(section("docs/cli.md", "## Kinds of errors"))[1:]
    assert kinds == {kind for cells in documented for kind in words_in_code(cells[0])}


def test_what_a_tool_can_say_is_documented() -> None:
    """docs/tools.md explains every option of `@tool` and everything in a tool's context."""
    explained = " ".join(words_in_code(text("docs/tools.md")))
    options = set(tool.__annotations__) - {"function", "return"}
    for name in options | {field.name for field in fields(ToolContext)}:
        assert re.search(rf"\b{name}\b", explained), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every link to a file of ours leads to one, and to a heading that is there where it names one."""
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", document.read_text(encoding="utf-8"))
    for target, heading in [link for link in links if not link[0].startswith("https://")]:
        file = document.parent / target if target else document
        assert file.exists(), target
        assert not heading or heading in anchors(file), f"{target}#{heading}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(document: Path) -> None:
    """Every file of ours that a document names between backticks is there."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for name in words_in_code(document.read_text(encoding="utf-8")):
        if re.fullmatch(r"[\w.]+/[\w./]*", name) and name.split("/")[0] in folders:
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("snippet", snippets("python"), ids=str)
def test_python_snippets_are_python(snippet: Snippet) -> None:
    """Every Python snippet compiles, and what it imports from us exists."""
    compile(snippet.text, str(snippet), "exec", flags=0x2000)  # await may stand outside a function
    for line in re.findall(
        r"^from ((?:tools|cli|eventlog|projections|workflows|settings|worker)\S* import .+)$",
        snippet.text,
        re.MULTILINE,
    ):
        exec(f"from {line}", {})


@pytest.mark.parametrize("snippet", snippets("toml"), ids=str)
def test_toml_snippets_are_toml(snippet: Snippet) -> None:
    """Every TOML snippet can be read."""
    assert tomllib.loads(snippet.text)


def test_the_changelog_knows_the_version() -> None:
    """The newest release in the changelog is the version of the project."""
    newest = re.search(r"^## \[(\d[^\]]*)\] - \d{4}-\d{2}-\d{2}$", text("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == pyproject()["project"]["version"]
