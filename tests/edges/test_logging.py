"""Log lines: one form for everybody's, with their place in the work, without secrets."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from temporalio import activity, workflow
from temporalio.testing import ActivityEnvironment

from settings import Settings
from telemetry.lines import TALKATIVE, Redactor, bind, configure_logging, get_logger, striking

KEY = "sk-ant-api03-AbC_dEf-123"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave logging as it was found."""
    root, adapters = logging.getLogger(), (activity.logger, workflow.logger)
    handlers, level, quiet = root.handlers[:], root.level, [logging.getLogger(name).level for name in TALKATIVE]
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in zip(TALKATIVE, quiet, strict=True):
        logging.getLogger(name).setLevel(before)
    adapters[0].activity_info_on_message = adapters[1].workflow_info_on_message = True
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    """Where lines go."""
    return io.StringIO()


def _settings(**fields: Any) -> Settings:
    return Settings(**fields)


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_how_bad_who_and_what(stream: io.StringIO) -> None:
    """Time in UTC, level, logger, event, and the keys that were given."""
    configure_logging(_settings(), stream)
    get_logger("perdure.test").info("thing_done", count=3)
    (line,) = _lines(stream)
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() == timedelta(0)
    assert line == {"level": "info", "logger": "perdure.test", "event": "thing_done", "count": 3}


def test_libraries_log_in_the_same_way(stream: io.StringIO) -> None:
    """Lines of the standard library's loggers look like ours, extra keys and all."""
    configure_logging(_settings(), stream)
    logging.getLogger("some.library").warning("%s of %d", "one", 2, extra={"event_id": "e-1"})
    (line,) = _lines(stream)
    assert (line["logger"], line["level"], line["event"], line["event_id"]) == (
        "some.library",
        "warning",
        "one of 2",
        "e-1",
    )


def test_bound_keys_are_on_every_line(stream: io.StringIO) -> None:
    """Within a bound block everybody's lines carry the keys, and afterwards nobody's."""
    configure_logging(_settings(), stream)
    with bind(thread_id="t-1", step=4):
        get_logger("ours").info("a")
        logging.getLogger("theirs").info("b")
    get_logger("ours").info("c")
    assert [(line.get("thread_id"), line.get("step")) for line in _lines(stream)] == [
        ("t-1", 4),
        ("t-1", 4),
        (None, None),
    ]


def test_lines_below_the_level_are_left_out(stream: io.StringIO) -> None:
    """The level holds for our lines and for those of libraries."""
    configure_logging(_settings(log_level="warning"), stream)
    get_logger("ours").info("a")
    logging.getLogger("theirs").info("b")
    get_logger("ours").warning("c")
    assert [line["event"] for line in _lines(stream)] == ["c"]


@pytest.mark.parametrize(("capture_content", "shown"), [(False, []), (True, ["Request options: {'secret plan'}"])])
def test_requests_are_not_logged(capture_content: bool, shown: list[str], stream: io.StringIO) -> None:
    """Libraries that log what is sent to the model are quiet, unless what is said may be shown."""
    configure_logging(_settings(log_level="debug", capture_content=capture_content), stream)
    logging.getLogger("anthropic._base_client").debug("Request options: {'secret plan'}")
    assert [line["event"] for line in _lines(stream)] == shown


