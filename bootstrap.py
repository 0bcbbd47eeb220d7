"""Where real things meet: settings in, adapters out. Only the edges (`worker.py`, `client.py`) come here.

Each function imports what it puts together: a command then waits for what it needs, and for nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from settings import Settings, environment

if TYPE_CHECKING:
    from temporalio.client import Client, Interceptor, TLSConfig
    from temporalio.runtime import Runtime

    from activities.admission import Admission
    from activities.purse import Purse
    from activities.views import Views
    from activities.waking import Waker
    from budgets.book import Book as Accounts
    from eventlog.artifacts.bucket import BucketArtifacts
    from eventlog.consumer import Follower
    from eventlog.log import EventLog
    from eventlog.postgres import PostgresEventLog
    from llm.anthropic import AnthropicModel
    from llm.clients import AnthropicClient
    from llm.messages import ModelRequest, ModelTerms
    from llm.pricing import Prices
    from notices.office import Office
    from projections.loops import LoopTerms
    from resilience.postgres import PostgresStore
    from tools.mcp.servers import Connections
    from tools.plugins import Plugins
    from tools.sandbox.sandbox import Limits
    from tools.secrets import Vault
    from tools.tool import Tool
    from tools.workbench import Workbench

SYSTEM = """\
You are a careful agent with tools. You work in a folder that is your workspace; paths are relative to it.

Use tools where they help, several at once where they do not depend on each other. Some calls must be allowed by a
person first: ask for them plainly and do not ask again when one is denied; look for another way or say what you need.
A tool's error tells you what to change. Never claim to have done what no tool result confirms.

When you are done, answer briefly: what you found or did, and what is left open.
"""
"""The system prompt where nobody set one."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of the system are."""

    temporal: str
    database: str
    model: str | None = None
    """Base URL of the scripted model; None where a real one is asked."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a session gets where its starter said nothing."""

    model: ModelTerms
    system: str
    fallback_models: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Defaults:
        """The defaults by the settings."""
        from llm.messages import ModelTerms

        terms = ModelTerms(
            name=settings.model_name, max_tokens=settings.max_tokens, thinking_tokens=settings.thinking_tokens
        )
        prompt = settings.system_prompt_file
        return cls(terms, prompt.read_text(encoding="utf-8") if prompt else SYSTEM, settings.fallback_models)


async def connect_temporal(
    settings: Settings,
    address: str,
    *,
    lazy: bool = False,
    interceptors: Sequence[Interceptor] = (),
    runtime: Runtime | None = None,
) -> Client:
    """A client of the Temporal server at `address`; the embedded one asks for no key and speaks no TLS."""
    from temporalio.client import Client

    from workflows.payloads import data_converter

    theirs = address == settings.temporal_address
    key = settings.temporal_api_key if theirs else None
    return await Client.connect(
        address,
        namespace=settings.temporal_namespace,
        api_key=key.get_secret_value() if key else None,
        tls=theirs and _tls(settings),
        data_converter=data_converter,
        interceptors=interceptors,
        lazy=lazy,
        runtime=runtime,
    )


def _tls(settings: Settings) -> TLSConfig | bool:
    from temporalio.client import TLSConfig

    files = (settings.temporal_tls_server_ca, settings.temporal_tls_client_cert, settings.temporal_tls_client_key)
    if not any(files):
        return settings.temporal_tls or settings.temporal_api_key is not None
    authority, certificate, key = (file.read_bytes() if file else None for file in files)
    return TLSConfig(server_root_ca_cert=authority, client_cert=certificate, client_private_key=key)


@asynccontextmanager
async def open_log(settings: Settings, url: str) -> AsyncIterator[PostgresEventLog]:
    """The log at `url`, for the block's duration."""
    from eventlog.pool import PoolTerms
    from eventlog.postgres import PostgresEventLog

    terms = PoolTerms(max_size=settings.database_pool_size)
    async with PostgresEventLog.connect(url, terms, bucket=bucket_of(settings)) as log:
        yield log


def bucket_of(settings: Settings) -> BucketArtifacts | None:
    """The bucket that the settings name, for what is large; nobody is asked yet."""
    if settings.artifacts is None:
        return None
    from eventlog.artifacts.bucket import BucketArtifacts

    return BucketArtifacts(settings.artifacts)


@asynccontextmanager
async def open_views(settings: Settings, log: PostgresEventLog) -> AsyncIterator[Views]:
    """Views of the log's threads, for the block's duration; with snapshots, unless the settings want none."""
    from activities.keeper import SnapshotKeeper
    from activities.views import Views

    capacity = settings.view_cache_mb * 1024 * 1024
    if settings.snapshot_every == 0:
        yield Views(log, capacity=capacity)
        return
    async with SnapshotKeeper.open(log.snapshots, settings.snapshot_every) as keeper:
        yield Views(log, keeper, capacity)


