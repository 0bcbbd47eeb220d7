"""Writing a file into the workspace, once a person has agreed."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from tools.context import ToolContext
from tools.errors import ToolFailed
from tools.titles import one_line
from tools.tool import tool
from tools.workspace import Workspace

LONGEST_PATH_SHOWN = 40


def _title(arguments: Mapping[str, Any]) -> str:
    path = one_line(arguments["path"], 4096)
    # The end tells more than the beginning, and a long path may not push the size out of sight.
    path = path if len(path) <= LONGEST_PATH_SHOWN else f"…{path[-LONGEST_PATH_SHOWN:]}"
    return f"write_file {path} ({len(arguments['content']):,} characters)"


def _reason(_: Mapping[str, Any]) -> str:
    return "it writes a file into the workspace, over one that may stand there"


# Idempotent: the same content at the same path is the same file, however often it is written.
@tool(effect="idempotent", risk="medium", approval=_reason, title=_title)
def write_file(
    context: ToolContext,
    path: Annotated[str, Field(min_length=1, description="File to write, relative to the workspace")],
    content: Annotated[str, Field(description="The whole text of the file")],
) -> str:
    """Write a text file into the workspace, replacing one of the same name; missing folders are made.

    A person is asked first.
    """
    try:
        data = content.encode()
    except UnicodeEncodeError as error:
        raise ToolFailed("the content holds lone surrogates, which no text file can") from error
    old = Workspace(context.workspace).write(path, data, context.idempotency_key)
    if old is None:
        return f"created {path} ({len(data):,} bytes)"
    return f"replaced {path} ({old:,} bytes before, {len(data):,} bytes now)"
