"""`make chaos`: the whole crash matrix, then blows at random, then `perdure verify --all`, then the report."""

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.cases import NoSuchCase, chosen
from tests.chaos.report import Report
from tests.chaos.run import everything

RANDOM = "random"


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="plays it again")
    parser.add_argument("--kills", type=int, default=20, help="blows at random after the matrix; 0 for none")
    parser.add_argument("--threads", type=int, default=8, help="threads that live through them")
    parser.add_argument("--case", default="", help="VICTIM/HOW/MOMENT/KIND or its beginning, or `random`")
    parser.add_argument("--report", type=Path, help="a file for the report as JSON")
    return parser.parse_args()


async def run(asked: argparse.Namespace) -> Report:
    """Play what is asked for. SIGTERM and Ctrl-C end it, and every process with it, however often they come."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: task.cancelling() or task.cancel())
    cases = [] if asked.case == RANDOM else chosen(asked.case)
    _tell(f"seed {asked.seed}")
    report = Report(asked.seed, asked.kills if asked.case in {"", RANDOM} else 0, asked.threads)
    with tempfile.TemporaryDirectory(prefix="perdure-chaos-", ignore_cleanup_errors=True) as folder:
        await everything(Path(folder), cases, report, _tell)
    return report


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """The exit code: 0 where every promise was kept, 1 where one was broken, 2 for no such case, 130 where stopped."""
    asked = arguments()
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # that the database is away is no news here
    try:
        report = asyncio.run(run(asked))
    except NoSuchCase as error:
        _tell(str(error))
        return 2
    except asyncio.CancelledError:
        return 130
    for line in report.lines():
        _tell(line)
    if asked.report:
        asked.report.write_text(report.json() + "\n", encoding="utf-8")
    return 0 if report.ok else 1


if __name__ == "__main__":
    os._exit(main())  # past the SDK's runtime, whose end in the ordinary way may abort the process
