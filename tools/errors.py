"""What can go wrong with tools, split by who must act.

ToolError
├── InvalidTool            a tool is defined wrongly: its author corrects it
├── UnusablePlugin         a plugin brings no tools that can be used: whoever runs the worker corrects it
├── InvalidServers         what is said of MCP servers cannot be used: whoever runs the worker corrects it
└── CallFailed             one call came to nothing: the model reads why
    ├── InvalidArguments   the arguments do not fit the tool
    ├── ToolFailed         a tool says that it did not do it, and that trying again will not help
    │   └── ToolChanged    another program's tool is not what was agreed on
    ├── ToolUnavailable    a tool says that it did not do it now, but may later
    └── OutcomeUnknown     a tool says that it cannot tell whether it did it
"""


class ToolError(Exception):
    """Something is wrong with a tool or with one call of it."""


class InvalidTool(ToolError):
    """A tool is defined wrongly."""


class UnusablePlugin(ToolError):
    """A plugin brings no tools that can be used."""


class InvalidServers(ToolError):
    """What is said of MCP servers cannot be used."""


class CallFailed(ToolError):
    """One call came to nothing."""


class InvalidArguments(CallFailed):
    """The arguments do not fit the tool."""


class ToolFailed(CallFailed):
    """Raise it in a tool to tell the model, in these very words, why the call was not done."""


class ToolChanged(ToolFailed):
    """Another program's tool is not what was agreed on: the call was not made."""


class ToolUnavailable(CallFailed):
    """Raise it in a tool that did nothing now but may later: read-only and idempotent tools are then tried again."""

    def __init__(self, problem: str, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after = retry_after
        """Seconds to wait before the next attempt, where the tool knows."""


class OutcomeUnknown(CallFailed):
    """Raise it in a tool that cannot tell whether it acted, as when a connection broke before the answer came."""
