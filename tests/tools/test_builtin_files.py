"""The built-in file tools, as a model uses them."""

from pathlib import Path

import pytest

from llm.messages import text_block
from tests.tools.conftest import Bench
from tools.toolbox import Failed, Succeeded

CODE = "def one():\n    return 1\n\ndef two():\n    return 2\n"


@pytest.fixture
def project(workspace: Path) -> Path:
    """A small project."""
    (workspace / "src" / "deep").mkdir(parents=True)
    (workspace / "src" / "code.py").write_text(CODE)
    (workspace / "src" / "deep" / "more.py").write_text("ONE = 'def'\n")
    (workspace / "notes.md").write_text("# Notes\n")
    (workspace / "picture.png").write_bytes(b"\x89PNG\x00def one")
    (workspace / ".env").write_text("KEY=def one\n")
    return workspace


async def _said(bench: Bench, name: str, /, **arguments: object) -> str:
    """What a call that succeeds says."""
    result = await bench.run(name, **arguments)
    assert isinstance(result, Succeeded), result
    return "".join(block["text"] for block in result.result)


async def _refused(bench: Bench, name: str, /, **arguments: object) -> str:
    """Why a call fails."""
    result = await bench.run(name, **arguments)
    assert isinstance(result, Failed), result
    assert (result.kind, result.retry, result.happened) == ("error", False, False)
    return result.problem


@pytest.mark.usefixtures("project")
async def test_list_files(builtin: Bench) -> None:
    """Folders, sizes, patterns, depth and limits."""
    assert await _said(builtin, "list_files") == "notes.md (8 bytes)\npicture.png (12 bytes)\nsrc/"
    assert await _said(builtin, "list_files", path="src", pattern="*.py", recursive=True) == (
        "code.py (49 bytes)\ndeep/more.py (12 bytes)"
    )
    assert ".env (12 bytes)" in await _said(builtin, "list_files", hidden=True)
    assert await _said(builtin, "list_files", limit=1) == (
        "notes.md (8 bytes)\n[the first 1 are shown; narrow the pattern or raise the limit]"
    )
    assert await _said(builtin, "list_files", pattern="*.rs") == (
        "nothing in . fits *.rs (folders inside were not searched)"
    )
    assert "is a file, not a folder" in await _refused(builtin, "list_files", path="notes.md")


async def test_a_listing_has_one_line_for_each_name(builtin: Bench, workspace: Path) -> None:
    """A name cannot pretend to be two, nor colour a terminal."""
    (workspace / "a (1 bytes)\n\x1b[31mb").touch()
    assert await _said(builtin, "list_files") == r"a (1 bytes)\n\x1b[31mb (0 bytes)"


@pytest.mark.usefixtures("project")
async def test_read_file(builtin: Bench) -> None:
    """A file is read whole or in part, with the way to go on."""
    assert await _said(builtin, "read_file", path="src/code.py") == CODE
    assert await _said(builtin, "read_file", path="src/code.py", start_line=4) == "def two():\n    return 2\n"
    assert await _said(builtin, "read_file", path="src/code.py", start_line=2, line_count=1) == (
        "    return 1\n\n[lines 2 to 2 are shown; go on with start_line=3]"
    )
    assert "has only 5 lines" in await _said(builtin, "read_file", path="src/code.py", start_line=6)
    assert "has only 5 lines" in await _refused(builtin, "read_file", path="src/code.py", start_line=7)
    assert "is not a text file" in await _refused(builtin, "read_file", path="picture.png")
    assert "may hold secrets" in await _refused(builtin, "read_file", path=".env")


async def test_long_files_are_read_in_parts(builtin: Bench, workspace: Path) -> None:
    """Following the notices shows every line once, and every answer is short enough for a result."""
    lines = [f"{number} {'x' * (number % 300)}\n" for number in range(1, 1201)]
    (workspace / "long.txt").write_text("".join(lines))
    start, read = 1, ""
    while True:
        text = await _said(builtin, "read_file", path="long.txt", start_line=start)
        assert len(text) < 50_000
        body, notice, rest = text.partition("\n[lines ")
        read += body
        if not notice:
            break
        start = int(rest.partition("start_line=")[2].rstrip("]"))
    assert read == "".join(lines)


async def test_odd_files_are_read_as_well_as_they_can_be(builtin: Bench, workspace: Path) -> None:
    """An empty file, a line longer than any answer, and bytes that are not UTF-8 are told as such."""
    (workspace / "empty").touch()
    (workspace / "wide").write_text("x" * 100_000 + "\nlast\n")
    (workspace / "latin").write_bytes("Grüße\n".encode("latin-1"))
    assert await _said(builtin, "read_file", path="empty") == "(empty is empty)"
    assert "line 1 is longer than 40,000 bytes and cut here" in await _said(builtin, "read_file", path="wide")
    assert await _said(builtin, "read_file", path="wide", start_line=2) == "last\n"
    assert await _said(builtin, "read_file", path="latin") == (
        "Gr\ufffd\ufffde\n\n[some bytes are not UTF-8 and are shown as \ufffd]"
    )


