"""The matrix, the random part and the last look over all of it, played on servers of their own."""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from stack.temporal import DYNAMIC_CONFIG
from tests.acceptance.servers import Servers
from tests.acceptance.worker_process import OURS, ROOT
from tests.chaos.cases import Case, together
from tests.chaos.chance import struck_at_random
from tests.chaos.report import Report
from tests.chaos.scene import played
from tests.chaos.verdict import Verdict, verdicts

EVENTS = 50
"""Of a workflow's history, after which it is continued as new: one call is not enough for that, six calls are."""
LONGEST_OUTAGE = 3.0
OUTLASTING = 10.0
"""Seconds; a call that is not heard of for eight is taken for dead."""

Tell = Callable[[str], None]
"""Says a line to whoever watches."""


@asynccontextmanager
async def struck_servers(folder: Path) -> AsyncIterator[Servers]:
    """The servers, for the block's duration."""
    servers = Servers(folder, {**DYNAMIC_CONFIG, "limit.historyCount.suggestContinueAsNew": EVENTS})
    try:
        await servers.start()
        await servers.install()
        yield servers
    finally:
        await servers.stop()


async def struck(servers: Servers, cases: Sequence[Case], seed: int) -> list[Verdict]:
    """What came of threads that one blow strikes, each at its moment."""
    blow = cases[0].blow
    outage = random.Random(f"{seed}/{blow}").uniform(0.2, LONGEST_OUTAGE)
    with tempfile.TemporaryDirectory(prefix="perdure-chaos-", ignore_cleanup_errors=True) as folder:
        away = OUTLASTING if blow.how == "outlast" else outage
        async with played(servers, Path(folder), cases, away) as scene:
            return await verdicts(scene)


async def everything(folder: Path, cases: Sequence[Case], report: Report, tell: Tell) -> None:
    """All of these cases, the blows at random, and what `perdure verify --all` finds afterwards, into the report."""
    async with struck_servers(folder / "servers") as servers:
        for group in together(cases):
            await _struck(servers, group, report, tell)
        if report.blows:
            await _struck_at_random(servers, folder, report, tell)
        report.problems += await _verify_all(servers, folder)


async def _struck(servers: Servers, group: Sequence[Case], report: Report, tell: Tell) -> None:
    blow, begun = group[0].blow, time.monotonic()
    try:
        found = await struck(servers, group, report.seed)
    except Exception as error:  # noqa: BLE001 - the rest is played all the same
        report.problems.append(f"{blow}, {' '.join({case.moment for case in group})}: {_said(error)}")
        found = []
    report.verdicts += found
    report.kills += blow.kills
    report.stalls += blow.stalls
    report.others += not (blow.kills or blow.stalls)
    moments = " ".join(dict.fromkeys(case.moment for case in group))
    tell(f"{_count(found)} in {time.monotonic() - begun:5.1f} s  {blow}: {moments}")


async def _struck_at_random(servers: Servers, folder: Path, report: Report, tell: Tell) -> None:
    stage, begun = folder / "random", time.monotonic()
    stage.mkdir()
    try:
        found, blows = await struck_at_random(servers, stage, report.seed, report.blows, report.threads)
    except Exception as error:  # noqa: BLE001 - what was found before is told all the same
        report.problems.append(f"random: {_said(error)}")
        return
    report.verdicts += found
    report.kills += blows.kills
    report.stalls += blows.stalls
    report.others += blows.others
    tell(f"{_count(found)} in {time.monotonic() - begun:5.1f} s  random: {report.blows} blows")


def _said(error: BaseException) -> str:
    """What went wrong, and why."""
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, BaseExceptionGroup):
        words += f" ({'; '.join(map(_said, error.exceptions))})"
    before = error.__cause__ or error.__context__
    return f"{words}, after {_said(before)}" if before else words


def _count(found: Sequence[Verdict]) -> str:
    return f"{sum(each.ok for each in found):>3} of {len(found):>3} right"


async def _verify_all(servers: Servers, folder: Path) -> list[str]:
    """What the command says that an operator would type."""
    settings = {
        "TEMPORAL_ADDRESS": servers.temporal.address,
        "DATABASE_URL": servers.postgres.url(),
        "PERDURE_HOME": str(folder / "home"),
        "PERDURE_PLUGINS": "tests.acceptance.hands",
        "PERDURE_WORKSPACE": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "client", "verify", "--all", "--json"),
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(OURS)} | settings,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    answer = json.loads(output)
    if "findings" not in answer:
        return [f"perdure verify --all: {answer}"]
    unchecked = [f"{count} {what}" for what, count in answer["unchecked"].items()]
    return [f"perdure verify --all: {each}" for each in (*answer["findings"], *unchecked)]
