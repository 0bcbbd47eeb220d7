"""A thread whose model runs Python in the sandbox."""

from pathlib import Path

from eventlog.events import ToolExecutionCompleted
from stack.scripted.answers import Reply
from tests.workflow.conftest import Play

CODE = "rows = [line.split(',') for line in open('sales.csv')]\nsum(int(amount) for _, amount in rows)"


async def test_a_model_computes_on_a_file(play: Play, tmp_path: Path) -> None:
    """It reads the value in the next request, and the stream holds it; nobody had to be asked."""
    (tmp_path / "sales.csv").write_text("north,12\nsouth,30\n")
    arguments = {"code": CODE, "files": ["sales.csv"]}
    world = await play({"Add it up.": [Reply.tools(("run_python", arguments, "call_1")), Reply.text("It is 42.")]})
    outcome = await world.done(await world.start("Add it up.", thread="sums"))
    assert outcome["reason"] == "success"
    (completed,) = [each for each in await world.events("sums") if isinstance(each, ToolExecutionCompleted)]
    assert [block["text"] for block in completed.result] == ["value: 42"]


async def test_a_hostile_program_harms_no_thread(play: Play) -> None:
    """A program that eats all memory and one that reads outside are told so; the thread goes on, on the same worker."""
    calls = [
        ("run_python", {"code": "x = []\nwhile True: x.append('y' * 1000)"}, "call_1"),
        ("run_python", {"code": "open('/etc/passwd').read()"}, "call_2"),
    ]
    world = await play({"Break out.": [Reply.tools(*calls), Reply.text("I could not.")]})
    outcome = await world.done(await world.start("Break out.", thread="hostile"))
    assert outcome["reason"] == "success"
    told = {
        each.call_id: each.result[0]["text"]
        for each in await world.events("hostile")
        if isinstance(each, ToolExecutionCompleted)
    }
    assert told["call_1"] == "[the program was ended: it needed more than 67,108,864 bytes of memory]"
    assert told["call_2"].endswith("PermissionError: Permission denied: '/etc/passwd'")
