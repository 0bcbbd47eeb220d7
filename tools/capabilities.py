"""What a tool needs of the world: declared beside it, and recorded with every session that takes the tool on.

A secret that is not named here is not given. Paths and domains of a stranger's function cannot be enforced, for it is
Python in the worker's process: they are what a policy, an approver and a reader of the log go by. The built-in tools
keep to theirs.
"""

import re

from eventlog.terms import Capabilities
from tools.errors import InvalidTool

__all__ = ["Capabilities", "check_capabilities"]

SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
"""How secrets are called: what can be a variable and a file on every system."""


def check_capabilities(capabilities: object, owner: str) -> None:
    """Raise `InvalidTool` where this manifest of a tool cannot be meant."""
    if not isinstance(capabilities, Capabilities):
        raise InvalidTool(f"the capabilities of {owner!r} are {capabilities!r}: write Capabilities(secrets=(…), …)")
    for kind, words in capabilities:
        if not all(word.strip() and word.isprintable() for word in words):
            raise InvalidTool(f"the tool {owner!r} declares {kind} that say nothing: {words!r}")
    for name in capabilities.secrets:
        if not SECRET_NAME.fullmatch(name):
            raise InvalidTool(f"the tool {owner!r} names the secret {name!r}: use A-Z, 0-9 and _, as in BANK_TOKEN")
