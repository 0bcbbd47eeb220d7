"""How long one decision takes: a policy of 200 rules of all kinds, and calls that go far down through them.

`make bench` runs it in some seconds. Nothing but the decision is measured: the policy is compiled once for each
thread, and a call's facts are at hand when it is decided. A decision waits for nothing, so the time of the processor
is what it takes, and is held against the goal; by the clock it takes longer where the machine has more to do.
"""

import gc
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from policy.call import Call, Hint
from policy.judge import Judge
from policy.rules import Policy

RULES = 200
ROUNDS = 2_000
GOAL = 1.0
"""Milliseconds that 99 of 100 decisions stay below."""
NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)

WORDS = [f"word{number}" for number in range(40)]
MAIL = {
    "to": [f"person{number}@example.com" for number in range(8)],
    "subject": "Quarterly figures",
    "body": " ".join(WORDS * 25),
    "attachments": [{"path": f"reports/q{number}.pdf", "bytes": 40_000 * number} for number in range(1, 5)],
}
CALLS = {
    "the last rule matches": Call(
        tool="mail_send",
        arguments=MAIL,
        effect="unsafe",
        risk="high",
        tenant="acme",
        principal="ana@acme.example",
        model="claude-sonnet-5-5",
        time=NOW,
        cost=Decimal("0.02"),
        spent=Decimal("3.10"),
        hint=Hint("ask", "it always asks"),
    ),
    "no rule names the tool": Call(tool="get_current_time", effect="read_only", risk="low", tenant="acme", time=NOW),
}


def rules() -> Iterator[dict[str, Any]]:
    """Rules as people write them; all but the last look at the mail and let it pass."""
    kinds: tuple[dict[str, Any], ...] = (
        {"tools": "crm_*"},
        {"tools": ["mail_*"], "where": {"path": "to", "some": {"ends_with": "@elsewhere.example"}}},
        {"tools": ["mail_*", "chat_*"], "where": {"path": "body", "matches": ".*(password|secret)[0-9]+.*"}},
        {"tools": "mail_send", "where": {"path": "attachments", "some": {"path": "path", "within": "private"}}},
        {"tools": "*_send", "spent": {"more_than": 50}},
        {"risks": ["high"], "times": {"days": "mon-fri", "hours": "18:00-08:00", "zone": "Europe/Berlin"}},
        {"effects": ["unsafe"], "tenants": ["umbrella*", "initech"], "principals": "*@contractor.example"},
        {"models": ["*-mini", "scripted-*"], "cost": {"more_than": 1}},
        {
            "tools": "mail_*",
            "where": {
                "any": [
                    {"path": "subject", "in": ["Invoice", "Payment", "Urgent"]},
                    {"all": [{"path": "body", "longer_than": 100_000}, {"not": {"path": "cc", "exists": True}}]},
                ]
            },
        },
        {"tools": "http_*", "where": {"path": "url", "host": ["*.example.com", "example.com"]}},
    )
    for number in range(RULES - 1):
        yield {"id": f"rule-{number}", "decision": "deny", **kinds[number % len(kinds)]}
    yield {"id": "mail", "decision": "allow", "tools": "mail_send"}


def measured(judge: Judge) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of single decisions, of the processor and by the clock; some more before, for warmth."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CALLS}
    gc.collect()
    for round_ in range(ROUNDS + ROUNDS // 10):
        for name, call in CALLS.items():
            fresh = replace(call, arguments=dict(call.arguments))
            clock, processor = time.perf_counter_ns(), time.thread_time_ns()
            judge.decide(fresh)
            took = (time.thread_time_ns() - processor) / 1e6, (time.perf_counter_ns() - clock) / 1e6
            if round_ >= ROUNDS // 10:
                times[name].append(took)
    return times


def percentile(times: list[float], share: float) -> float:
    """The time that this share of all stays below."""
    return sorted(times)[round(share * (len(times) - 1))]


def main() -> None:
    """Measure, and show it."""
    policy = Policy.model_validate(
        {"name": "bench", "layers": [{"name": "bench", "default": "deny", "rules": list(rules())}]}
    )
    begin = time.perf_counter()
    judge = Judge(policy)
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before"
    _show(f"{load}; {RULES} rules, {ROUNDS:,} decisions of each call")
    _show(f"the policy is compiled in {(time.perf_counter() - begin) * 1e3:.1f} ms, once for each policy\n")
    _expect(judge)
    _show(f"{'milliseconds':<28}{'p50':>8}{'p99':>8}{'p99.9':>8}{'p50 by the clock':>20}{'p99':>8}")
    worst = 0.0
    for name, times in measured(judge).items():
        processor, clock = ([each[way] for each in times] for way in (0, 1))
        shown = [percentile(processor, share) for share in (0.5, 0.99, 0.999)]
        by_clock = percentile(clock, 0.5), percentile(clock, 0.99)
        _show(f"{name:<28}" + "".join(f"{each:>8.3f}" for each in shown) + f"{by_clock[0]:>20.3f}{by_clock[1]:>8.3f}")
        worst = max(worst, shown[1])
    _show(f"\n{'met' if worst < GOAL else 'MISSED':<7}p99 of one decision: {worst:.3f} ms; goal < {GOAL:g} ms")


def _expect(judge: Judge) -> None:
    """What is measured goes the whole way: else it would show nothing."""
    mail, other = (judge.explain(call) for call in CALLS.values())
    if mail[RULES - 1].outcome != "matched" or other[RULES].outcome != "matched":
        raise AssertionError("a rule before the last has matched")


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
