"""What a server was given in confidence, kept out of everything it says."""

import json
from collections.abc import Mapping
from typing import TypeAlias

from tools.mcp.settings import AnyServer, StdioServer, named_in

SHORTEST = 6
"""Characters below which a value is no secret, and would be found in any text."""
Secrets: TypeAlias = Mapping[str, str]
"""What is shown in the place of each secret."""


def secrets_of(server: AnyServer, variables: Mapping[str, str]) -> Secrets:
    """The values of the variables that the server's environment or headers name, and headers that hold their own."""
    given = server.env if isinstance(server, StdioServer) else server.headers
    secrets = {variables.get(name, ""): f"[secret {name}]" for text in given.values() for name in named_in(text)}
    if not isinstance(server, StdioServer):
        secrets |= {value: f"[secret {name}]" for name, value in given.items() if not named_in(value)}
    written = {json.dumps(value)[1:-1]: shown for value, shown in secrets.items()}
    return {value: shown for value, shown in {**secrets, **written}.items() if len(value) >= SHORTEST}


def masked(text: str, secrets: Secrets) -> str:
    """The text with a name in the place of every secret."""
    for value in sorted(secrets, key=len, reverse=True):
        text = text.replace(value, secrets[value])
    return text
