"""How policies and their verdicts are shown, and what they are under `--json`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from eventlog.approval_terms import ApprovalTerms
    from policy.cases import Tried
    from policy.files import Policies
    from policy.judge import Finding, Verdict
    from policy.rules import Policy

STYLES = {"allow": "green", "warn": "yellow", "ask": "cyan", "deny": "red"}


def verdict_json(verdict: "Verdict") -> dict[str, object]:
    """A verdict under `--json`."""
    return {
        "decision": verdict.decision,
        "layer": verdict.layer,
        "rule": verdict.rule,
        "reason": verdict.reason,
        "approval": verdict.approval.model_dump(mode="json") if verdict.decision == "ask" else None,
    }


def tried_json(file: "Path", tried: "Tried") -> dict[str, object]:
    """What came of one case, under `--json`."""
    return {
        "file": str(file),
        "line": tried.line,
        "name": tried.name,
        "passed": tried.passed,
        "expected": tried.expected,
        **verdict_json(tried.verdict),
    }


def policy_line(policies: "Policies", name: str) -> dict[str, Any]:
    """One policy in the list of them, with what is wrong with it."""
    from policy.mistakes import InvalidFile

    try:
        policy = policies.get(name)
    except InvalidFile as error:
        return {"name": name, "layers": 0, "rules": 0, "digest": None, "problems": error.lines}
    rules = sum(len(layer.rules) for layer in policy.layers)
    return {"name": name, "layers": len(policy.layers), "rules": rules, "digest": policy.digest, "problems": ()}


def check_page(page: "Console", verdict: "Verdict", findings: "Sequence[Finding]") -> None:
    """A verdict, then what came of every rule."""
    who = f"{verdict.layer}, rule {verdict.rule}" if verdict.rule else verdict.layer
    page.print(
        f"[{STYLES[verdict.decision]}]{verdict.decision}[/] by {_plain(who)}: {_plain(verdict.reason)}", soft_wrap=True
    )
    if verdict.decision == "ask":
        page.print(f"  asked of {_plain(_asked(verdict.approval))}", soft_wrap=True, highlight=False)
    for each in findings:
        _draw_finding(page, each)


def _asked(terms: "ApprovalTerms") -> str:
    from policy.approval import in_words

    return in_words(terms) or "anyone, once"


def _draw_finding(page: "Console", finding: "Finding") -> None:
    what = f"{finding.layer}, {f'rule {finding.rule}' if finding.rule else 'default'} ({finding.decision})"
    style = "bold" if finding.outcome in ("matched", "undecided") else "dim"
    page.print(
        f"  {finding.outcome:<10} {what}: {finding.why}", style=style, markup=False, highlight=False, soft_wrap=True
    )


def cases_page(page: "Console", tried: "Sequence[tuple[Path, Tried]]", failed: int) -> None:
    """The cases that are not as expected, each with what was said and why."""
    for file, each in tried:
        if each.passed:
            continue
        page.print(f"{file}:{each.line}: {each.name}", style="red", markup=False, highlight=False, soft_wrap=True)
        page.print(f"  - expected  {each.expected}", style="green", markup=False, highlight=False, soft_wrap=True)
        said = f"  + said      {each.said}: {each.verdict.reason}"
        page.print(said, style="red", markup=False, highlight=False, soft_wrap=True)
        for finding in each.findings:
            _draw_finding(page, finding)
    page.print(f"{len(tried) - failed} of {len(tried)} cases are as expected", markup=False, highlight=False)


def policy_page(page: "Console", policy: "Policy") -> None:
    """Layers from the undermost, each with its rules in order."""
    page.print(f"{policy.name}  {policy.digest}", markup=False, highlight=False, soft_wrap=True)
    for layer in policy.layers:
        for_whom = f" for {', '.join(layer.tenants)}" if layer.tenants else ""
        page.print(f"layer {layer.name}{for_whom}", style="bold", markup=False, highlight=False)
        if layer.allowed_models:
            page.print(f"  only the models {', '.join(layer.allowed_models)}", markup=False, highlight=False)
        for rule in layer.rules:
            said = rule.model_dump(mode="json", exclude_none=True, exclude={"id", "decision", "reason", "approval"})
            what = "; ".join(f"{name} {_short(value)}" for name, value in said.items()) or "every call"
            what += f"; asked of {_asked(rule.terms)}" if rule.approval is not None else ""
            line = f"  [{STYLES[rule.decision]}]{rule.decision:<6}[/]{_plain(rule.id)}: {_plain(what)}"
            page.print(line, highlight=False, soft_wrap=True)
        page.print(f"  [{STYLES[layer.default]}]{layer.default:<6}[/]what no rule matches", highlight=False)


def policies_page(page: "Console", lines: "Sequence[dict[str, Any]]") -> None:
    """The policies there are, and what is wrong with some."""
    if not lines:
        page.print("there are no policies: set PERDURE_POLICIES to a folder of YAML files", soft_wrap=True)
    for line in lines:
        page.print(
            f"{line['name']}  {_count(line['rules'], 'rule')} in {_count(line['layers'], 'layer')}", highlight=False
        )
        for problem in line["problems"]:
            page.print(f"  {problem}", style="red", markup=False, highlight=False, soft_wrap=True)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _short(value: object) -> str:
    from policy.patterns import shown

    return shown(value, longest=100)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
