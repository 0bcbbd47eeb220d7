"""Words of models and tools cannot play tricks on a terminal."""

import pytest

from cli.visible import one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\twords", "plain\n\twords"),
        ("größer 你好 👩‍🔬", "größer 你好 👩‍🔬"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("rm\r-rf", "rm\\r-rf"),
        ("safe\u202egpj.exe", "safe\\u202egpj.exe"),
        ("\x00\x9b\x7f", "\\x00\\x9b\\x7f"),
        ("\ud800", "\\ud800"),
    ],
)
def test_only_what_is_harmless_is_printed_as_it_is(text: str, shown: str) -> None:
    """Control characters, overrides of the reading direction and half characters are shown as escapes."""
    assert visible(text) == shown
    shown.encode()


def test_one_line_is_one_line() -> None:
    """Line breaks become spaces, and what is too long is cut with a sign that it was."""
    assert one_line("a\n b\t c") == "a b c"
    assert one_line("abcdef", 4) == "abc…"
