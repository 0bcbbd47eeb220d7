"""The examples do what they say."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import pytest

from eventlog.streams import ThreadId
from examples import custom_tool
from examples.replay_history import replay
from projections.fold import Projection, fold
from stack.scripted.answers import Reply
from tests.conftest import Database
from tests.docs.documents import Snippet, snippets
from tests.packaging.checkout import ROOT
from tests.workflow.conftest import Play
from tests.workflow.world import World
from tools.context import ToolContext
from tools.errors import ToolFailed
from tools.plugins import load_plugins, load_tools
from tools.toolbox import Failed, Planned, Succeeded
from tools.workbench import Workbench

NOTHING: Mapping[str, str] = MappingProxyType({})


def _context(workspace: Path) -> ToolContext:
    return ToolContext(
        thread_id=ThreadId("thread"),
        call_id="call",
        tenant="default",
        principal="ana",
        idempotency_key="key",
        attempt=1,
        workspace=workspace,
        heartbeat=lambda _: None,
    )


async def _python(
    *arguments: str, cwd: Path = ROOT, variables: Mapping[str, str] = NOTHING
) -> tuple[int | None, str, str]:
    """Run a program to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERDURE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=cwd,
        env=environment | {"PYTHONPATH": str(ROOT)} | dict(variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def _reach(shop: World, database: Database) -> dict[str, str]:
    """The variables by which a program finds this world."""
    return {
        "TEMPORAL_ADDRESS": shop.client.service_client.config.target_host,
        "DATABASE_URL": database.url,
        "PERDURE_TASK_QUEUE": shop.queue,
    }


def test_the_plugin_is_loaded() -> None:
    """`PERDURE_PLUGINS=examples.custom_tool` brings three tools, one of each effect."""
    effects = {tool.name: tool.effect for tool in load_tools(["examples.custom_tool"], entry_points=False)}
    assert effects == {"find_order": "read_only", "set_delivery_day": "idempotent", "refund": "unsafe"}


def test_small_refunds_need_nobody(tmp_path: Path) -> None:
    """The approval rule asks about larger amounts only, and says why."""
    bench = Workbench([custom_tool.refund], tmp_path)
    small, large = (bench.plan("refund", {"number": 1001, "amount": amount}, ["refund"]) for amount in (20, 20.01))
    assert isinstance(small, Planned)
    assert small.question is None
    assert isinstance(large, Planned)
    assert large.question is not None
    assert large.question.reason == "it refunds more than 20.00 euros"


async def test_a_refund_is_reconciled(tmp_path: Path) -> None:
    """A refund that was made is found again by its key; one that was not made is told to have failed."""
    bench = Workbench([custom_tool.refund], tmp_path)
    planned = bench.plan("refund", {"number": 1002, "amount": 5}, ["refund"])
    assert isinstance(planned, Planned)
    assert isinstance(await bench.reconcile(planned, _context(bench.workspace)), Failed)
    ran = await bench.run(planned, _context(bench.workspace))
    found = await bench.reconcile(planned, _context(bench.workspace))
    assert isinstance(ran, Succeeded)
    assert found == ran
    assert len((tmp_path / "refunds.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_an_unknown_order_is_refused(tmp_path: Path) -> None:
    """A tool is still the function it was made from, and tells what is wrong in words for the model."""
    with pytest.raises(ToolFailed, match="there is no order 7"):
        custom_tool.find_order(7, _context(tmp_path))


async def test_the_event_is_recorded_and_viewed(play: Play) -> None:
    """The plugin's tool records its event, and its view counts what was paid."""
    found = load_plugins(["examples.custom_events"], entry_points=False, others=(Projection,))
    paying = Reply.tools(
        ("pay_invoice", {"invoice": "17", "amount": 39.9}), ("pay_invoice", {"invoice": "18", "amount": 1})
    )
    office = await play({"pay": [paying, Reply.text("paid")]}, found.tools, vocabulary=found.events)
    handle = await office.start("pay")
    await office.done(handle)
    [view] = found.others
    payments = fold(view, await office.recorded(handle.id))
    assert (sorted(payments.invoices), payments.totals) == (["17", "18"], {"EUR": Decimal("40.9")})


async def test_the_conversation_with_a_refund(shop: World, tmp_path: Path) -> None:
    """The scripted conversation asks for the refund, and makes it once when a person agrees."""
    handle = await shop.start("Refund order 1002")
    session = await shop.until(handle.id, lambda session: bool(session.waiting_for_answer))
    (asked,) = session.waiting_for_answer
    assert asked.question == "refund 79.0 euros of order 1002"
    await handle.signal("approve", {"call_id": asked.id, "approver": "ana"})
    assert (await shop.done(handle))["status"] == "completed"
    (refund,) = map(json.loads, (tmp_path / "refunds.jsonl").read_text(encoding="utf-8").splitlines())
    assert (refund["number"], refund["amount"]) == (1002, "79.0")


async def test_the_conversation_with_an_overloaded_model(shop: World, tmp_path: Path) -> None:
    """The scripted conversation goes on after the model was overloaded."""
    handle = await shop.start("Deliver order 1001 on 24 December")
    assert (await shop.done(handle))["status"] == "completed"
    assert (tmp_path / "delivery-1001.txt").read_text(encoding="utf-8") == "2026-12-24"
    assert (await shop.types(handle.id)).count("LLMCallFailed") == 1


async def test_the_simple_agent(shop: World, database: Database) -> None:
    """The program starts a thread, waits and prints the answer; its exit code is the command's."""
    words = ["Deliver", "order", "1001", "on", "24", "December"]
    code, out, err = await _python("examples/simple_agent.py", *words, variables=_reach(shop, database))
    assert (code, out) == (0, "Order 1001 arrives on 24 December.\n"), err
    assert "completed, 2 turns" in err


async def test_the_simple_agent_needs_a_person(shop: World, database: Database) -> None:
    """Where a person is needed the program says so by its exit code."""
    code, out, err = await _python("examples/simple_agent.py", "Refund order 1002", variables=_reach(shop, database))
    assert (code, out.split(",")[0]) == (3, "waiting"), err


async def test_a_history_is_replayed(shop: World, tmp_path: Path) -> None:
    """A history written by the Temporal CLI's format replays, by the program and under the debugger's terms."""
    handle = await shop.start("Deliver order 1001 on 24 December")
    await shop.done(handle)
    history = await handle.fetch_history()
    await replay(history, debugging=True)
    file = tmp_path / "history.json"
    file.write_text(history.to_json(), encoding="utf-8")
    code, out, err = await _python("examples/replay_history.py", str(file))
    assert (code, out) == (0, f"{len(history.events)} events replayed: the code decides as it did then\n"), err


def _snippet(beginning: str) -> Snippet:
    (found,) = (each for each in snippets("python") if each.text.startswith(beginning))
    return found


async def test_the_snippet_that_folds(shop: World, database: Database, tmp_path: Path) -> None:
    """The snippet in docs/troubleshooting.md shows what is next after each event."""
    handle = await shop.start("Deliver order 1001 on 24 December")
    await shop.done(handle)
    code, out, err = await _python(
        "-c", _snippet("# fold.py").text, handle.id, cwd=tmp_path, variables=_reach(shop, database)
    )
    assert code == 0, err
    assert out.splitlines()[-1].endswith("SessionCompleted → Ended(reason='success')")


async def test_the_snippet_that_replays(shop: World, tmp_path: Path) -> None:
    """The snippet in docs/troubleshooting.md replays a history."""
    handle = await shop.start("Deliver order 1001 on 24 December")
    await shop.done(handle)
    file = tmp_path / "history.json"
    file.write_text((await handle.fetch_history()).to_json(), encoding="utf-8")
    code, _, err = await _python("-c", _snippet("# replay.py").text, str(file), cwd=tmp_path)
    assert code == 0, err


async def test_the_snippets_about_tools(tmp_path: Path) -> None:
    """The snippets in docs/tools.md and the README work as they stand there."""
    for beginning, name in (("# desk.py", "desk.py"), ("# weather.py", "weather.py")):
        (tmp_path / name).write_text(_snippet(beginning).text, encoding="utf-8")
    bench = _snippet("from pathlib import Path\n\nfrom desk import refund")
    code, out, err = await _python("-c", bench.text, cwd=tmp_path)
    assert code == 0, err
    assert "Planned(name='refund'" in out
    code, out, err = await _python("-c", "import weather; print(weather.get_weather('Ulm'))", cwd=tmp_path)
    assert out == "Ulm: rain for 1 days\n", err
