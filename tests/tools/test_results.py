"""What a tool returned, as the model reads it."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from llm.messages import text_block
from tools.results import MOST_IMAGE_BYTES, blocks_of, bounded

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


class Weather(BaseModel):
    """A model to return."""

    city: str
    degrees: float


@dataclass
class Point:
    """A dataclass to return."""

    x: int


class Picture:
    """Something that draws itself, as Pillow's images do."""

    def _repr_png_(self) -> bytes:
        """Draw."""
        return PNG


class Hostile:
    """Something that cannot even be shown."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (None, "done"),
        ("", "(empty)"),
        (" \n", "(white space only)"),
        (3, "3"),
        (True, "true"),
        ({"é": [1, None]}, '{"é": [1, null]}'),
        ([], "[]"),
        ([{"type": "dog"}], '[{"type": "dog"}]'),
        ({"when": date(2026, 1, 2)}, '{"when": "2026-01-02"}'),
        (Weather(city="Rome", degrees=21.5), '{"city": "Rome", "degrees": 21.5}'),
        (Point(1), '{"x": 1}'),
        (date(2026, 1, 2), "2026-01-02"),
        (b"bytes", "bytes"),
        (b"\xff\x00", "(2 bytes that are neither text nor a PNG, JPEG, GIF or WebP image)"),
        (Hostile(), "done, but the result, of type Hostile, cannot be shown: RuntimeError"),
        ("a\x00\ud800", "a\x00\ud800"),
    ],
)
def test_values_become_text(value: Any, text: str) -> None:
    """Text is text, data is JSON, nothing is said to be done, and what cannot be shown is told so."""
    assert blocks_of(value, 1000) == (text_block(text),)


@pytest.mark.parametrize("value", [PNG, Picture(), bytearray(PNG)])
def test_images_become_image_blocks(value: Any) -> None:
    """Bytes of an image, and what draws itself as PNG, is shown as an image."""
    (block,) = blocks_of(value, 1000)
    assert block["type"] == "image"
    assert block["source"]["media_type"] == "image/png"


def test_an_image_too_large_for_any_provider_is_told_so() -> None:
    """A request that a provider would refuse is never made of a result."""
    (block,) = blocks_of(PNG + bytes(MOST_IMAGE_BYTES), 1000)
    assert "too large to be shown" in block["text"]


def test_blocks_are_passed_on_as_they_are() -> None:
    """A list of content blocks is the result itself."""
    blocks = [text_block("a"), {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}]
    assert blocks_of(blocks, 1000) == tuple(blocks)


def test_a_block_that_no_json_can_say_is_shown_as_text() -> None:
    """Passed on as it is, it would make every later request of the thread impossible."""
    [block] = blocks_of([{"type": "text", "text": "all of it", "share": float("inf")}], 1000)
    assert (block["type"], list(block)) == ("text", ["type", "text"])
    assert "all of it" in block["text"]


def test_a_circle_is_shown_somehow() -> None:
    """A list that contains itself has no JSON, but it has a text."""
    circle: list[Any] = [1]
    circle.append(circle)
    assert blocks_of(circle, 1000) == (text_block("[1, [...]]"),)


def test_a_long_result_is_cut_with_a_notice() -> None:
    """The model learns that there is more, and what to do."""
    first, notice = blocks_of("x" * 812_345, 50_000)
    assert first["text"] == "x" * 50_000
    assert notice["text"] == "… [cut: 50,000 of 812,345 characters shown; narrow the request]"


@given(st.lists(st.text(max_size=30), max_size=6), st.integers(1, 60))
def test_bounds_hold_over_all_blocks(texts: list[str], most: int) -> None:
    """However text is spread over blocks, so much of it is shown, from the beginning."""
    shown = "".join(block["text"] for block in bounded(tuple(text_block(text) for text in texts), most))
    whole = "".join(texts)
    assert shown == whole if len(whole) <= most else shown.startswith(f"{whole[:most]}… [cut: {most:,} of")
