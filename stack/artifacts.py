"""Whether the place where large content is kept can be written and read: told by doing both."""

import hashlib

from eventlog.artifacts.overflow import Overflow
from eventlog.artifacts.places import overflow_of
from eventlog.log import LogUnavailable
from eventlog.pool import PoolTerms, open_pool
from eventlog.statements import Statements

PROBE = b"perdure doctor was here"


async def probe_bucket(url: str) -> None:
    """Keep a few bytes in the bucket at `s3://bucket/prefix` and fetch them. Raises `LogUnavailable`."""
    from eventlog.artifacts.bucket import BucketArtifacts  # noqa: PLC0415 - a library that few systems need

    await _probe(Overflow([BucketArtifacts(url)]), url)


async def probe_table(url: str) -> bool:
    """The same with the table in the database at this address; False where it has none. Raises `LogUnavailable`."""
    terms = PoolTerms(max_size=1)
    async with open_pool(url, terms) as pool, Statements.on(pool, terms.pauses) as statements:
        return await _probe(overflow_of(statements, None), "the table perdure.artifacts")


async def _probe(overflow: Overflow, place: str) -> bool:
    digest = hashlib.sha256(PROBE).hexdigest()
    if not await overflow.keep({digest: PROBE}):
        return False
    if digest not in await overflow.fetch([digest]):
        raise LogUnavailable(f"{place} does not give back what was kept there")
    return True
