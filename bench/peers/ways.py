"""The ways the work is done: which module, in whose environment, and what is to be said about it."""

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Way:
    """One library, used in one way."""

    name: str
    module: str
    packages: tuple[str, ...]
    """What a user installs for it; the first gives it its version."""
    on_temporal: bool = True

    @property
    def ours(self) -> bool:
        """Whether it is Perdure."""
        return self.packages == ("perdure",)

    @property
    def on_postgres(self) -> bool:
        """Whether it keeps anything there."""
        return self.ours or not self.on_temporal

    @property
    def python(self) -> Path:
        """The interpreter that has the library."""
        return Path(sys.executable) if self.ours else PEERS

    @property
    def source(self) -> Path:
        """Its code."""
        return ROOT / "bench" / "peers" / f"{self.module}.py"


PERDURE = Way("Perdure", "on_perdure", ("perdure",))
PYDANTIC_AI = Way("pydantic-ai", "on_pydantic_ai", ("pydantic-ai-slim[temporal]",))
PYDANTIC_AI_STORED = Way("pydantic-ai, stored", "on_pydantic_ai_stored", PYDANTIC_AI.packages)
OPENAI_AGENTS = Way("OpenAI Agents", "on_openai_agents", ("temporalio-openai-agents", "openai-agents"))
OPENAI_AGENTS_STORED = Way("OpenAI Agents, stored", "on_openai_agents_stored", OPENAI_AGENTS.packages)
OPENAI_AGENTS_CHAINED = Way("OpenAI Agents, chained", "on_openai_agents_chained", OPENAI_AGENTS.packages)
LANGGRAPH = Way(
    "LangGraph",
    "on_langgraph",
    ("langgraph", "langgraph-checkpoint-postgres", "psycopg[binary]"),
    on_temporal=False,
)
LANGGRAPH_DELTA = Way("LangGraph, delta", "on_langgraph_delta", LANGGRAPH.packages, on_temporal=False)
LANGGRAPH_TEMPORAL = Way("LangGraph on Temporal", "on_langgraph_temporal", ("temporalio-langgraph", "langgraph"))

WAYS = (
    PERDURE,
    PYDANTIC_AI,
    PYDANTIC_AI_STORED,
    OPENAI_AGENTS,
    OPENAI_AGENTS_STORED,
    OPENAI_AGENTS_CHAINED,
    LANGGRAPH,
    LANGGRAPH_DELTA,
    LANGGRAPH_TEMPORAL,
)
LIBRARIES = (PERDURE, PYDANTIC_AI, OPENAI_AGENTS, LANGGRAPH, LANGGRAPH_TEMPORAL)
"""Each library once, as its guide begins."""
