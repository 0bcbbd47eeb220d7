"""Temporal's own command line, as an operator uses it who has never heard of Perdure."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from stack.temporal import binary


@dataclass(frozen=True, slots=True)
class TemporalCli:
    """The `temporal` program, for one server."""

    address: str

    async def workflow(self, *words: str) -> str:
        """What `temporal workflow …` prints; fails where the command does."""
        code, output = await self.attempt(*words)
        assert code == 0, output
        return output

    async def workflow_json(self, *words: str) -> Any:
        """The same, as JSON."""
        return json.loads(await self.workflow(*words, "--output", "json"))

    async def attempt(self, *words: str) -> tuple[int, str]:
        """Exit code and output of `temporal workflow …`."""
        process = await asyncio.create_subprocess_exec(
            str(binary()),
            "workflow",
            *words,
            "--address",
            self.address,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()
