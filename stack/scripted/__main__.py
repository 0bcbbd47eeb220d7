"""Runs the scripted model by itself: `python -m stack.scripted --port 8099 [--pace 0.02] [--script FILE.json]`.

Without a script it is the default mind, to which one can talk. `stack/scripted/script.py` says how to write a script.
It prints one line with its address as soon as it listens, and ends on SIGTERM or Ctrl-C.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from stack.scripted.answers import Mind
from stack.scripted.errors import BadScript
from stack.scripted.mind import default_mind
from stack.scripted.script import load_script
from stack.scripted.server import ScriptedServer


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        mind: Mind = load_script(options.script, otherwise=default_mind) if options.script else default_mind
        asyncio.run(_serve(ScriptedServer(mind, options.port, host=options.host, pace=options.pace)))
    except BadScript as error:
        parser.exit(2, f"{error}\n")
    except OSError as error:
        parser.exit(1, f"cannot listen on {options.host}:{options.port}: {error.strerror or error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stack.scripted",
        description="A scripted model that speaks the Anthropic Messages API.",
        epilog="Point ANTHROPIC_BASE_URL at the address it prints; any API key will do.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--pace", type=_pace, default=0.02, help="seconds between pieces (default: %(default)s)")
    parser.add_argument("--script", type=Path, metavar="FILE", help="JSON file with conversations to play")
    return parser


def _pace(text: str) -> float:
    pace = float(text)
    if not 0 <= pace < float("inf"):
        raise ValueError(text)
    return pace


async def _serve(server: ScriptedServer) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with server:
        sys.stdout.write(f"The scripted model listens on {server.url}\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    main()
