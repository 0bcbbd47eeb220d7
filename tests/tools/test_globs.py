"""File name patterns mean what they mean to people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.globs import Glob


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*", "a.py", True),
        ("*.py", "deep/down/a.py", True),
        ("*.py", "a.pyc", False),
        ("deep/*.py", "deep/a.py", True),
        ("deep/*.py", "deep/down/a.py", False),
        ("deep/**/*.py", "deep/a.py", True),
        ("deep/**/*.py", "deep/down/under/a.py", True),
        ("**/down/*", "deep/down/a.py", True),
        ("**", "any/thing", True),
        ("./deep/*", "deep/a", True),
        ("a?[0-9].txt", "ab7.txt", True),
        ("[!a]*", "abc", False),
        ("deep", "deep/a", False),
        ("A.PY", "a.py", False),
        ("**/**/**/x", "x", True),
    ],
)
def test_patterns(pattern: str, path: str, fits: bool) -> None:
    """Without a slash the name is matched, with one the path; `**` stands for any folders."""
    assert Glob(pattern).matches(path) is fits


@given(st.text(st.sampled_from("*?[]!-a/\n\\{.z"), max_size=30), st.text(st.sampled_from("a/z\n."), max_size=30))
def test_no_pattern_crashes(pattern: str, path: str) -> None:
    """Patterns come from a model: whatever they say, they fit or they do not."""
    assert Glob(pattern).matches(path) in (True, False)


def test_no_pattern_takes_for_ever() -> None:
    """Many stars do not multiply."""
    assert not Glob("*a" * 90 + "b").matches("a" * 250)
    assert not Glob("**/a/" * 40 + "b").matches("a/" * 60 + "c")
