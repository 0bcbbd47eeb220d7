"""The scripted model server as a process of ours."""

import os
import sys
from pathlib import Path

from stack.ports import LOOPBACK
from stack.process import ServerProcess
from stack.server import answers_http, require_free, until_ready

START_TIMEOUT = 30.0
"""Seconds."""
CHECKOUT = Path(__file__).parent.parent


class ScriptedModelServer:
    """A server that speaks the Anthropic protocol and answers from a script."""

    name = "The scripted model"

    def __init__(self, *, port: int, record: Path, log: Path) -> None:
        self.port = port
        self.process = ServerProcess(self.name, record, log)

    @property
    def base_url(self) -> str:
        """Where the SDK finds it."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens."""
        return (self.port,)

    async def start(self) -> None:
        """Start it and wait until it is ready; at once when it already is. Raises `StackError`."""
        command = [sys.executable, "-m", "stack.scripted", "--host", LOOPBACK, "--port", str(self.port)]
        if self.process.find() is None and not self.process.adopt(command):
            require_free(self.name, *self.ports)
            self.process.spawn(command, env=_environment())
        await until_ready(self.process, self.healthy, START_TIMEOUT)

    async def healthy(self) -> bool:
        """Whether it answers."""
        return await answers_http(self.port, "/health")

    async def stop(self) -> None:
        """End it gracefully."""
        await self.process.stop()


def _environment() -> dict[str, str]:
    """Ours, with the checkout importable from anywhere."""
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return dict(os.environ) | {"PYTHONPATH": path}
