"""Starts a thread from Python, waits until it has ended or needs a person, and prints what it came to.

perdure up                                     # in another terminal
python examples/simple_agent.py "What is 6 * 7?"

It waits for as long as it takes; put `asyncio.timeout` around `ask` where somebody waits for you.
"""

import asyncio
import os
import sys

from cli.answers import ThreadReport
from cli.connection import connected
from eventlog.ids import new_thread_id
from eventlog.streams import ThreadId
from projections.requests import StartSession
from settings import Settings


async def ask(question: str, thread: ThreadId | None = None) -> ThreadReport:
    """Where the thread stands once nothing more happens by itself.

    With an id of your own, asking twice is asking once: the second call finds the thread and answers as the first.
    """
    settings = Settings.load()
    request = StartSession(message=question, tenant=settings.tenant, principal=settings.principal)
    async with connected(settings) as threads:
        started = await threads.start(thread or new_thread_id(), request)
        return await threads.wait(started.thread_id)


def main() -> int:
    """Ask what the command line says."""
    report = asyncio.run(ask(" ".join(sys.argv[1:]) or "What is 6 * 7?"))
    print(report.answer or report.summary or f"{report.status}, call {report.call_id}")
    print(f"thread {report.thread_id}: {report.status}, {report.turns} turns", file=sys.stderr)
    return report.exit


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the Temporal SDK's runtime thread can crash an interpreter that ends in the ordinary way
