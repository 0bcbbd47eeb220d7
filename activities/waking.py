"""Telling other threads that there is more of what they wait for."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from eventlog.streams import ThreadId
from projections.requests import RaiseBudget

AT_ONCE = 20
"""Signals that are under way at a time."""


class Waker(Protocol):
    """Has threads look again at a budget that they share."""

    async def wake(self, threads: Iterable[str], request: RaiseBudget) -> None:
        """Tell each of them; one that is over needs nothing, and one that goes on already says nothing to it."""
        ...


class TemporalWaker:
    """Signals their workflows. Raises `temporalio.service.RPCError` where Temporal cannot be reached."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def wake(self, threads: Iterable[str], request: RaiseBudget) -> None:
        """See `Waker`."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(thread: str) -> None:
            async with gate:
                await self._signal(ThreadId(thread), request)

        await asyncio.gather(*(one(thread) for thread in threads))

    async def _signal(self, thread: ThreadId, request: RaiseBudget) -> None:
        try:
            await self._client.get_workflow_handle(thread).signal(request.request, request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
