"""How a question is answered, as commands that can be copied: Perdure's own, and those of the `temporal` CLI."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

Answers: TypeAlias = Mapping[str, Mapping[str, str]]
"""By the program that is typed, then by the answer."""


def answers_to(kind: str, thread: str, details: Mapping[str, Any], token: str | None) -> Answers:
    """The commands that answer what a notice of this kind asks; none where it asks nothing."""
    make = _WAYS.get(kind.partition(".")[0])
    return make(thread, details, token) if make else {}


def _approval(thread: str, details: Mapping[str, Any], token: str | None) -> Answers:
    call = str(details.get("call_id", ""))
    given = {"token": token} if token else {}
    more = ["--token", token] if token else []
    return {
        "perdure": {
            "approve": _typed("perdure", "approve", thread, call, *more),
            "deny": _typed("perdure", "deny", thread, call, "--reason", "…", *more),
        },
        "temporal": {
            "approve": _signal(thread, "approve", {"call_id": call, "approver": "…", **given}),
            "deny": _signal(thread, "deny", {"call_id": call, "approver": "…", "reason": "…", **given}),
        },
    }


def _input(thread: str, details: Mapping[str, Any], token: str | None) -> Answers:  # noqa: ARG001 - it has none
    call = str(details.get("call_id", ""))
    ways = _INPUTS.get(str(details.get("action")), _INPUTS["input"])
    return {
        "perdure": {name: _typed("perdure", "answer", thread, call, *words) for name, (words, _) in ways.items()},
        "temporal": {
            name: _signal(thread, "answer", {"call_id": call, "value": value, "by": "…"})
            for name, (_, value) in ways.items()
        },
    }


_INPUTS: Mapping[str, Mapping[str, tuple[tuple[str, ...], Any]]] = {
    "confirm": {"yes": (("yes",), True), "no": (("no",), False)},
    "choose": {"choose": (("--choice", "…"), "…")},
    "input": {"answer": (("…",), "…")},
    "upload": {"upload": (("--file", "…"), {"path": "…"})},
    "review": {
        "accept": (("--accept",), "accept"),
        "replace": (("--replace", "…"), {"verdict": "replace", "text": "…"}),
        "send_back": (("--send-back", "…"), {"verdict": "send_back", "comments": "…"}),
    },
}
"""By what kind of answer is wanted: each answer's name, the words that type it, and its value."""


def _budget(thread: str, details: Mapping[str, Any], token: str | None) -> Answers:  # noqa: ARG001 - it has none
    words, amounts = _more(details)
    return {
        "perdure": {
            "raise": _typed("perdure", "raise", thread, *words),
            "refuse": _typed("perdure", "raise", thread, "--refuse"),
        },
        "temporal": {
            "raise": _signal(thread, "raise", {"amounts": amounts, "by": "…"}),
            "refuse": _signal(thread, "raise", {"refuse": True, "by": "…"}),
        },
    }


def _more(details: Mapping[str, Any]) -> tuple[Sequence[str], Mapping[str, Any]]:
    """What is asked for, as words and as JSON."""
    limit = str(details.get("limit", "cost"))
    if details.get("unpriced"):
        return ["--unpriced"], {"unpriced": True}
    if limit == "tool":
        tool = str(details.get("tool", ""))
        return ["--tool", f"{tool}=…"], {"tools": {tool: "…"}}
    return [f"--{limit.replace('_', '-')}", "…"], {limit: "…"}


def _typed(*words: str) -> str:
    return shlex.join(words)


def _signal(thread: str, name: str, said: Mapping[str, Any]) -> str:
    return _typed(
        *("temporal", "workflow", "signal", "--workflow-id", thread, "--name", name),
        *("--input", json.dumps(said, ensure_ascii=False)),
    )


_WAYS: Mapping[str, Callable[[str, Mapping[str, Any], str | None], Answers]] = {
    "approval": _approval,
    "input": _input,
    "budget": _budget,
}
