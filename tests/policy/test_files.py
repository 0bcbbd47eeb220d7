"""Policies as files: what is read, and what is said of mistakes."""

from pathlib import Path
from textwrap import dedent

import pytest

from policy.call import Call
from policy.cases import try_cases
from policy.files import Policies, UnknownPolicy, read_policy
from policy.judge import Judge
from policy.mistakes import InvalidFile

REFUNDS = """
    description: Who gets how much back.
    default: deny
    rules:
      - id: small
        decision: allow
        tools: refund
        where: {path: amount, at_most: 50}
      - id: large
        decision: ask
        tools: [refund]
        cost: {at_most: 1.50}
"""


def written(folder: Path, text: str, name: str = "refunds.yaml") -> Path:
    """A file with this text."""
    file = folder / name
    file.write_text(dedent(text), encoding="utf-8")
    return file


def mistakes(folder: Path, text: str) -> list[str]:
    """What is said of a file, each mistake as line:column: problem."""
    with pytest.raises(InvalidFile) as caught:
        read_policy(written(folder, text))
    return [line.removeprefix(f"{folder / 'refunds.yaml'}:") for line in caught.value.lines]


def test_a_file_is_a_policy(tmp_path: Path) -> None:
    """Rules without layers are one layer, named as the file is."""
    policy = read_policy(written(tmp_path, REFUNDS))
    assert (policy.name, [layer.name for layer in policy.layers]) == ("refunds", ["refunds"])
    assert Judge(policy).decide(Call("refund", {"amount": 5})).rule == "small"
    assert Judge(policy).decide(Call("pay")).decision == "deny"


def test_a_file_may_have_layers(tmp_path: Path) -> None:
    """Layers keep their names, behind the policy's: so policies can be laid over each other."""
    text = """
        layers:
          - {name: all, default: warn}
          - {name: acme, tenants: acme, default: deny}
    """
    policy = read_policy(written(tmp_path, text, "company.yaml"))
    assert [layer.name for layer in policy.layers] == ["company/all", "company/acme"]
    assert type(policy).read(policy.recorded()) == policy


def test_policies_are_found_by_name(tmp_path: Path) -> None:
    """A folder's files are its policies; an unknown name is answered with the nearest one, or all."""
    written(tmp_path, REFUNDS)
    written(tmp_path, "default: ask", "careful.yaml")
    written(tmp_path, "", "refunds.cases.yaml")
    policies = Policies(tmp_path)
    assert policies.names() == ("careful", "refunds")
    both = Policies(tmp_path, always=["careful"]).in_force(["refunds", "careful"])
    assert both is not None
    assert [layer.name for layer in both.layers] == ["careful", "refunds"]
    assert policies.in_force([]) is None
    with pytest.raises(UnknownPolicy, match="did you mean refunds"):
        policies.get("refund")
    with pytest.raises(UnknownPolicy, match="there are careful, refunds"):
        policies.get("../secret")
    with pytest.raises(UnknownPolicy, match="PERDURE_POLICIES"):
        Policies(None).get("x")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Each with its line and column, and with what to do about it."""
    text = """\
        default: denied
        rules:
          - id: 5
            decision: no
            tool: refund
            where: {path: amount, at_most: "50", mathces: "x"}
            tools: []
            tools: x
          - decision: ask
            where: {path: amount, matches: "("}
            times: {days: mon-fry, hours: 8-9, zone: Berlin}
            cost: {at_most: -1}
    """
    told = mistakes(tmp_path, text)
    expected = [
        ("1:10:", "default is \"denied\": it must be 'allow', 'warn', 'ask' or 'deny'"),
        ("3:9:", "put it in quotes"),
        ("4:15:", 'decision is "no"'),
        ("5:5:", "did you mean tools?"),
        ("6:36:", "must be a number"),
        ("6:42:", "did you mean matches?"),
        ("7:12:", "must not be empty"),
        ("8:5:", "stood on line 7 already"),
        ("9:5:", "id is missing: add id"),
        ("10:36:", "missing ): ("),
        ("11:19:", "'mon', 'tue'"),
        ("11:35:", 'as in "08:00-18:00"'),
        ("11:46:", "Europe/Berlin"),
        ("12:21:", "greater than or equal to 0"),
    ]
    assert len(told) == len(expected), told
    for line, (place, words) in zip(told, expected, strict=True):
        assert line.startswith(place), line
        assert words in line


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "1:1", "it is empty"),
        ("default: allow\ndefault: deny", "2:1", "stood on line 1 already"),
        ("description: only this", "1:1", "says nothing"),
        ("default: deny\nlayers: []", "2:9", "must not be empty"),
        ("default: deny\nlayers: [{name: a}]", "1:1", "beside layers there can be no default"),
        ("layers: [{name: a/b}]", "1:1", "has no /"),
        ("layers: [{name: a}, {name: a}]", "1:1", "two layers have the name 'a'"),
        ("rules: {id: a}", "1:8", "must be a list"),
        ("rules: [{id: a, decision: ask}, {id: a, decision: deny}]", "1:1", "never reached"),
        ("rules: [{id: a, decision: ask, tools: x}, {id: a, decision: deny}]", "1:1", "the id 'a': numbers 1 and 2"),
        ("- a\n- b", "1:1", "must have keys and values"),
        ("rules: [}", "1:9", "no YAML"),
        ("default: [deny", "1:15", "no YAML"),
        ("default: deny\n---\ndefault: allow", "2:1", "no YAML"),
        ("a: &x deny\nb: *x", "2:4", "anchors and aliases are not taken"),
        ("default: !!python/name:os.system deny", "1:10", "is not taken"),
        ("default: !!int deny", "1:10", "is not taken"),
        ("? [a]\n: deny", "1:3", "a key must be a word"),
        ("default: \x00", "1:1", "no YAML"),
        ("rules: " + "[" * 5000, "1:67", "levels deep"),
        ("#" * 1_000_001, "1:1", "larger than"),
    ],
)
def test_mistakes_in_the_text(tmp_path: Path, text: str, place: str, words: str) -> None:
    """What is no YAML, more than is taken of it, or no policy is refused at its place."""
    told = mistakes(tmp_path, text)
    assert any(line.startswith(f"{place}: ") and words in line for line in told), told


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """What is no UTF-8, and what is not there, is refused too."""
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe")
    for name in ("x.yaml", "none.yaml", "a b.yaml"):
        with pytest.raises(InvalidFile, match=r":1:1: "):
            read_policy(tmp_path / name)


def test_yaml_is_taken_literally(tmp_path: Path) -> None:
    """`yes`, `on`, dates and numbers with other bases are text, as they look."""
    text = """
        rules:
          - {id: a, decision: deny, where: {path: x, in: [yes, on, NO, 2026-11-21, 0x10, 1_000, 010, 1e3, .5]}}
          - {id: b, decision: ask, where: {path: x, in: [-1, 2.50, 1.0e3]}}
    """
    judge = Judge(read_policy(written(tmp_path, text)))
    for word in ("yes", "on", "NO", "2026-11-21", "0x10", "1_000", "010", "1e3", ".5"):
        assert judge.decide(Call("t", {"x": word})).rule == "a"
    for number in (-1, 2.5, 1000):
        assert judge.explain(Call("t", {"x": number}))[1].outcome == "matched"


CASES = """\
    policy: refunds
    given: {tenant: acme, cost: 1}
    cases:
      - {name: small refunds pass, tool: refund, arguments: {amount: 5}, expect: allow, rule: small}
      - {tool: refund, arguments: {amount: 51}, expect: allow}
      - {tool: refund, arguments: {amount: 51}, cost: 2, expect: deny, layer: refunds}
      - {tool: refund, arguments: {amount: 5}, author: ask, expect: ask, layer: author}
      - {tool: refund, arguments: {amount: 5}, expect: allow, rule: large}
