"""Limits as they are written: which calls they count, and what is said of mistakes."""

from pathlib import Path
from textwrap import dedent

import pytest

from policy.mistakes import InvalidFile
from resilience.limits import NO_LIMITS, Limit, Subject, corrections, passes, read_limits

TEXT = """
    limits:
      - {id: opus, models: claude-opus-*, per_minute: 60, burst: 5}
      - {id: tokens, models: "*", tenants: [acme, "beta-*"], each: [tenant, model], tokens_per_minute: 6000}
      - {id: search, tools: web_search, each: thread, per_second: 4}
    circuits: {failures: 3, open: 5}
"""


def written(folder: Path, text: str) -> Path:
    """A file with this text."""
    file = folder / "limits.yaml"
    file.write_text(dedent(text), encoding="utf-8")
    return file


def test_a_call_comes_to_the_gates_that_fit(tmp_path: Path) -> None:
    """By the model's or the tool's name and the tenant; what is counted apart has a gate of its own."""
    limits = read_limits(written(tmp_path, TEXT)).limits
    opus = Subject("acme", "t1", model="claude-opus-5-5", tokens=50)
    assert [(each.gate, each.cost, each.burst, each.flow) for each in passes(limits, opus)] == [
        ("opus", 1.0, 5.0, "acme"),
        ("tokens/tenant=acme/model=claude-opus-5-5", 0.5, 1.0, "t1"),
    ]
    assert [each.gate for each in passes(limits, Subject("other", "t1", model="claude-opus-5-5"))] == ["opus"]
    assert not passes(limits, Subject("other", "t1", model="claude-sonnet-5-5"))
    [search] = passes(limits, Subject("acme", "t1", tool="web_search"))
    assert (search.gate, search.cost, search.burst) == ("search/thread=t1", 0.25, 1.0)
    assert not passes(limits, Subject("acme", "t1", tool="read_file"))


def test_what_was_thought_is_put_right(tmp_path: Path) -> None:
    """Only where tokens are counted: the difference between what was used and what was thought."""
    limits = read_limits(written(tmp_path, TEXT)).limits
    opus = Subject("acme", "t1", model="claude-opus-5-5", tokens=50)
    assert corrections(limits, opus, 150) == [("tokens/tenant=acme/model=claude-opus-5-5", 1.0)]
    assert corrections(limits, opus, 0) == [("tokens/tenant=acme/model=claude-opus-5-5", -0.5)]
    assert corrections(limits, opus, 50) == []


def test_a_call_owes_no_more_than_a_day() -> None:
    """A limit that is a thousand times too low, by a slip of the pen, does not stop a model for years."""
    limit = Limit(id="slip", models=("*",), tokens_per_minute=1)
    assert limit.cost(Subject("a", "t", model="m", tokens=10**9)) == 24 * 3600


def test_circuits_are_set_in_the_same_file(tmp_path: Path) -> None:
    """What is left out is as usual; without a file there are no limits."""
    terms = read_limits(written(tmp_path, TEXT)).circuits.terms()
    assert (terms.failures, terms.open, terms.longest) == (3, 5.0, 300.0)
    assert read_limits(None) == NO_LIMITS


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "1:1: it is empty: write limits: … or circuits: …"),
        ("limit: []", "1:1: there is no key 'limit' here: did you mean limits?"),
        ("limits: [{models: x, per_minute: 1}]", "1:10: id is missing: add id: …"),
        ("limits: [{id: a, per_minute: 1}]", "1:10: limits: the limit a: write either models: … or tools: …"),
        (
            "limits: [{id: a, models: x, tools: y, per_minute: 1}]",
            "1:10: limits: the limit a: write either models: … or tools: …",
        ),
        (
            "limits: [{id: a, models: x}]",
            "1:10: limits: the limit a: write one of per_second, per_minute, per_hour, tokens_per_minute",
        ),
        (
            "limits: [{id: a, models: x, per_minute: 1, per_hour: 1}]",
            "1:10: limits: the limit a: write one of per_second, per_minute, per_hour, tokens_per_minute",
        ),
        ("limits: [{id: a, tools: x, tokens_per_minute: 1}]", "1:10: limits: the limit a: only models use tokens"),
        (
            "limits: [{id: a, tools: x, each: model, per_hour: 1}]",
            "1:10: limits: the limit a: each model needs models: …",
        ),
        ("limits: [{id: a, tools: x, per_hour: 0}]", "1:38: per_hour is 0: it must be greater than or equal to 0.001"),
        (
            "limits: [{id: a, tools: x, per_hour: -5}]",
            "1:38: per_hour is -5: it must be greater than or equal to 0.001",
        ),
        ("limits: [{id: a, tools: x, per_hour: many}]", '1:38: per_hour is "many": it must be a number'),
        ("limits: [{id: a, tools: x, per_hour: 1.0e999}]", "1:38: per_hour is Infinity: it must be a finite number"),
        (
            "limits: [{id: a, tools: x, per_hour: 1, each: day}]",
            "1:47: each is \"day\": it must be 'tenant', 'thread', 'model' or 'tool'",
        ),
        (
            "limits: [{id: a b, tools: x, per_hour: 1}]",
            '1:15: id is "a b": it must be 1 to 64 letters, digits, _, . and -, beginning with a letter or digit',
        ),
        (
            "limits:\n- {id: a, tools: x, per_hour: 1}\n- {id: a, tools: y, per_hour: 1}",
            "1:1: the file: there are two limits 'a': they would share one count",
        ),
        ("circuits: {failures: 0}", "1:22: failures is 0: it must be greater than or equal to 1"),
        ("circuits: {failure: 3}", "1:12: there is no key 'failure' here: did you mean failures?"),
        ("circuits: {ratio: 2}", "1:19: ratio is 2: it must be less than or equal to 1"),
        ("limits: &a [*a]", "1:13: anchors and aliases are not taken: write it out"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, mistake: str) -> None:
    """Every mistake says where it is and what to write; nothing is guessed."""
    file = written(tmp_path, text)
    with pytest.raises(InvalidFile) as caught:
        read_limits(file)
    assert [line.removeprefix(f"{file}:") for line in caught.value.lines] == [mistake]
