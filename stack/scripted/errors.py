"""What can go wrong with a scripted model.

ScriptedError
├── Refused     the request breaks a rule of the API; its sender reads a `Fault`
└── BadScript   a script file does not say what it should
"""

from stack.scripted.answers import Fault


class ScriptedError(Exception):
    """The scripted model cannot do that."""


class Refused(ScriptedError):
    """The request breaks a rule of the API."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.fault = Fault(status, message)


class BadScript(ScriptedError):
    """The script file cannot be understood."""