"""


def test_a_table_of_cases(tmp_path: Path) -> None:
    """Each case is held against the policy: the decision, and the rule and layer where they are named."""
    written(tmp_path, REFUNDS)
    tried = try_cases(written(tmp_path, CASES, "refunds.cases.yaml"), Policies(tmp_path))
    assert [each.passed for each in tried] == [True, False, True, True, False]
    assert [each.line for each in tried] == [4, 5, 6, 7, 8]
    failed = tried[1]
    assert (failed.name, failed.expected, failed.said) == ("case 2: refund", "allow", "ask by large of refunds")
    assert (tried[4].expected, tried[4].said) == ("allow by large", "allow by small of refunds")


def test_cases_may_name_files(tmp_path: Path) -> None:
    """A path is one from the table's own folder; several policies are laid over each other."""
    written(tmp_path, REFUNDS)
    written(tmp_path, "default: ask", "careful.yaml")
    table = """
        policy: [./careful.yaml, refunds.yaml]
        cases: [{tool: refund, arguments: {amount: 5}, expect: ask, layer: careful}]
    """
    assert [each.passed for each in try_cases(written(tmp_path, table, "x.yaml"), Policies(None))] == [True]


@pytest.mark.parametrize(
    ("table", "place", "words"),
    [
        ("policy: refund\ncases: [{tool: x, expect: deny}]", "1:9", "did you mean refunds?"),
        ("policy: refunds\ncases: []", "2:8", "must not be empty"),
        ("policy: refunds\ncases: [{tool: x, expect: denied, argument: {}}]", "2:27", "must be 'allow'"),
        ("policy: refunds\ncases: [{tool: x, expect: deny, argument: {}}]", "2:33", "did you mean arguments?"),
        ("policy: refunds\ncases: [{tool: x, expect: deny, time: noon}]", "2:39", "must be a time"),
    ],
)
def test_mistakes_in_tables(tmp_path: Path, table: str, place: str, words: str) -> None:
    """A table is read as strictly as a policy."""
    written(tmp_path, REFUNDS)
    with pytest.raises(InvalidFile) as caught:
        try_cases(written(tmp_path, table, "x.yaml"), Policies(tmp_path))
    assert any(f":{place}: " in line and words in line for line in caught.value.lines), caught.value.lines
