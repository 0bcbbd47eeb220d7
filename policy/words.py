"""What the words of a policy have in common: frozen, nothing unknown, nothing guessed."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Words(BaseModel):
    """A part of a policy as it is written down. Strict: a number is no text, and text is no number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, serialize_by_alias=True)


def listed(given: object) -> Any:
    """One name may stand without a list; lists are kept as tuples."""
    if isinstance(given, str):
        return (given,)
    return tuple(given) if isinstance(given, list) else given


Name = Annotated[str, Field(min_length=1, max_length=200)]
Patterns = Annotated[tuple[Name, ...], BeforeValidator(listed), Field(min_length=1)]
"""Names, in which `*` is any characters and `?` is one. An empty list would fit nothing: leave the key out for all."""
