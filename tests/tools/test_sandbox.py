"""The sandbox: what programs can do in it, and that they can do nothing else."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.sandboxed import ATTACKS, Attack
from tools.errors import ToolUnavailable
from tools.sandbox.monty import MontySandbox
from tools.sandbox.sandbox import MIB, Limits, Program, Ran

TIGHT = Limits(cpu_seconds=1, seconds=2.5, memory_bytes=32 * MIB, output_bytes=5_000, folder_bytes=1_000_000, calls=500)
ROOMY = Limits(cpu_seconds=30, seconds=60)
PATIENCE = 30.0


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which sandboxes make theirs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
async def warm() -> None:
    """Whatever the event loop opens only once is open."""
    await _ran("1")


@pytest.fixture
async def unharmed(warm: None, place: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:  # noqa: ARG001
    """This process, which must be afterwards what it was before: no child more, no file open, no folder left."""
    monkeypatch.setenv("CANARY", "canary-5c1e")
    before = _state()
    yield
    assert _state() == before
    assert os.listdir(place) == []  # noqa: PTH208 - a look, not work


def _state() -> tuple[object, ...]:
    opened = len(list(Path("/dev/fd").iterdir()))
    return _processes(), opened, Path.cwd(), os.environ["CANARY"]


def _processes() -> dict[str, int]:
    """The sandbox's processes below this one: the keeper, and the interpreter below it."""
    found = {}
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = " ".join(child.cmdline())
            if "tools.sandbox.keeper" in words or "monty subprocess" in words:
                found["keeper" if "keeper" in words else "interpreter"] = child.pid
    return found


async def _until_running() -> dict[str, int]:
    async with asyncio.timeout(PATIENCE):
        while len(found := _processes()) < 2:
            await asyncio.sleep(0.01)
    return found


