"""Where something stands in the files of the workspace.

The expression comes from a model, so it is matched by RE2, in time linear in the text: no expression can hang it.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, BinaryIO

import re2
from pydantic import Field

from tools.builtin.listing import MOST_SEEN, shown_name
from tools.builtin.reading import is_binary
from tools.context import ToolContext
from tools.errors import ToolFailed
from tools.globs import Glob
from tools.tool import tool
from tools.workspace import Workspace

LARGEST_FILE = 10_000_000
"""Bytes; larger ones are passed over."""
LONGEST_LINE = 10_000
"""Bytes of one line that are searched."""
SHOWN = 200
"""Characters of a line that are shown."""
_MEMORY = 8 << 20


@tool(effect="read_only", title="search_files {pattern}")
def search_files(
    context: ToolContext,
    pattern: Annotated[str, Field(min_length=1, max_length=500, description="Text to find")],
    path: Annotated[str, Field(description="Folder or file to search, relative to the workspace")] = ".",
    glob: Annotated[str, Field(description="Only files that fit, such as *.py or docs/**/*.md", max_length=200)] = "*",
    regex: Annotated[bool, Field(description="Take the pattern as a regular expression (RE2 syntax)")] = False,
    ignore_case: bool = False,
    limit: Annotated[int, Field(ge=1, le=1000, description="Most lines to show")] = 100,
) -> str:
    """Search the text files of the workspace, folders inside included; every line found is told as path:line: text.

    Hidden files are left out, and so are those larger than 10 MB.
    """
    expression = _compile(pattern, regex=regex, ignore_case=ignore_case)
    workspace = Workspace(context.workspace)
    found = (
        f"{shown_name(name)}:{number}: {_shown(line)}"
        for name in _files(workspace, path, Glob(glob))
        for number, line in _matches(workspace, name, expression, context)
    )
    lines = list(islice(found, limit + 1))
    if not lines:
        return f"nothing found for {pattern!r} in {path}"
    more = [f"[the first {limit:,} are shown; narrow the search or raise the limit]"] if len(lines) > limit else []
    return "\n".join([*lines[:limit], *more])


def _compile(pattern: str, *, regex: bool, ignore_case: bool) -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    options.literal = not regex
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        said = error.args[0] if error.args else b""
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise ToolFailed(f"{pattern!r} is no regular expression RE2 takes: {reason}") from error


def _files(workspace: Workspace, path: str, glob: Glob) -> Iterator[str]:
    if workspace.is_file(path):
        yield path
        return
    top = path.strip("/") if not path.startswith("/") else path.rstrip("/")
    for entry in islice(workspace.entries(path, recursive=True, hidden=False), MOST_SEEN):
        if entry.kind == "file" and entry.size <= LARGEST_FILE and glob.matches(entry.path):
            yield entry.path if top in ("", ".") else f"{top}/{entry.path}"


def _matches(workspace: Workspace, name: str, expression: Any, context: ToolContext) -> Iterator[tuple[int, bytes]]:
    try:
        with workspace.open_file(name) as file:
            yield from _matching_lines(file, expression, context)
    except ToolFailed:  # gone meanwhile, or closed to us
        return


def _matching_lines(file: BinaryIO, expression: Any, context: ToolContext) -> Iterator[tuple[int, bytes]]:
    if is_binary(file):
        return
    for number, line in enumerate(file, start=1):
        context.stop_if_cancelled()
        if expression.search(line[:LONGEST_LINE].rstrip(b"\r\n")):
            yield number, line


def _shown(line: bytes) -> str:
    text = line[:LONGEST_LINE].decode(errors="replace").strip()
    return shown_name(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
