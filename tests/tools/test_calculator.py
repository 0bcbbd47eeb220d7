"""Arithmetic, and nothing but arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.builtin.calculator import LONGEST, calculate
from tools.errors import ToolFailed


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("-2 ** 2", "-4"),
        ("7 // 2 + 7 % 3", "4"),
        ("0.1 + 0.2", "0.3"),
        ("1 / 4", "0.25"),
        ("2 ** 100", "1267650600228229401496703205376"),
        ("sqrt(16) + abs(-3)", "7"),
        ("round(pi, 2)", "3.14"),
        ("max(1, 2.5, -3)", "2.5"),
        ("1e3", "1000"),
        ("  1_000 +\t1  ", "1001"),
        ("2 ** -100000", "0"),
    ],
)
def test_expressions_are_worked_out(expression: str, result: str) -> None:
    """Whole numbers stay exact; others show the digits that mean something."""
    assert calculate(expression) == result


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("9 ** 9 ** 9", "too large"),
        ("9 ** 99999 ** 0.9", "too large"),
        ("10 ** 1000 * 10 ** 3000", "more than 3,010 digits"),
        ("1e308 * 10", "too large"),
        ("exp(1000)", "too large"),
        ("round(5, -10 ** 9)", "at most 30"),
        ("1 / 0", "division by zero"),
        ("0 ** -1", "division by zero"),
        ("(-8) ** 0.5", "no real number"),
        ("sqrt(-1)", "cannot be worked out"),
        ("max()", "cannot be worked out"),
        ("1 +", "no arithmetic expression"),
        ("", "no arithmetic expression"),
        ("(" * 400, "no arithmetic expression"),
        ("2 ^ 3", "write ** for powers"),
        ("2(3)", "write * between factors"),
        ("1,000 + 1", "without separators"),
        ("x + 1", "the names known are pi, e, abs"),
        ("__import__('os').system('true')", "not understood"),
        ("().__class__", "not understood"),
        ("'a' * 9", "not understood"),
        ("True + 1", "not understood"),
        ("2j", "not understood"),
        ("1 << 9", "not understood"),
        ("max(*[1, 2])", "not understood"),
        ("round(number=1)", "not understood"),
        ("lambda: 1", "not understood"),
        ("1\x00", "no arithmetic expression"),
        ("\ud800", "no arithmetic expression"),
    ],
)
def test_anything_else_is_refused_in_words(expression: str, said: str) -> None:
    """What is no arithmetic, or has no result of reasonable size, is told so."""
    with pytest.raises(ToolFailed) as refused:
        calculate(expression)
    assert said in str(refused.value)


def _answer(expression: str) -> str:
    """What the model reads."""
    try:
        return str(calculate(expression))
    except ToolFailed as refused:
        return str(refused)


PIECES = st.sampled_from(
    [*"0123456789.,()+-*/%^ ej", "**", "//", "9" * 9, "1e308", *(f"{name}(" for name in ("round", "max", "exp", "log"))]
)


@given(st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=40)))
def test_no_expression_hangs_or_crashes(expression: str) -> None:
    """Whatever is written, there is a short answer or a reason, and it comes at once."""
    assert 0 < len(_answer(expression)) <= 3012


@pytest.mark.parametrize("piece", ["-", "9**", "(9**", "9*", "sqrt(", "-~", "9,", "9" * 4])
def test_the_longest_expressions_end_too(piece: str) -> None:
    """An expression as long as is allowed comes to an end, whatever it repeats."""
    expression = (piece * LONGEST)[: LONGEST - 1] + "1"
    assert _answer(expression)