async def _ran(code: str, limits: Limits = ROOMY, **files: bytes) -> Ran:
    return await MontySandbox().run(Program(code, files), limits)


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_an_attack_comes_to_nothing(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused or ended, learns no secret, and leaves nothing behind; the next program runs as ever."""
    monkeypatch.setattr("tools.sandbox.monty._lay_out", _with_links)
    ran = await _ran(attack.code, TIGHT)
    assert ran.reached == attack.reached, ran
    assert ran.problem is not None or ran.reached is not None
    assert attack.refused in (ran.problem or ""), ran.problem
    for secret in ("canary-5c1e", "root:x:", "uid="):
        assert secret not in str(ran)
    assert not os.path.exists("/tmp/escaped")  # noqa: ASYNC240, PTH110 - as above
    assert len(ran.output) <= TIGHT.output_bytes
    assert await _ran("6 * 7") == Ran(value="42")


def _with_links(folder: str, _: object) -> None:
    """Links that lead out of the folder, as if somebody had smuggled them in."""
    Path(folder, "passwords").symlink_to("/etc/passwd")
    Path(folder, "system").symlink_to("../../../../../../etc")


@pytest.mark.usefixtures("unharmed")
async def test_a_program_computes_prints_and_uses_its_folder() -> None:
    """Output comes in order, errors included; the last expression is the value; files are read and written."""
    code = """
import sys
print('one')
print('two', file=sys.stderr)
with open('note.txt', 'w') as note:
    note.write(open('data.csv').read().upper())
sorted([open('note.txt').read(), 'z'])
"""
    ran = await MontySandbox().run(Program(code, {"data.csv": b"a,b"}), ROOMY)
    assert ran == Ran(output="one\ntwo\n", value="['A,B', 'z']")


@pytest.mark.usefixtures("unharmed")
async def test_nothing_is_kept_from_one_program_to_the_next() -> None:
    """Neither names nor files."""
    await _ran("x = 1\nopen('x', 'w').write('x')")
    assert "'x' is not defined" in ((await _ran("x")).problem or "")
    assert "No such file" in ((await _ran("open('x').read()")).problem or "")


@pytest.mark.usefixtures("unharmed")
async def test_any_text_comes_back() -> None:
    """Null bytes, colours and half characters harm no report."""
    assert (await _ran(r"print('\x00\x1b[31m', 'ü', '\ud800')")).output == "\x00\x1b[31m ü \ufffd\n"


@pytest.mark.usefixtures("unharmed")
async def test_time_may_be_told() -> None:
    """Clocks are no secret."""
    assert (await _ran("import time\ntime.time() > 1_700_000_000 and time.monotonic() > 0")).value == "True"


@pytest.mark.usefixtures("unharmed")
async def test_what_was_printed_before_the_end_is_told() -> None:
    """At the limit of time and of output as well as after a failure."""
    assert (await _ran("print('so far')\nimport time\ntime.sleep(60)", TIGHT)).output == "so far\n"
    assert (await _ran("print('so far')\n1 / 0", TIGHT)).output == "so far\n"
    assert (await _ran("print('y' * 6_000)", TIGHT)).output == "y" * 5_000


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize(
    "code",
    ["10 ** 5000", "x = []\nfor _ in range(100_000): x = [x]\nx"],
    ids=["digits", "depth"],
)
async def test_a_value_that_cannot_be_written_is_no_breakdown(code: str) -> None:
    """The program is told what was wrong with it."""
    assert "its last value cannot be shown" in ((await _ran(code)).problem or "")


@pytest.mark.usefixtures("unharmed")
async def test_a_long_value_is_cut() -> None:
    """What of it is left over is told by its length."""
    ran = await _ran("'y' * 3_000_000", TIGHT)
    assert (ran.value or "").endswith("y… [cut: 5,000 of 3,000,002 characters shown]")


@pytest.mark.usefixtures("unharmed")
async def test_a_cancelled_program_is_gone() -> None:
    """With all its processes, and its folder."""
    task = asyncio.create_task(_ran("import time\ntime.sleep(60)"))
    await _until_running()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("which", ["keeper", "interpreter"])
async def test_a_process_that_dies_takes_nobody_along(which: str) -> None:
    """As when the system ends it for lack of memory: the program has failed, and that is all."""
    task = asyncio.create_task(_ran("while True: pass"))
    found = await _until_running()
    interpreter = psutil.Process(found["interpreter"])
    async with asyncio.timeout(PATIENCE):
        while interpreter.cpu_times().user < 0.2:  # one that dies before it has the program is replaced
            await asyncio.sleep(0.01)
    psutil.Process(found[which]).kill()
    ran = await task
    assert ran.reached is None
    assert "ended from outside" in (ran.problem or "") or "interpreter died" in (ran.problem or "")


@pytest.mark.usefixtures("unharmed")
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel keeps no such walls here")
async def test_the_interpreter_stands_behind_the_walls() -> None:
    """Its process can gain no privileges, is filtered, and has nothing of this one's environment."""
    task = asyncio.create_task(_ran("while True: pass"))
    interpreter = Path("/proc", str((await _until_running())["interpreter"]))
    status, environment = await asyncio.to_thread(_seen, interpreter)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "NoNewPrivs:\t1\n" in status
    assert "Seccomp:\t2\n" in status
    assert b"canary" not in environment


def _seen(process: Path) -> tuple[str, bytes]:
    return (process / "status").read_text(), (process / "environ").read_bytes()


@pytest.mark.usefixtures("unharmed")
async def test_many_programs_run_side_by_side() -> None:
    """Each in a place of its own."""
    codes = [f"open('n', 'w').write('{n}')\nint(open('n').read()) ** 2" for n in range(6)]
    assert [ran.value for ran in await asyncio.gather(*map(_ran, codes))] == [str(n**2) for n in range(6)]


async def test_without_its_interpreter_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that a module is missing."""
    monkeypatch.setattr("tools.sandbox.monty.find_spec", lambda _: None)
    with pytest.raises(ToolUnavailable, match="pip install pydantic-monty"):
        await _ran("1")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.sets(st.integers() | st.text(max_size=4), min_size=1, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=15, deadline=None)
@given(values)
async def test_the_same_program_has_the_same_outcome(value: object) -> None:
    """Unless it asks for the time or for chance: sets, too, come out in the same order every time."""
    code = f"x = {value!r}\nprint(x, hash(str(x)) == hash(str(x)))\n[x, {{'a': x, 'b': [x, x]}}]"
    first, second = await _ran(code), await _ran(code)
    assert first == second
    assert first.problem is None