@asynccontextmanager
async def open_office(settings: Settings, log: PostgresEventLog, vault: Vault) -> AsyncIterator[Office]:
    """Who is told of what happens, and what waits for them. Raises `policy.mistakes.InvalidFile`."""
    from activities.tokens import Tokens
    from notices.notifier import Notifier
    from notices.office import Office, open_addressees
    from notices.postgres import PostgresDeliveries

    notifiers = load_extensions(settings).of(Notifier)
    async with open_addressees(settings.webhooks, notifiers, vault) as addressees:
        deliveries, tokens = PostgresDeliveries(log.statements), Tokens(settings.approval_key)
        yield Office.of(addressees, log, deliveries, tokens.token_of, vault.strike_text)


@asynccontextmanager
async def open_notices(settings: Settings, log: PostgresEventLog, vault: Vault) -> AsyncIterator[None]:
    """People are told, for the block's duration, where there are any to be told."""
    from eventlog.consumer import Follower, following
    from notices.desk import serving
    from telemetry.lines import get_logger

    async with open_office(settings, log, vault) as office:
        if not (settings.consumers and office.addressees.targets):
            yield
            return
        for webhook in office.addressees.webhooks:
            for problem in webhook.problems():
                get_logger(__name__).warning("webhook_unusable", endpoint=webhook.name, problem=problem)
        followers = [Follower(log.feed, each, office.letters.set_aside) for each in office.consumers]
        async with following(*followers), serving(office.desks, office.bury_orphans):
            yield


@asynccontextmanager
async def open_ledger(settings: Settings, log: PostgresEventLog) -> AsyncIterator[None]:
    """The ledger is kept, and watched, for the block's duration, unless the settings want it otherwise.

    Raises `policy.mistakes.InvalidFile`.
    """
    from eventlog.consumer import following
    from ledger.alerts import read_alerts
    from ledger.watch import Watch, watching

    if not settings.consumers:
        yield
        return
    alerts = read_alerts(settings.alerts).alerts if settings.alerts else ()
    async with following(ledger_follower(log)), watching(Watch(log, log.feed, alerts)):
        yield


@asynccontextmanager
async def open_subscribers(settings: Settings, log: PostgresEventLog) -> AsyncIterator[None]:
    """Plugins' subscribers follow the log, for the block's duration, unless the settings want it otherwise."""
    from eventlog.consumer import Follower, following
    from eventlog.dead_letters import DeadLetters
    from eventlog.subscriber import Subscriber

    subscribers = load_extensions(settings).of(Subscriber) if settings.consumers else ()
    letters = DeadLetters(log)
    async with following(*(Follower(log.feed, each.consumer, letters.set_aside, each.pace) for each in subscribers)):
        yield


def ledger_follower(log: PostgresEventLog) -> Follower:
    """What keeps the ledger, in a worker or wherever it is wanted."""
    from eventlog.consumer import Follower
    from eventlog.dead_letters import DeadLetters
    from ledger.book import Book

    return Follower(log.feed, Book(log.feed).consumer, DeadLetters(log).set_aside)


async def open_admission(settings: Settings, log: PostgresEventLog) -> Admission:
    """What lets calls through: by circuits and limits in the log's database, where it has their tables.

    Raises `InvalidFile` where the file of limits is none.
    """
    from activities.admission import Admission
    from resilience.limits import read_limits
    from telemetry.lines import get_logger

    limits, store = read_limits(settings.rate_limits), await open_store(log)
    if store is not None:
        return Admission(store, limits, provider_of(settings))
    lost = "no circuits" if not limits.limits else "no circuits, and the limits do not hold"
    get_logger(__name__).warning("resilience_not_installed", problem=f"the database has no tables for them: {lost}")
    return Admission()


async def open_store(log: PostgresEventLog) -> PostgresStore | None:
    """What workers share of circuits and limits; None where the log's database has no tables for it."""
    from resilience.postgres import PostgresStore

    store = PostgresStore(log.statements)
    return store if await store.is_open() else None


def provider_of(settings: Settings) -> str:
    """Who serves the model, by the name that its circuit has."""
    if settings.uses_scripted_model:
        return "scripted"
    elsewhere = settings.provider == "anthropic" and settings.anthropic_base_url
    return urlsplit(elsewhere).netloc if elsewhere else settings.provider


def loop_terms(settings: Settings) -> LoopTerms:
    """After how many equal rounds of calls what is done."""
    from projections.loops import LoopTerms

    return LoopTerms(*settings.loops) if settings.loops else LoopTerms(0, 0, 0)


def load_extensions(settings: Settings) -> Plugins:
    """All that the built-in plugin brings, and those that the settings name."""
    from eventlog.subscriber import Subscriber
    from notices.notifier import Notifier
    from projections.fold import Projection
    from projections.ours import OURS
    from tools.plugins import load_plugins

    return load_plugins(settings.plugins, others=(Projection, Notifier, Subscriber), ours=OURS.values())


