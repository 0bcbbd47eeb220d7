"""What a function's signature and docstring say about the tool it makes."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import docstring_parser
from pydantic import Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tools.context import ToolContext
from tools.errors import InvalidTool


@dataclass(frozen=True, slots=True)
class Signature:
    """The parts of a function that a tool is made of."""

    description: str
    """The docstring without its sections on parameters, results and so on."""
    hints: Mapping[str, Any]
    """The type of every parameter the model fills in, with its description."""
    defaults: Mapping[str, Any]
    context: tuple[str, ...]
    """The parameters that are filled in with the `ToolContext`."""


def read_signature(function: Callable[..., Any]) -> Signature:
    """The function taken apart, or `InvalidTool` that says what to change."""
    parameters = inspect.signature(function).parameters.values()
    hints = _hints_of(function)
    for parameter in parameters:
        _check(function, parameter, hints)
    context = tuple(p.name for p in parameters if _is_context(hints[p.name]))
    visible = [p for p in parameters if p.name not in context]
    docs = docstring_parser.parse(inspect.getdoc(function) or "")
    said = {param.arg_name: param.description for param in docs.params}
    return Signature(
        description=(docs.description or "").strip(),
        hints={p.name: _described(hints[p.name], said.get(p.name)) for p in visible},
        defaults={p.name: p.default for p in visible if p.default is not p.empty},
        context=context,
    )


def _hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise InvalidTool(
            f"the type hints of {function.__qualname__} cannot be read: {error}. "
            "Define the types they name at the top level of the module."
        ) from error


def _check(function: Callable[..., Any], parameter: inspect.Parameter, hints: Mapping[str, Any]) -> None:
    where = f"the parameter {parameter.name!r} of {function.__qualname__}"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise InvalidTool(f"{where} must be a plain named one: the model gives every argument by name")
    if parameter.name not in hints:
        raise InvalidTool(f"{where} has no type: write {parameter.name}: str, or whatever it is")
    if isinstance(parameter.default, FieldInfo) or _default_in_field(hints[parameter.name]):
        raise InvalidTool(
            f"{where} has its default inside Field: write {parameter.name}: Annotated[…, Field(…)] = default"
        )


def _default_in_field(hint: Any) -> bool:
    fields = [part for part in get_args(hint)[1:] if isinstance(part, FieldInfo)] if _is_annotated(hint) else []
    return any(f.default is not PydanticUndefined or f.default_factory is not None for f in fields)


def _is_annotated(hint: Any) -> bool:
    return get_origin(hint) is Annotated


def _is_context(hint: Any) -> bool:
    """Whether the hint is the context, also where it is optional or annotated."""
    return hint is ToolContext or ToolContext in get_args(hint)


def _described(hint: Any, description: str | None) -> Any:
    """The hint with the docstring's words, which stand first: what the hint says itself then overrides them."""
    if not description:
        return hint
    kind, *rest = get_args(hint) if _is_annotated(hint) else (hint,)
    return Annotated[(kind, Field(description=" ".join(description.split())), *rest)]
