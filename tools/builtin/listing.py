"""What files there are in the workspace."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated

from pydantic import Field

from tools.context import ToolContext
from tools.globs import Glob
from tools.tool import tool
from tools.workspace import Entry, Workspace

MOST_SEEN = 100_000
"""Names looked at in one call."""


@tool(effect="read_only", title="list_files {path}")
def list_files(
    context: ToolContext,
    path: Annotated[str, Field(description="Folder to list, relative to the workspace")] = ".",
    pattern: Annotated[
        str, Field(description="Only names that fit, such as *.py or docs/**/*.md", max_length=200)
    ] = "*",
    recursive: Annotated[bool, Field(description="Also list the folders inside")] = False,
    hidden: Annotated[bool, Field(description="Also show dot files, __pycache__ and node_modules")] = False,
    limit: Annotated[int, Field(ge=1, le=2000, description="Most entries to show")] = 200,
) -> str:
    """List files and folders of the workspace, one on each line: folders end with /, files show their size."""
    glob = Glob(pattern)
    found = islice(Workspace(context.workspace).entries(path, recursive=recursive, hidden=hidden), MOST_SEEN)
    lines = list(islice(_fitting(found, glob, context), limit + 1))
    if not lines:
        return f"nothing in {path} fits {pattern}" + ("" if recursive else " (folders inside were not searched)")
    more = [f"[the first {limit:,} are shown; narrow the pattern or raise the limit]"] if len(lines) > limit else []
    return "\n".join([*lines[:limit], *more])


def _fitting(found: Iterable[Entry], glob: Glob, context: ToolContext) -> Iterator[str]:
    for entry in found:
        context.stop_if_cancelled()
        if glob.matches(entry.path):
            yield line_of(entry)


def line_of(entry: Entry) -> str:
    """An entry on one line, whatever its name holds."""
    name = shown_name(entry.path)
    match entry.kind:
        case "folder":
            return f"{name}/"
        case "file":
            return f"{name} ({entry.size:,} bytes)"
        case _:
            return f"{name} ({entry.kind})"


def shown_name(name: str) -> str:
    """The name with everything that cannot be printed escaped, line breaks and foreign bytes too."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)
