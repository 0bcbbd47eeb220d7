"""The tool `run_python`, as a model uses it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tools.conftest import Bench, MakeBench
from tools.builtin import calculate, run_python
from tools.builtin.code import python_tool, within
from tools.sandbox.sandbox import Limit, Limits, Program, Ran, Sandbox
from tools.toolbox import Failed, Succeeded


class Said(Sandbox):
    """A sandbox that knows beforehand what comes of a program."""

    def __init__(self, ran: Ran) -> None:
        self.ran = ran
        self.given: list[Program] = []

    async def run(self, program: Program, limits: Limits) -> Ran:  # noqa: ARG002 - the port's
        """Note the program."""
        self.given.append(program)
        return self.ran


async def _said(bench: Bench, **arguments: object) -> str:
    result = await bench.run("run_python", **arguments)
    assert isinstance(result, Succeeded), result
    return "".join(block["text"] for block in result.result)


async def _refused(bench: Bench, **arguments: object) -> str:
    result = await bench.run("run_python", **arguments)
    assert isinstance(result, Failed), result
    return result.problem


async def test_a_model_computes(builtin: Bench) -> None:
    """It reads what was printed, then the value; a failure with its traceback."""
    assert await _said(builtin, code="print('hello')\n6 * 7") == "hello\nvalue: 42"
    assert await _said(builtin, code="x = 1") == "(it ended well and printed nothing)"
    failed = await _said(builtin, code="print('so far')\n[][0]")
    assert failed.startswith("so far\n[the program failed]\nTraceback")
    assert failed.endswith("IndexError: list index out of range")


async def test_files_of_the_workspace_are_copied(builtin: Bench, workspace: Path) -> None:
    """Those that are named, by their last names; what the program writes over them stays as it was."""
    (workspace / "data").mkdir()
    (workspace / "data" / "sales.csv").write_text("3\n4\n")
    code = "n = sum(int(line) for line in open('sales.csv'))\nopen('sales.csv', 'w').write('gone')\nn"
    assert await _said(builtin, code=code, files=["data/sales.csv"]) == "value: 7"
    assert (workspace / "data" / "sales.csv").read_text() == "3\n4\n"
    assert "No such file" in await _said(builtin, code="open('sales.csv').read()")


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ([".env"], ".env"),
        (["../outside"], "outside"),
        (["link"], "link"),
        (["missing"], "missing"),
        (["a/same", "same"], "two of the files are named 'same'"),
        (["large"], "larger than the 8,388,608 bytes"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
async def test_no_other_file_is_copied(builtin: Bench, workspace: Path, files: Sequence[str], problem: str) -> None:
    """Private ones, those outside, links that lead out, and more than the folder may hold are refused."""
    (workspace / ".env").write_text("KEY=secret")
    (workspace / "link").symlink_to("/etc/passwd")
    (workspace / "a").mkdir()
    (workspace / "a" / "same").touch()
    (workspace / "same").touch()
    (workspace / "large").write_bytes(b"x" * 9_000_000)
    assert problem in await _refused(builtin, code="1", files=files)


@pytest.mark.parametrize(
    ("reached", "words"),
    [
        ("cpu", "it computed for longer than 5 seconds"),
        ("time", "it was not done after 20 seconds"),
        ("memory", "it needed more than 67,108,864 bytes of memory"),
        ("output", "it printed more than 40,960 bytes"),
        ("folder", "it wrote more than 8,388,608 bytes into its folder"),
        ("calls", "it used files or waited more than 10,000 times"),
    ],
)
async def test_a_limit_is_told_in_plain_words(bench_of: MakeBench, reached: Limit, words: str) -> None:
    """After what was printed until then."""
    bench = bench_of(python_tool(Said(Ran(output="so far\n", problem="…", reached=reached)), Limits()))
    assert await _said(bench, code="1") == f"so far\n[the program was ended: {words}]"


async def test_another_sandbox_can_take_its_place(bench_of: MakeBench, workspace: Path) -> None:
    """It is given the code and the files, and what it tells is told."""
    (workspace / "data").write_bytes(b"\x00\x01")
    sandbox = Said(Ran(value="7"))
    assert await _said(bench_of(python_tool(sandbox, Limits())), code="3 + 4", files=["data"]) == "value: 7"
    assert sandbox.given == [Program("3 + 4", {"data": b"\x00\x01"})]


async def test_limits_are_settings(bench_of: MakeBench) -> None:
    """The built-in tool is made anew with them; other tools stay as they are."""
    made, other = within(Limits(memory_bytes=1 << 20, seconds=90), [run_python, calculate])
    assert other is calculate
    assert (made.name, made.timeout, made.effect) == ("run_python", 100, "read_only")
    assert made.terms.digest == run_python.terms.digest
    assert "more than 1,048,576 bytes of memory" in await _said(bench_of(made), code="'x' * 10_000_000")
