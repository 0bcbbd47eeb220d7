"""Saying the same thing back: for trying things out."""

from tools.tool import tool


@tool(effect="read_only", quick=True)
def echo(message: str) -> str:
    """Give back the message unchanged.

    Args:
        message: What to give back.
    """
    return message