@pytest.mark.usefixtures("project")
async def test_search_files(builtin: Bench) -> None:
    """Text and expressions are found with path and line; hidden and binary files are left out."""
    assert await _said(builtin, "search_files", pattern="def") == (
        "src/code.py:1: def one():\nsrc/code.py:4: def two():\nsrc/deep/more.py:1: ONE = 'def'"
    )
    assert await _said(builtin, "search_files", pattern=r"^ONE|two\(", regex=True, path="src") == (
        "src/code.py:4: def two():\nsrc/deep/more.py:1: ONE = 'def'"
    )
    assert await _said(builtin, "search_files", pattern="ONE():", ignore_case=True) == "src/code.py:1: def one():"
    assert await _said(builtin, "search_files", pattern="return", path="src/code.py", limit=1) == (
        "src/code.py:2: return 1\n[the first 1 are shown; narrow the search or raise the limit]"
    )
    assert await _said(builtin, "search_files", pattern="def", glob="*.md") == "nothing found for 'def' in ."
    assert await _said(builtin, "search_files", pattern="KEY") == "nothing found for 'KEY' in ."


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)", "(((a{999}){999}){999}){999}"])
async def test_expressions_that_cannot_be_searched_for_are_refused(builtin: Bench, pattern: str) -> None:
    """What is no expression, or one that could take for ever, is told so."""
    assert "no regular expression RE2 takes" in await _refused(builtin, "search_files", pattern=pattern, regex=True)


async def test_no_expression_hangs(builtin: Bench, workspace: Path) -> None:
    """Expressions that others take an age for end at once."""
    (workspace / "trap.txt").write_text("a" * 5000 + "!\n")
    assert "nothing" in await _said(builtin, "search_files", pattern="^(a+)+$", regex=True)
    assert "nothing" in await _said(builtin, "search_files", pattern="(a|aa|a?)*b", regex=True)


async def test_write_file(builtin: Bench, workspace: Path) -> None:
    """It asks first, says what it did, and doing it twice does it once."""
    plan = builtin.plan("write_file", {"path": "out/REPORT.md", "content": "x" * 1234})
    assert (plan.effect, plan.question is not None) == ("idempotent", True)
    assert plan.question is not None
    assert (plan.question.text, plan.question.risk) == ("write_file out/REPORT.md (1,234 characters)", "medium")
    first = await builtin.workbench.run(plan, builtin.context())
    assert first == Succeeded((text_block("created out/REPORT.md (1,234 bytes)"),))
    second = await builtin.workbench.run(plan, builtin.context())
    assert second == Succeeded((text_block("replaced out/REPORT.md (1,234 bytes before, 1,234 bytes now)"),))
    assert (workspace / "out" / "REPORT.md").read_text() == "x" * 1234


@pytest.mark.usefixtures("project")
async def test_write_file_refuses_what_it_may_not(builtin: Bench) -> None:
    """Secrets, folders and places outside are refused in words."""
    assert "may hold secrets" in await _refused(builtin, "write_file", path=".env", content="")
    assert "is a folder" in await _refused(builtin, "write_file", path="src", content="")
    assert "leads out" in await _refused(builtin, "write_file", path="../x", content="")
    assert "lone surrogates" in await _refused(builtin, "write_file", path="x", content="\ud800")


def test_the_size_is_seen_however_long_the_path(builtin: Bench) -> None:
    """A long path cannot push out of sight how much would be written."""
    title = builtin.workbench.title("write_file", {"path": "a/" * 200 + "end.txt", "content": "abc"})
    assert title.endswith("a/end.txt (3 characters)")
    assert len(title) <= 80


async def test_get_current_time(builtin: Bench) -> None:
    """The time is told with its zone; unknown zones with those that are near."""
    assert (await _said(builtin, "get_current_time")).endswith(", UTC)")
    assert "+09:00 (" in await _said(builtin, "get_current_time", timezone="Asia/Tokyo")
    assert "did you mean Europe/Berlin" in await _refused(builtin, "get_current_time", timezone="Europe/Berln")
    for zone in ("America", "../UTC", "/etc/passwd", "a\0b", "", "ü"):
        assert "there is no time zone" in await _refused(builtin, "get_current_time", timezone=zone)


async def test_echo(builtin: Bench) -> None:
    """What is said comes back."""
    assert await _said(builtin, "echo", message="hello\n") == "hello\n"


def test_only_writing_asks(builtin: Bench) -> None:
    """All built-in tools but one only read."""
    effects = {terms.name: terms.effect for terms in builtin.workbench.terms(None)}
    assert {name for name, effect in effects.items() if effect != "read_only"} == {"write_file"}
