"""The policies in docs/policy.md are policies, and say what it says they do."""

import re
from pathlib import Path

import pytest
import yaml

from policy.call import Call
from policy.cases import try_cases
from policy.condition import Condition
from policy.files import CASES, Policies
from policy.judge import Judge
from policy.rules import Rule
from tests.docs.documents import rows, snippets, words_in_code
from tests.packaging.checkout import text

FILES = {
    each.text.splitlines()[0].removeprefix("# "): each.text
    for each in snippets("yaml")
    if each.document.name == "policy.md"
}
TABLES = [name for name in FILES if name.endswith(CASES)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All files of the document, in one folder."""
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("table", TABLES)
def test_every_policy_says_what_is_written(folder: Path, table: str) -> None:
    """Every case of every table in the document is as expected."""
    tried = try_cases(folder / table, Policies(folder))
    assert [f"{each.name}: {each.expected}, but {each.said}" for each in tried if not each.passed] == []


def test_every_rule_is_shown_at_work(folder: Path) -> None:
    """Every policy of the document has its cases, and every rule in it decides at least one of them."""
    assert {name.removesuffix(CASES) for name in TABLES} == set(Policies(folder).names())
    for name in Policies(folder).names():
        decided = {
            (each.verdict.layer, each.verdict.rule) for each in try_cases(folder / f"{name}{CASES}", Policies(folder))
        }
        rules = {(layer.name, rule.id) for layer in Policies(folder).get(name).layers for rule in layer.rules}
        assert rules - decided == set(), name


def test_the_policy_on_the_first_page_is_one(tmp_path: Path) -> None:
    """The README's policy says what stands beside it."""
    [shown] = [each.text for each in snippets("yaml") if each.document.name == "README.md"]
    (tmp_path / "refunds.yaml").write_text(shown, encoding="utf-8")
    judge = Judge(Policies(tmp_path).get("refunds"))
    assert judge.decide(Call("refund", {"amount": 80})).decision == "ask"
    assert judge.decide(Call("refund", {"amount": 20})).decision == "allow"
    assert judge.decide(Call("write_file", {}, effect="unsafe")).decision == "deny"


def test_every_key_is_explained() -> None:
    """The tables name every key of a rule and every comparison, and no other."""
    document = text("docs/policy.md")
    _, about_rules, about_conditions, *_ = re.split(r"^## (?:Rules|Conditions|Layers)$", document, flags=re.MULTILINE)
    assert _first_cells(about_rules) == set(Rule.model_fields)
    others = {"all", "any", "not", "path", "if_missing"}
    assert (
        _first_cells(about_conditions)
        == {field.alias or name for name, field in Condition.model_fields.items()} - others
    )


def _first_cells(part: str) -> set[str]:
    return {word.split(":")[0] for cells in rows(part)[1:] for word in words_in_code(cells[0])}


def test_yaml_snippets_are_yaml() -> None:
    """Every YAML snippet of every document can be read."""
    for snippet in snippets("yaml"):
        assert yaml.safe_load(snippet.text), str(snippet)
