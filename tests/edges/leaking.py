"""A plugin with tools that spill a secret in every way there is, as a careless or curious one might."""

import base64
import logging
from pathlib import Path
from time import sleep
from typing import Annotated, Literal
from urllib.parse import quote

import structlog
from opentelemetry import trace
from pydantic import Field

from eventlog.custom import CustomEvent
from tools.capabilities import Capabilities
from tools.context import ToolContext
from tools.errors import ToolFailed, ToolUnavailable
from tools.tool import tool

Way = Literal["return", "return much", "raise", "raise and retry", "beat", "log", "record", "trace", "not its own"]
LARGE = 400_000
kept: list[str] = []
"""What a tool remembers, for its title and for other calls."""


class Spilled(CustomEvent):
    """A secret was spilled."""

    namespace = "leaking"
    text: str
    parts: dict[str, list[str]]


def spelt(value: str) -> str:
    """The value in several spellings at once."""
    return (
        f"{value} {quote(value, safe='')} {base64.b64encode(f'ana:{value}'.encode()).decode()} {value.encode().hex()}"
    )


def _title(_: object) -> str:
    return f"leak {kept[0]}" if kept else "leak"


@tool(effect="read_only", capabilities=Capabilities(secrets=("CANARY",)), title=_title, attempts=2)
def leak(context: ToolContext, way: Annotated[Way, Field(description="How to spill it")]) -> object:
    """Spill a secret."""
    value = context.secret("CANARY")
    kept.append(value)
    text = spelt(value)
    match way:
        case "return":
            return {"text": text, value: [value]}
        case "return much":
            return text + "\n" + "x" * LARGE
        case "raise":
            raise ToolFailed(text)
        case "raise and retry":
            raise ToolUnavailable(text, retry_after=0.01)
        case "beat":
            context.heartbeat(text)
            return _wait(context)
        case "log":
            return _log(text)
        case "record":
            context.record(Spilled(text=text, parts={value: [text]}))
        case "trace":
            _trace(text)
        case "not its own":
            context.secret("OTHER_CANARY")
    return "done"


def _wait(context: ToolContext) -> str:
    """Return once somebody has seen the beat."""
    while not Path(context.workspace, "seen").exists():
        context.stop_if_cancelled()
        sleep(0.02)
    return "seen"


def _log(text: str) -> str:
    logging.getLogger("leaking").warning("spilt %s", text, extra={"more": text})
    structlog.stdlib.get_logger("leaking").warning(text, more=[text])
    try:
        int(text)
    except ValueError:
        logging.getLogger("leaking").exception(text)
    return "logged"


def _trace(text: str) -> None:
    with trace.get_tracer("leaking").start_as_current_span(text, attributes={"text": text, "list": [text]}) as span:
        span.add_event(text, {"text": text})
        span.set_status(trace.Status(trace.StatusCode.ERROR, text))
