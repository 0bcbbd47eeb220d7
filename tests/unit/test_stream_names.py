"""Names of threads, streams and categories."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.streams import (
    AGENT,
    InvalidName,
    StreamParts,
    ThreadId,
    build_stream_name,
    category,
    parse_stream_name,
    stream_of,
    thread_id,
)

categories = st.from_regex(r"[a-z][a-z0-9_]{0,99}", fullmatch=True)
versions = st.from_regex(r"v[0-9]{1,9}", fullmatch=True)
threads = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,199}", fullmatch=True)


@given(categories, versions, threads)
def test_a_name_is_taken_apart_as_it_was_built(name: str, version: str, thread: str) -> None:
    """Parsing inverts building, also where the thread holds dashes and colons."""
    stream = build_stream_name(name, version, thread)
    assert parse_stream_name(stream) == StreamParts(name, version, ThreadId(thread))
    assert len(stream) <= 512


@given(threads)
def test_message_db_sees_the_category_we_mean(thread: str) -> None:
    """What stands before the first dash of a thread's stream is the agents' category."""
    assert stream_of(thread_id(thread)).split("-", 1) == [AGENT, thread]
    assert category(AGENT) == AGENT


@given(st.text())
def test_any_text_is_a_stream_name_or_refused(text: str) -> None:
    """No text crashes the parser, and what it accepts it builds again."""
    with suppress(InvalidName):
        parts = parse_stream_name(text)
        assert build_stream_name(parts.category, parts.version, parts.thread) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("a" * 201, "at most 200 characters, this one has 201"),
        ("a+b", "letters, digits"),  # Message DB would cut the id at the +
        ("-a", "beginning with a letter or digit"),
        ("a b", "letters, digits"),
        ("a\n", "letters, digits"),
        ("a/b", "letters, digits"),
        ("ä", "letters, digits"),
        ("٣", "letters, digits"),  # a digit, but not of ours
        ("a\0", "letters, digits"),
    ],
)
def test_a_bad_thread_id_is_refused_in_words(text: str, problem: str) -> None:
    """The message says what is wrong with it."""
    with pytest.raises(InvalidName, match=problem):
        thread_id(text)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        (("my-agent", "v1", "x"), "cannot be a category"),  # would silently become the category `my`
        (("", "v1", "x"), "cannot be a category"),
        (("Agent", "v1", "x"), "cannot be a category"),
        (("a:b", "v1", "x"), "cannot be a category"),
        (("a" * 101, "v1", "x"), "up to 100"),
        (("agent", "1", "x"), "version"),
        (("agent", "v1-", "x"), "version"),
        (("agent", "v", "x"), "version"),
        (("agent", "v1", ""), "empty"),
    ],
)
def test_a_bad_part_is_refused_in_words(parts: tuple[str, str, str], problem: str) -> None:
    """The message names the part."""
    with pytest.raises(InvalidName, match=problem):
        build_stream_name(*parts)


@pytest.mark.parametrize("text", ["agent", "agent:v1"])
def test_a_category_may_do_without_a_version(text: str) -> None:
    """Categories of other programs can be read too."""
    assert category(text) == text
