"""Arithmetic on a parsed expression: nothing is evaluated but the numbers and operators named here."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Annotated, TypeAlias

from pydantic import Field

from tools.errors import ToolFailed
from tools.tool import tool

LONGEST = 500
"""Characters of an expression."""
MOST_BITS = 10_000
"""Of any whole number on the way, about 3,000 digits: so no step can take long."""
MOST_PLACES = 30

Number: TypeAlias = int | float


@tool(effect="read_only", quick=True, title="calculate {expression}")
def calculate(expression: Annotated[str, Field(min_length=1, max_length=LONGEST)]) -> str:
    """Work out an arithmetic expression exactly as written, such as (3 + 4) * 2 ** 0.5 / 7.

    Knows + - * / // % **, parentheses, the constants pi and e, and the functions abs, round, min, max, floor, ceil,
    sqrt, exp, log, log2, log10, sin, cos, tan (in radians).

    Args:
        expression: The expression, in Python's notation: ** for powers, a point for decimals, no thousands separators.
    """
    try:
        return _shown(_value(_parse(expression)))
    except ZeroDivisionError as error:
        raise ToolFailed("division by zero") from error
    except OverflowError as error:
        raise ToolFailed("a number on the way is too large") from error
    except RecursionError as error:
        raise ToolFailed("the expression is nested too deeply") from error
    except (ValueError, TypeError) as error:
        raise ToolFailed(f"this cannot be worked out: {error}") from error


def _parse(expression: str) -> ast.expr:
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ToolFailed(f"{_brief(expression)!r} is no arithmetic expression: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, SyntaxError) else type(error).__name__


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _bounded(value)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
            return _SIGNS[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _bounded(_OPERATORS[type(op)](_value(left), _value(right)))
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _bounded(_FUNCTIONS[name](*(_value(argument) for argument in args)))
        case _:
            raise ToolFailed(f"{_source(node)} is not understood: {_advice(node)}")


def _source(node: ast.expr) -> str:
    return repr(_brief(ast.unparse(node)))


def _brief(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _advice(node: ast.expr) -> str:
    match node:
        case ast.BinOp(op=ast.BitXor()):
            return "write ** for powers"
        case ast.Tuple():
            return "write numbers without separators for thousands, and with a point for decimals"
        case ast.Call(func=ast.Name()) | ast.Name():
            return f"the names known are {', '.join([*_CONSTANTS, *_FUNCTIONS])}"
        case ast.Call():
            return "write * between factors"
        case _:
            return "only numbers, + - * / // % **, parentheses and a few functions are"


def _bounded(value: object) -> Number:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ToolFailed("a number on the way is too large")
        return value
    if isinstance(value, int):
        if value.bit_length() > MOST_BITS:
            raise ToolFailed(f"a number on the way has more than {int(MOST_BITS * math.log10(2)):,} digits")
        return value
    raise ToolFailed("the result is no real number")


def _power(base: Number, exponent: Number) -> object:
    # Known before it is tried: how long the result would be.
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and abs(base) > 1 and int(base).bit_length() * exponent > 2 * MOST_BITS:
        raise ToolFailed(f"{_brief(_shown(base), 20)} ** {_brief(_shown(exponent), 20)} is too large a number")
    return base**exponent


def _round(value: Number, places: Number = 0) -> Number:
    if not isinstance(places, int) or abs(places) > MOST_PLACES:
        raise ToolFailed(f"round takes a whole number of places, at most {MOST_PLACES}")
    return round(value, places) if places else round(value)


def _shown(value: Number) -> str:
    """Floats with the 15 digits that mean something: 0.1 + 0.2 is 0.3."""
    return str(value) if isinstance(value, int) else f"{value:.15g}"


_SIGNS: Mapping[type[ast.unaryop], Callable[[Number], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_OPERATORS: Mapping[type[ast.operator], Callable[[Number, Number], object]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_CONSTANTS: Mapping[str, Number] = {"pi": math.pi, "e": math.e}
_FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "abs": abs,
    "round": _round,
    "min": min,
    "max": max,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
}
