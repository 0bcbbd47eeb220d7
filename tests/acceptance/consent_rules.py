"""How payments must be allowed, as a policy file and as plain sets of people, to hold one against the other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STARTER = "ben"
EVERYONE = frozenset({"ana", "bo", "boss", "cy", "dee", STARTER})
SPELLINGS: Mapping[str, str] = {
    **{name: name for name in EVERYONE},
    "ANA": "ana",
    " cy ": "cy",
    "C\u200by": "cy",
    "Ben": STARTER,
    "b\ufe0fen": STARTER,
    "\uff42\uff45\uff4e": STARTER,
    "anonymous": "",
}
"""Who means whom."""


@dataclass(frozen=True)
class Way:
    """How one kind of payment must be allowed."""

    rule: Mapping[str, Any] | None
    """As the policy's rule says it; None where it denies."""
    quorum: int = 1
    people: frozenset[str] = EVERYONE | {""}
    """Whose yes counts, at whatever level."""
    by_nobody: bool = False
    """Whether nobody's answer is a yes."""


WAYS: Mapping[str, Way] = {
    "plain": Way({}),
    "two": Way({"quorum": 2, "self_approval": False}, 2, EVERYONE - {STARTER}),
    "three": Way({"quorum": 3, "timeout": "9s"}, 3, EVERYONE),
    "few": Way({"approvers": ["ana", "bo"], "token": True}, 1, frozenset({"ana", "bo"})),
    "up": Way(
        {"approvers": "ana", "timeout": "1s", "escalation": [{"approvers": "boss*", "timeout": "4s"}]},
        1,
        frozenset({"ana", "boss"}),
    ),
    "late": Way({"timeout": "2s", "on_expiry": "allow"}, by_nobody=True),
    "late-two": Way({"timeout": "2s", "quorum": 2, "on_expiry": "allow"}, 2, EVERYONE, by_nobody=True),
    "never": Way(None),
}
"""By the payment's argument `how`."""


def policy() -> str:
    """The policy file: JSON is YAML as well."""
    return json.dumps({"default": "allow", "rules": [_rule(how, way) for how, way in WAYS.items()]})


def _rule(how: str, way: Way) -> dict[str, Any]:
    rule: dict[str, Any] = {"id": how, "tools": "pay", "where": {"path": "how", "equals": how}}
    return rule | ({"decision": "deny"} if way.rule is None else {"decision": "ask", "approval": dict(way.rule)})
