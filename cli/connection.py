"""Where everything is, and the way there: settings first, then whatever runs under PERDURE_HOME."""

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from stack.stack import running
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import TLSConfig

from cli.command import DEBUG
from cli.errors import NothingRunning
from cli.threads import Threads
from eventlog.postgres import PostgresEventLog
from settings import Settings


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The two servers a client talks to."""

    temporal: str
    database: str


async def whereabouts(settings: Settings) -> Whereabouts:
    """The addresses that are set, or those of the embedded system where it runs."""
    database = settings.database_url.get_secret_value() if settings.database_url else None
    if settings.temporal_address and database:
        return Whereabouts(settings.temporal_address, database)
    addresses = await running(settings.home)
    if addresses is None:
        raise NothingRunning(
            f"nothing is running under PERDURE_HOME ({settings.home})",
            remedy="start it with `perdure up`, or set TEMPORAL_ADDRESS and DATABASE_URL",
        )
    return Whereabouts(settings.temporal_address or addresses.temporal, database or addresses.database)


async def temporal_client(settings: Settings, address: str) -> Client:
    """A client that connects with its first call, so that what needs the log only works without Temporal."""
    return await Client.connect(
        address,
        namespace=settings.temporal_namespace,
        api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
        tls=_tls(settings),
        data_converter=pydantic_data_converter,
        lazy=True,
    )


def _tls(settings: Settings) -> TLSConfig | bool:
    certificates = (
        settings.temporal_tls_server_ca,
        settings.temporal_tls_client_cert,
        settings.temporal_tls_client_key,
    )
    if not any(certificates):
        return settings.temporal_tls or settings.temporal_api_key is not None
    authority, certificate, key = (file.read_bytes() if file else None for file in certificates)
    return TLSConfig(server_root_ca_cert=authority, client_cert=certificate, client_private_key=key)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Threads]:
    """The programmatic client, for as long as the block runs."""
    quiet_logs()
    where = await whereabouts(settings)
    client = await temporal_client(settings, where.temporal)
    async with PostgresEventLog.connect(where.database) as log:
        yield Threads(client, log, settings)


def quiet_logs() -> None:
    """Adapters log retries; a command speaks for itself, and its stdout is for answers only."""
    level = logging.DEBUG if DEBUG in os.environ else logging.CRITICAL
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
