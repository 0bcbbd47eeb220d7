"""The real `temporal` program: how anybody can speak to a thread without Perdure."""

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.demonstration.programs import short
from cli.errors import Refused
from settings import Settings, variable_of
from stack.command import run
from stack.temporal import binary

_CONNECTION = ("temporal_api_key", "temporal_tls_client_cert", "temporal_tls_client_key", "temporal_tls_server_ca")


@dataclass(frozen=True, slots=True)
class TemporalCli:
    """The program, told where one thread's workflow is."""

    program: Path
    options: tuple[str, ...]
    environment: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings, address: str, thread: str) -> "TemporalCli":
        """The program for a thread. Raises `MissingPart`."""
        where = ("--address", address, "--namespace", settings.temporal_namespace, "--workflow-id", thread)
        return cls(binary(), where, _environment(settings))

    def signal(self, name: str, value: Mapping[str, object]) -> list[str]:
        """The command that sends a signal."""
        text = json.dumps(value, ensure_ascii=False)
        return [str(self.program), "workflow", "signal", *self.options, "--name", name, "--input", text]

    def termination(self, reason: str) -> list[str]:
        """The command that ends the workflow at once."""
        return [str(self.program), "workflow", "terminate", *self.options, "--reason", reason]

    async def run(self, command: list[str]) -> str:
        """What the program says; raises `Refused` with its words where it fails."""
        answer = await run(*command, env=self.environment)
        if answer.code != 0:
            raise Refused(f"the temporal program says: {answer.output}", kind="temporal_cli")
        return answer.output


def shown(command: list[str]) -> str:
    """The command as one can paste it into a shell."""
    return shlex.join([short(Path(command[0])), *command[1:]])


def _environment(settings: Settings) -> dict[str, str]:
    """Our settings and nothing else: a profile of the user's, or a variable, may speak of another server."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    if settings.temporal_tls:
        ours[variable_of("temporal_tls")] = "true"
    for field in _CONNECTION:
        value = getattr(settings, field)
        if value is not None:
            ours[variable_of(field)] = str(getattr(value, "get_secret_value", lambda given=value: given)())
    return {**ours, "TEMPORAL_CONFIG_FILE": os.devnull, "TEMPORAL_ENV_FILE": os.devnull}
