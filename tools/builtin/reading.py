"""What a text file in the workspace says."""

from typing import Annotated, BinaryIO

from pydantic import Field

from tools.context import ToolContext
from tools.errors import ToolFailed
from tools.tool import tool
from tools.workspace import Workspace

MOST_BYTES = 40_000
"""Of one answer: under what a result may have, so that reading goes on at a line."""
PROBE = 8_192
"""Bytes that show whether a file is text."""


@tool(effect="read_only", title="read_file {path}")
def read_file(
    context: ToolContext,
    path: Annotated[str, Field(description="File to read, relative to the workspace")],
    start_line: Annotated[int, Field(ge=1, description="First line to read, counted from 1")] = 1,
    line_count: Annotated[int, Field(ge=1, le=10_000, description="Most lines to read")] = 2000,
) -> str:
    """Read a text file of the workspace, whole or some of its lines. Tells where to go on if it is long."""
    with Workspace(context.workspace).open_file(path) as file:
        if is_binary(file):
            raise ToolFailed(f"{path!r} is not a text file")
        for skipped in range(start_line - 1):
            context.stop_if_cancelled()
            if not _skip_line(file):
                raise ToolFailed(f"{path!r} has only {skipped:,} lines")
        return _lines(file, path, start_line, line_count)


def is_binary(file: BinaryIO) -> bool:
    """Whether a file, open at its beginning, holds something else than text."""
    probe = file.read(PROBE)
    file.seek(0)
    return b"\0" in probe


def _skip_line(file: BinaryIO) -> bool:
    """Read over one line in pieces, however long it is; False at the end of the file."""
    piece = file.readline(MOST_BYTES)
    begun = bool(piece)
    while piece and not piece.endswith(b"\n"):
        piece = file.readline(MOST_BYTES)
    return begun


def _lines(file: BinaryIO, path: str, start: int, count: int) -> str:
    lines: list[bytes] = []
    left = MOST_BYTES
    while len(lines) < count and left > 0:
        line = file.readline(MOST_BYTES)
        if not line:
            break
        if len(line) > left:
            return _text(lines) + _go_on(start, len(lines))
        lines.append(line)
        left -= len(line)
        if len(line) == MOST_BYTES and not line.endswith(b"\n"):
            return (
                _text(lines)
                + f"\n[line {start:,} is longer than {MOST_BYTES:,} bytes and cut here; search_files finds text in it]"
            )
    if not lines:
        return f"({path} is empty)" if start == 1 else f"({path} has only {start - 1:,} lines)"
    return _text(lines) + (_go_on(start, len(lines)) if file.read(1) else "")


def _text(lines: list[bytes]) -> str:
    text = b"".join(lines)
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="replace") + "\n[some bytes are not UTF-8 and are shown as \ufffd]"


def _go_on(start: int, shown: int) -> str:
    return f"\n[lines {start:,} to {start + shown - 1:,} are shown; go on with start_line={start + shown}]"
