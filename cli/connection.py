"""Where everything is, and the way there: settings first, then whatever runs under PERDURE_HOME."""

import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import structlog

from bootstrap import Places, connect_temporal, open_log
from cli.command import DEBUG
from cli.errors import NothingRunning
from settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Interceptor

    from cli.threads import Threads


async def places(settings: Settings, *, with_model: bool = False) -> Places:
    """The addresses that are set, or those of the embedded system where it runs.

    `with_model` asks for the scripted model too, where no real one is set.
    """
    temporal, database = settings.temporal_address, settings.database_url
    scripted = with_model and settings.embeds_model
    elsewhere = settings.scripted_model_url if settings.uses_scripted_model else None
    if temporal is not None and database is not None and not scripted:
        return Places(temporal, database.get_secret_value(), elsewhere)
    from stack.stack import running

    addresses = await running(settings.home)
    if addresses is None:
        raise NothingRunning(
            f"nothing is running under PERDURE_HOME ({settings.home})",
            remedy="start it with `perdure up`, or set " + ", ".join(_missing(settings, scripted=scripted)),
        )
    if scripted and addresses.model is None:
        raise NothingRunning(
            f"the system under PERDURE_HOME ({settings.home}) was started with a model of its own, not a scripted one",
            remedy="set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL, here as it was set there",
        )
    return Places(
        temporal or addresses.temporal,
        database.get_secret_value() if database else addresses.database,
        addresses.model if scripted else elsewhere,
    )


def _missing(settings: Settings, *, scripted: bool) -> Iterator[str]:
    if settings.temporal_address is None:
        yield "TEMPORAL_ADDRESS"
    if settings.database_url is None:
        yield "DATABASE_URL"
    if scripted:
        yield "ANTHROPIC_API_KEY"


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator["Threads"]:
    """The programmatic client, for as long as the block runs."""
    from cli.headlines import Headlines
    from cli.threads import Threads

    quiet_logs()
    where = await places(settings)
    with _traced(settings) as interceptors:
        # Lazy: what needs the log only works without Temporal.
        client = await connect_temporal(settings, where.temporal, lazy=True, interceptors=interceptors)
        async with open_log(settings, where.database) as log:
            yield Threads(client, log, settings, Headlines(settings))


@contextmanager
def _traced(settings: Settings) -> Iterator[Sequence["Interceptor"]]:
    """What makes spans of the messages that are sent, where traces are wanted."""
    if settings.traces == "none":
        yield []
        return
    from telemetry.interceptor import Telemetry
    from telemetry.spans import configure_tracing

    provider = configure_tracing(settings)
    try:
        yield [Telemetry(settings, provider)]
    finally:
        if provider is not None:
            provider.shutdown()


def quiet_logs() -> None:
    """Adapters log retries; a command speaks for itself, and its stdout is for answers only."""
    level = logging.DEBUG if DEBUG in os.environ else logging.CRITICAL
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
