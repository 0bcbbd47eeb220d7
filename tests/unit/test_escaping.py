"""The log's JSON is canonical, whichever of two writers has written it."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from eventlog.canonical import canonical_text
from eventlog.escaping import _escape, from_json, to_json

texts = st.text(
    st.one_of(st.characters(codec=None, categories=None), st.sampled_from('\0\x1f\x7f\u2028\ud800\udfff␛="\\'))
)
numbers = st.one_of(
    st.integers(), st.integers(-(2**70), 2**70), st.floats(), st.sampled_from([1e15, 1e16, 0.0001, 1e-5])
)
leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)


@given(value=values)
@example(value={"é": 1, "e": 2, "😀": 3, "\uffff": 4, "E": 5, "": 6})
@example(value=[1e15, 9999999999999998.0, 0.0001, 123456.789e3, -0.1, 2**63, 2**64, -(2**63) - 1])
def test_both_writers_write_the_same(value: Any) -> None:
    """The fast writer and Python's own agree to the letter, in the order of keys, in numbers and in escapes."""
    assert to_json(value) == canonical_text(_escape(value))


def test_nesting_beyond_the_fast_writer_is_written_all_the_same() -> None:
    """Where the fast writer gives up, the other goes on."""
    value: Any = 2**70
    for _ in range(300):
        value = [value]
    assert from_json(to_json(value)) == value