async def test_temporal_says_where_it_logs(stream: io.StringIO) -> None:
    """A line of an activity carries its thread, run, name and attempt by our names, and is not longer for it."""
    configure_logging(_settings(), stream)

    async def body() -> None:
        activity.logger.info("half way")

    await ActivityEnvironment().run(body)
    (line,) = _lines(stream)
    told = {key: line[key] for key in ("event", "thread_id", "run_id", "activity", "attempt")}
    assert told == {
        "event": "half way",
        "thread_id": "test",
        "run_id": "test-run",
        "activity": "unknown",
        "attempt": 1,
    }
    assert "temporal_activity" not in line


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_is_told_whole(log_format: str, stream: io.StringIO) -> None:
    """The traceback is part of the line, without the values of variables."""
    configure_logging(_settings(log_format=log_format), stream)
    hidden = "the value of a variable"
    try:
        int("x", base=len(hidden))
    except ValueError:
        get_logger("ours").exception("it_failed")
    assert "Traceback (most recent call last)" in stream.getvalue()
    assert "ValueError: invalid literal" in stream.getvalue()
    assert hidden not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_line_holds_a_secret(log_format: str, stream: io.StringIO) -> None:
    """Secrets are struck out of events, values, nested values, exceptions and the lines of libraries."""
    settings = _settings(
        log_format=log_format,
        temporal_api_key=SecretStr("temporal-cloud-key"),
        database_url=SecretStr("postgresql://ana:geheim@db/store"),
    )
    configure_logging(settings, stream)
    get_logger("ours").info(f"event {KEY}", value=KEY, nested={"list": ["temporal-cloud-key"]})
    logging.getLogger("theirs").warning("cannot reach %s", "postgresql://ana:geheim@db/store")
    try:
        int(KEY)
    except ValueError:
        get_logger("ours").exception("failed")
    assert [secret for secret in (KEY, "temporal-cloud-key", "geheim") if secret in stream.getvalue()] == []
    assert stream.getvalue().count("***") >= 5


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"key {KEY}.", "key ***."),
        ("authorization: Bearer abcdef.123456", "authorization: Bearer ***"),
        ("postgresql://ana:geheim@db:5432/x", "postgresql://ana:***@db:5432/x"),
        ("host=db password=geheim user=ana", "host=db password=*** user=ana"),
        ("https://example.org/a:b", "https://example.org/a:b"),
        ("nothing to hide, short words stay", "nothing to hide, short words stay"),
    ],
)
def test_secrets_are_known_by_their_looks(text: str, redacted: str) -> None:
    """What looks like a secret is struck out though nobody set it, and nothing else is."""
    assert Redactor({"short"}).redact(text) == redacted


class _Unseemly:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("no")


def test_a_line_that_cannot_be_rendered_stops_nobody(stream: io.StringIO) -> None:
    """Whoever logs a value that cannot be shown goes on, and so do later lines."""
    configure_logging(_settings(), stream)
    get_logger("ours").info("a", value=_Unseemly())
    logging.getLogger("theirs").info("b", extra={"value": _Unseemly()})
    get_logger("ours").info("c")
    assert [line["event"] for line in _lines(stream)] == ["c"]


def test_a_stream_that_is_gone_stops_nobody(stream: io.StringIO) -> None:
    """Whoever logs where nobody takes lines any more goes on, with lines of ours and of libraries."""
    configure_logging(_settings(), stream)
    stream.close()
    get_logger("ours").info("a")
    logging.getLogger("theirs").info("b")


def test_a_logger_without_a_name_has_its_modules(stream: io.StringIO) -> None:
    """Who asks for a logger without saying for whom is known by the module that logs."""
    configure_logging(_settings(), stream)
    structlog.get_logger().info("a")
    assert [line["logger"] for line in _lines(stream)] == [__name__]


def test_lines_pass_through_what_strikes(stream: io.StringIO) -> None:
    """Within the block, and no longer, lines of ours and of libraries are told as `striking` leaves them."""
    configure_logging(_settings(), stream)
    with striking(lambda text: text.replace("hush", "…")):
        get_logger("ours").info("hush")
        logging.getLogger("theirs").info("hush")
    get_logger("ours").info("hush")
    assert [line["event"] for line in _lines(stream)] == ["…", "…", "hush"]


def test_console_lines_are_for_people(stream: io.StringIO) -> None:
    """With format console, a line is words and not JSON, and has no colour where there is no terminal."""
    configure_logging(_settings(log_format="console"), stream)
    get_logger("ours").info("thing_done", count=3)
    assert "thing_done" in stream.getvalue()
    assert "count=3" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    assert "\x1b" not in stream.getvalue()


def test_configuring_twice_is_configuring_once(stream: io.StringIO) -> None:
    """No line is written twice, and the last word counts."""
    configure_logging(_settings(), io.StringIO())
    configure_logging(_settings(), stream)
    get_logger("ours").info("a")
    assert len(_lines(stream)) == 1
