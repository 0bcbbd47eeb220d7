"""What somebody types in answer to a question, as the JSON that answers it."""

import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.answers import PendingQuestion
from cli.errors import BadUsage
from projections.uploads import MOST_BYTES_SENT


def typed_value(question: PendingQuestion, text: str) -> Any:
    """The answer in these words; raises `BadUsage` where they cannot be one."""
    match question.kind:
        case "choose" if _asked(question).get("several"):
            return text if text in _asked(question)["options"] else [each.strip() for each in text.split(",")]
        case "input" if _asked(question).get("form") is not None:
            return json_value("the answer to a form", text)
        case "upload":
            return file_value(Path(text).expanduser())
        case _:
            return text


def json_value(what: str, text: str) -> Any:
    """Any JSON; raises `BadUsage` that says where the mistake is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"{what} is no JSON: {error}", remedy="put it in single quotes") from error


def file_value(file: Path) -> Mapping[str, str]:
    """A file of this machine, as it is sent; raises `BadUsage` where it cannot be read or is too large for that."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES_SENT + 1)
    except OSError as error:
        raise BadUsage(f"{file} cannot be read: {error}") from error
    if len(data) > MOST_BYTES_SENT:
        raise BadUsage(
            f"{file} has more than {MOST_BYTES_SENT:,} bytes, which is the most that can be sent",
            remedy="put it into the workspace of the workers, and say where: --path report.pdf",
        )
    return {"name": file.name, "content": b64encode(data).decode()}


def _asked(question: PendingQuestion) -> Mapping[str, Any]:
    return question.inquiry or {}
