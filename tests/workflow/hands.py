"""Tools for tests: one that only looks, one that must ask, one that hangs."""

import asyncio
from typing import Annotated

from pydantic import Field

from tools.context import ToolContext
from tools.tool import tool

Word = Annotated[str, Field(description="What it is about.")]


@tool(effect="read_only")
async def look(word: Word) -> str:
    """Look something up."""
    return f"{word} is fine"


@tool(effect="unsafe", approval="always", risk="high")
async def launch(word: Word, context: ToolContext) -> str:
    """Launch something that cannot be called back."""
    return f"launched {word} for {context.principal}"


@tool(effect="read_only", timeout=120)
async def hang(word: Word) -> str:
    """Take for ever."""
    await asyncio.sleep(3600)
    return word


@tool(effect="read_only")
async def stumble(word: Word) -> str:
    """Fail every time."""
    raise ValueError(f"{word} cannot be had")


@tool(effect="unsafe", approval="always", quick=True)
async def snap(word: Word) -> str:
    """Do something small that must be allowed."""
    return word
