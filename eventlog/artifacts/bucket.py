"""Artifacts in a bucket of S3, or of anything that speaks its protocol: an object for each, named by its digest.

Where that is and who may go in is told by the standard `AWS_*` variables. An object is written again without asking
whether it is there: it can only be the same, and one that was damaged is mended.
"""

import asyncio
import re
from collections.abc import Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from eventlog.artifacts.store import ArtifactsUnavailable, Digest
from eventlog.log import LogError, LogMisconfigured

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

T = TypeVar("T")

AT_ONCE = 8
"""Objects that are fetched or written at the same time."""

_CLIENT: Final["ClientConfig"] = {
    "allow_http": True,  # told by the address; servers on the own network often have no certificate
    "connect_timeout": timedelta(seconds=5),
    "timeout": timedelta(seconds=60),
}
_RETRIES: Final["RetryConfig"] = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}
"""Few: whoever writes to the log tries again by himself, for as long as it takes."""


class BucketArtifacts:
    """Objects under one prefix of one bucket."""

    def __init__(self, url: str) -> None:
        """The bucket at `s3://bucket/prefix`; nobody is asked yet. Raises `LogMisconfigured`."""
        self._url = url
        with self._errors_named():
            self._store = S3Store.from_url(url, client_options=_CLIENT, retry_config=_RETRIES)
        self._free = asyncio.Semaphore(AT_ONCE)

    async def is_open(self) -> bool:
        """Always: where there is a bucket, nothing else is a place for what is large."""
        return True

    async def keep(self, artifacts: Mapping[Digest, bytes]) -> None:
        """Keep these; see `ArtifactStore.keep`."""
        await _all(self._put(digest, content) for digest, content in artifacts.items())

    async def _put(self, digest: Digest, content: bytes) -> None:
        async with self._free:
            with self._errors_named():
                await obstore.put_async(self._store, _name(digest), content, use_multipart=False)

    async def fetch(self, digests: Collection[Digest]) -> dict[Digest, bytes]:
        """Those that are there; see `ArtifactStore.fetch`."""
        contents = await _all(self._get(digest) for digest in digests)
        return {digest: content for digest, content in zip(digests, contents, strict=True) if content is not None}

    async def _get(self, digest: Digest) -> bytes | None:
        async with self._free:
            with self._errors_named():
                try:
                    found = await obstore.get_async(self._store, _name(digest))
                except FileNotFoundError as error:
                    if "NoSuchBucket" in str(error):
                        raise
                    return None
                return bytes(await found.bytes_async())

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """The log's errors for those of the library."""
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise LogMisconfigured(
                f"{self._url} does not let us in: {_words(error)} (check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
                "AWS_REGION, and that they may s3:GetObject, s3:PutObject and s3:ListBucket)"
            ) from error
        except FileNotFoundError as error:
            raise LogMisconfigured(f"{self._url} has no such bucket (check PERDURE_ARTIFACTS)") from error
        except (BaseError, OSError, ValueError) as error:
            raise ArtifactsUnavailable(
                f"{self._url} cannot be reached: {_words(error)} (check AWS_ENDPOINT_URL and AWS_REGION)"
            ) from error


async def _all(tasks: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What each comes to; where one fails, the others are stopped. Raises `LogError`."""
    try:
        async with asyncio.TaskGroup() as group:
            begun = [group.create_task(task) for task in tasks]
    except* LogError as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in begun]


_TRIES = re.compile(r"^Generic S3 error: Error performing .*, retry_timeout: \S+\s+- ")
"""What the library says first of a request that it has tried again: its address and its own settings."""


def _name(digest: Digest) -> str:
    return f"sha256/{digest[:2]}/{digest}"


def _words(error: Exception) -> str:
    """What went wrong, without the library's own picture of it."""
    said = str(error).partition("Debug source:")[0].partition("\n")[0].strip().rstrip(":")
    return _TRIES.sub("", said)
