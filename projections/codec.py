"""How a view's state is kept in a snapshot: as bytes, from which the very same state can be read again."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

from eventlog.canonical import digest_of

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Codec(Generic[S]):
    """Between a state and bytes. Decoding what was encoded gives a state that is equal and evolves equally."""

    encode: Callable[[S], bytes]
    """May raise `ValueError` for a state that cannot be kept; the view then does without snapshots."""
    decode: Callable[[bytes], S]
    """May raise `ValueError`: the view then is folded from the beginning."""
    shape: Callable[[], str]
    """Of what is kept, in a few characters: other code that keeps something else has another one."""


def json_codec(kind: Any, leave_out: Collection[str] = (), restore: Callable[[S], S] = lambda state: state) -> Codec[S]:
    """Keeps a dataclass, a pydantic model or whatever else pydantic can validate as JSON.

    `leave_out` names fields of it that are not kept, because `restore` makes them out of the others. A state that is
    not what its types say cannot be kept, nor one with half a character, which is no JSON. Nothing is prepared before
    the first state comes.
    """

    @cache
    def adapter() -> TypeAdapter[S]:
        return TypeAdapter(kind)

    def encode(state: S) -> bytes:
        # In two steps: in one, events would write NaN as null.
        plain = adapter().dump_python(state, exclude=set(leave_out), round_trip=True, warnings="error")
        return to_json(plain, inf_nan_mode="constants")

    def decode(kept: bytes) -> S:
        return restore(adapter().validate_json(kept))

    @cache
    def shape() -> str:
        return digest_of([adapter().json_schema(), sorted(leave_out)])[:16]

    return Codec(encode, decode, shape)
