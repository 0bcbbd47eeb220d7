"""The mind of the demo, in folders of every kind, with the real tools."""

from functools import partial
from pathlib import Path

import pytest

from stack.scripted.demo_mind import PACE, REQUEST, demo_mind
from stack.scripted.listing import Listing
from stack.scripted.mind import default_mind
from stack.scripted.report import NAME
from tests.scripted.acting import Agent
from tests.scripted.asking import said, talking_to

FAST = partial(demo_mind, pace=0.0)


async def test_a_report_is_made_of_what_is_there(tmp_path: Path) -> None:
    """Four turns: look around, read and search, write, say what was done; the report tells what the tools told."""
    (tmp_path / "README.md").write_text("# The Ark\n\nTODO: animals\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "ark.py").write_text("print('all aboard')\n")
    (tmp_path / "src" / "data.bin").write_bytes(b"\0" * 100)
    async with talking_to(FAST) as talk:
        agent = Agent(talk, tmp_path)
        answer = await agent.told(REQUEST)
    assert agent.called == [
        ["list_files", "get_current_time"],
        ["read_file", "read_file", "search_files"],
        ["write_file"],
    ]
    report = (tmp_path / NAME).read_text()
    for words in (
        "3 files (145 bytes) and 1 folder",
        "| .py | 1 | 20 |",
        "> # The Ark",
        "- README.md:3: TODO: animals",
    ):
        assert words in report
    assert f"created {NAME}" in answer


async def test_a_second_report_is_the_same_as_the_first(tmp_path: Path) -> None:
    """The report of an earlier run is no part of what is reported."""
    (tmp_path / "a.txt").write_text("a\n")
    async with talking_to(FAST) as talk:
        for _ in range(2):
            await Agent(talk, tmp_path, without=["get_current_time", "search_files"]).told(REQUEST)
            report = (tmp_path / NAME).read_text()
            assert "There are 1 file (2 bytes) and 0 folders." in report


async def test_a_denial_is_taken_politely(tmp_path: Path) -> None:
    """Nothing is written, nothing is tried again, and the reason is in the answer."""
    (tmp_path / "a.txt").write_text("a\n")
    async with talking_to(FAST) as talk:
        agent = Agent(talk, tmp_path, denied="not in my folder")
        answer = await agent.told(REQUEST)
    assert "not in my folder" in answer
    assert agent.called[-1] == ["write_file"]
    assert not (tmp_path / NAME).exists()


async def test_an_empty_folder_has_a_report_too(tmp_path: Path) -> None:
    """With nothing to read, the report says that there is nothing."""
    async with talking_to(FAST) as talk:
        agent = Agent(talk, tmp_path)
        await agent.told(REQUEST)
    assert agent.called == [["list_files", "get_current_time"], ["write_file"]]
    assert "There are 0 files" in (tmp_path / NAME).read_text()


async def test_thousands_of_files_make_a_short_report(tmp_path: Path) -> None:
    """What is not listed is said not to be, and the report stays short."""
    for number in range(1500):
        (tmp_path / f"file-{number}.k{number % 30}").write_text("TODO\n" * 50)
    async with talking_to(FAST) as talk:
        await Agent(talk, tmp_path).told(REQUEST)
    report = (tmp_path / NAME).read_text()
    assert "at least 500 files" in report
    assert len(report) < 4000


async def test_files_that_cannot_be_read_do_not_stop_it(tmp_path: Path) -> None:
    """A file that is no text, and odd names, are told of in the report."""
    (tmp_path / "README.md").write_bytes(b"\0\1\2")
    (tmp_path / "odd\nname.txt").write_text("x")
    (tmp_path / "with (17 bytes).txt").write_text("# strange\n")
    async with talking_to(FAST) as talk:
        await Agent(talk, tmp_path).told(REQUEST)
    report = (tmp_path / NAME).read_text()
    assert "It could not be read" in report
    assert "> # strange" in report


@pytest.mark.parametrize(
    ("without", "words"),
    [
        (["list_files"], "I was not given the tool list_files"),
        (["write_file"], "# What is in this folder"),
        (["read_file", "search_files", "get_current_time"], f"created {NAME}"),
    ],
)
async def test_it_makes_do_without_a_tool(tmp_path: Path, without: list[str], words: str) -> None:
    """Whatever it is not given, it ends with an answer."""
    (tmp_path / "a.txt").write_text("a\n")
    async with talking_to(FAST) as talk:
        assert words in await Agent(talk, tmp_path, without=without).told(REQUEST)


def test_the_default_mind_knows_the_demo() -> None:
    """The demo's request, sent to the default mind, is answered by the demo's mind, slowly."""
    body = {"messages": [said(REQUEST)], "tools": [{"name": "list_files"}]}
    assert default_mind(body) == demo_mind(body)
    assert demo_mind(body).pace == PACE


def test_a_listing_is_read_back() -> None:
    """Files with their sizes, folders, and whether that is all."""
    listing = Listing.read("b/\na (1).txt (1,234 bytes)\nlink (symlink)\n[the first 3 are shown; narrow the pattern]")
    assert [(file.name, file.size) for file in listing.files] == [("a (1).txt", 1234)]
    assert (listing.folders, listing.whole) == (1, False)