def lay_out_tools(settings: Settings, vault: Vault | None = None) -> Workbench:
    """The built-in tools and those of plugins, in the workspace, and what gives them secrets."""
    from tools.builtin.code import within
    from tools.workbench import Workbench

    tools = [*within(_sandbox_limits(settings), load_extensions(settings).tools), *_fetching(settings)]
    return Workbench(tools, settings.workspace, vault=vault or open_vault(settings))


def open_vault(settings: Settings) -> Vault:
    """The secrets that tools may be given; none is read yet."""
    from tools.secrets import Vault

    return Vault(settings.secrets_dir, environment())


def _fetching(settings: Settings) -> list[Tool]:
    """The tool that fetches, where there is anything it may fetch: none is offered in vain."""
    if not settings.fetch_domains:
        return []
    from tools.fetching.domains import Domains
    from tools.fetching.fetcher import Fetcher
    from tools.fetching.tool import http_fetch_tool

    return [http_fetch_tool(Fetcher(Domains(settings.fetch_domains)))]


@asynccontextmanager
async def open_tools(settings: Settings, vault: Vault | None = None) -> AsyncIterator[Workbench]:
    """The same, and the tools of MCP servers, which are connected to for the block's duration."""
    from telemetry.lines import get_logger

    own, logger = lay_out_tools(settings, vault), get_logger(__name__)
    async with open_mcp(settings) as servers:
        for what, why in servers.problems().items():
            logger.warning("mcp_unusable", what=what, why=why)
        yield own.beside(servers)


@asynccontextmanager
async def open_mcp(settings: Settings) -> AsyncIterator[Connections]:
    """Connections to the MCP servers that the settings name, if any, each tried once."""
    from tools.mcp.servers import open_servers
    from tools.mcp.settings import read_servers

    variables = environment()
    named = read_servers(settings.mcp, variables) if settings.mcp else {}
    async with open_servers(named, variables) as servers:
        yield servers


def _sandbox_limits(settings: Settings) -> Limits:
    from tools.sandbox.sandbox import MIB, Limits

    return Limits(
        cpu_seconds=settings.sandbox_cpu_seconds,
        seconds=settings.sandbox_seconds,
        memory_bytes=settings.sandbox_memory_mb * MIB,
        output_bytes=settings.sandbox_output_kb * 1024,
        folder_bytes=settings.sandbox_folder_mb * MIB,
    )


@asynccontextmanager
async def open_model(settings: Settings, places: Places) -> AsyncIterator[AnthropicModel]:
    """The model that the settings name, for the block's duration."""
    from llm.anthropic import AnthropicModel

    model = AnthropicModel(_model_client(settings, places))
    try:
        yield model
    finally:
        await model.close()


def _model_client(settings: Settings, places: Places) -> AnthropicClient:
    from llm.clients import anthropic_client, bedrock_client, vertex_client

    key = settings.anthropic_api_key.get_secret_value() if settings.anthropic_api_key else None
    match settings.provider:
        case "anthropic":
            return anthropic_client(api_key=key, base_url=settings.anthropic_base_url or places.model)
        case "vertex":
            return vertex_client(project=settings.vertex_project or "", region=settings.vertex_region or "")
        case "bedrock":
            return bedrock_client(region=settings.bedrock_region or "")


def request_encoder(settings: Settings) -> Callable[[ModelRequest], bytes]:
    """The HTTP body of a request to the model that the settings name. Nobody is asked, so no key is needed."""
    from llm.anthropic import BEDROCK, PLAIN, VERTEX
    from llm.body import body_of

    dialect = {"anthropic": PLAIN, "vertex": VERTEX, "bedrock": BEDROCK}[settings.provider]
    return lambda request: dialect.encode(body_of(request))


async def open_book(settings: Settings, log: PostgresEventLog) -> Accounts | None:
    """The accounts of budgets that threads share; None where there are none. Raises `LogError`."""
    if settings.budgets is None:
        return None
    from budgets.postgres import PostgresBook

    book = PostgresBook(log.statements)
    await book.check()
    return book


def purse_of(
    settings: Settings,
    log: EventLog,
    views: Views,
    prices: Prices,
    book: Accounts | None,
    waker: Waker | None = None,
) -> Purse:
    """What holds calls against budgets. Raises `policy.mistakes.InvalidFile`."""
    from activities.journal import Journal
    from activities.purse import Purse
    from budgets.files import read_budgets

    budgets = read_budgets(settings.budgets) if settings.budgets is not None else None
    if budgets is not None and book is None:
        raise ValueError("budgets need a book of accounts")
    return Purse(Journal(log, views), views, prices, budgets, book, waker)


def read_prices(settings: Settings) -> Prices:
    """What models cost, by the built-in list and the user's own."""
    from llm.pricing import Prices

    return Prices.load(settings.prices_file)
