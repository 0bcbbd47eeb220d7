"""The worker: runs sessions and their steps until it is told to stop. Start as many as there is work for."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from activities.admission import Admission
from activities.consents import Consents
from activities.inquiries import Answers
from activities.journal import CODE_VERSION
from activities.model import ModelActivities
from activities.rulings import Rulings
from activities.session import SessionActivities
from activities.stopping import StoppingActivities
from activities.tokens import Tokens
from activities.tools import ToolActivities
from activities.views import Views
from activities.waking import TemporalWaker
from bootstrap import (
    Defaults,
    Places,
    connect_temporal,
    load_extensions,
    loop_terms,
    open_admission,
    open_book,
    open_ledger,
    open_log,
    open_model,
    open_notices,
    open_subscribers,
    open_tools,
    open_vault,
    open_views,
    purse_of,
    read_prices,
)
from budgets.book import Book
from eventlog.log import EventLog
from eventlog.vocabulary import NO_EVENTS, Vocabulary
from llm.model import Model
from policy.files import Policies
from settings import Settings
from telemetry.interceptor import Telemetry
from telemetry.lines import get_logger, striking, temporal_runtime
from telemetry.spans import configure_tracing
from tools.workbench import Workbench
from workflows.agent import AgentWorkflow
from workflows.face import PENDING, STATUS, TENANT
from workflows.sandbox import Sandbox

SEARCH_ATTRIBUTES = {
    STATUS.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    TENANT.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    PENDING.name: IndexedValueType.INDEXED_VALUE_TYPE_INT,
}
HEARTBEATS_AT_MOST_EVERY = timedelta(seconds=1)
"""So that a stop is heard within about a second."""

STICKY = timedelta(seconds=3)
"""So long a worker that was busy with a session is waited for before another one reads that session's history anew."""

POLLERS = PollerBehaviorAutoscaling(minimum=1, initial=1)
"""How many activities are asked for at a time, in vain if this process is frozen: one, and more where they queue up."""

ONE_BY_ONE = 1
"""Payloads at a time that the SDK looks for elsewhere, where none is: with more it makes a task for each."""

logger = get_logger(__name__)


def sandbox() -> SandboxedWorkflowRunner:
    """Workflow code runs with strict imports: a class loaded twice would make `isinstance` lie.

    Our own modules are loaded once, not for every session anew: they keep nothing, and what they call is linted.
    """
    policy = (
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    restrictions = SandboxRestrictions.default.with_passthrough_modules("workflows")
    return Sandbox(restrictions=restrictions.with_import_notification_policy(policy))


def build(
    client: Client,
    settings: Settings,
    *,
    log: EventLog,
    model: Model,
    toolbox: Workbench,
    defaults: Defaults,
    vocabulary: Vocabulary = NO_EVENTS,
    views: Views | None = None,
    admission: Admission | None = None,
    book: Book | None = None,
) -> Worker:
    """A worker of these parts; where no views are given, it has its own, without snapshots."""
    views = views or Views(log)
    policies = Policies(settings.policies, settings.policy)
    tokens = Tokens(settings.approval_key)
    prices = read_prices(settings)
    purse = purse_of(settings, log, views, prices, book, TemporalWaker(client))
    answers, consents = Answers(views, toolbox.workspace), Consents(views, toolbox, Rulings(purse.price_of), tokens)
    sessions = SessionActivities(log, views, toolbox, defaults, vocabulary, policies, answers, consents, purse=purse)
    loops = loop_terms(settings)
    models = ModelActivities(log, views, model, toolbox, prices, purse=purse, admission=admission, loops=loops)
    tools = ToolActivities(log, views, toolbox, toolbox.workspace, tokens, admission, purse)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[AgentWorkflow],
        activities=[
            sessions.open_session,
            sessions.recall_session,
            sessions.tell,
            models.call_model,
            tools.run_tool,
            StoppingActivities(log, views, toolbox, toolbox.workspace).stop_call,
        ],
        workflow_runner=sandbox(),
        build_id=CODE_VERSION,
        max_concurrent_activities=settings.max_concurrent_activities,
        activity_task_poller_behavior=POLLERS,
        max_heartbeat_throttle_interval=HEARTBEATS_AT_MOST_EVERY,
        default_heartbeat_throttle_interval=HEARTBEATS_AT_MOST_EVERY,
        sticky_queue_schedule_to_start_timeout=STICKY,
        max_workflow_task_external_storage_concurrency=ONE_BY_ONE,
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
    )


async def register_search_attributes(client: Client) -> None:
    """Make sure that the namespace knows ours: without them no session could show itself."""
    service = client.operator_service
    known = await service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    missing = {name: kind for name, kind in SEARCH_ATTRIBUTES.items() if name not in known.custom_attributes}
    if missing:
        request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        await service.add_search_attributes(request)


@asynccontextmanager
async def working(settings: Settings, places: Places) -> AsyncIterator[Worker]:
    """A worker that runs for the block's duration, and then lets its calls finish."""
    vault = open_vault(settings)
    provider = configure_tracing(settings, vault.strike_text)
    client = await connect_temporal(
        settings, places.temporal, interceptors=[Telemetry(settings, provider)], runtime=temporal_runtime()
    )
    await register_search_attributes(client)
    async with (
        open_log(settings, places.database) as log,
        open_views(settings, log) as views,
        open_model(settings, places) as model,
        open_tools(settings, vault) as toolbox,
        open_ledger(settings, log),
        open_notices(settings, log, vault),
        open_subscribers(settings, log),
    ):
        worker = build(
            client,
            settings,
            log=log,
            model=model,
            toolbox=toolbox,
            defaults=Defaults.of(settings),
            views=views,
            admission=await open_admission(settings, log),
            book=await open_book(settings, log),
            vocabulary=load_extensions(settings).events,
        )
        try:
            with striking(vault.strike_text):
                async with worker:
                    yield worker
        finally:
            if provider is not None:
                provider.shutdown()


async def run(settings: Settings, places: Places, ready: Callable[[], None] = lambda: None) -> None:
    """Work until SIGTERM or SIGINT; then take no more, let what runs finish, and return."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with working(settings, places):
            logger.info("worker_started", task_queue=settings.task_queue, temporal=places.temporal)
            ready()
            await stop.wait()
            logger.info("worker_stopping", grace_seconds=settings.graceful_shutdown_seconds)
    except asyncio.CancelledError:
        # The SDK cancels whoever stops a worker whose server is away: it has stopped all the same.
        if not stop.is_set():
            raise
        logger.warning("worker_stopped_without_temporal")
    else:
        logger.info("worker_stopped")
