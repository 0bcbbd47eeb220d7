"""The models a scripted server says it has. Whichever is asked, the same mind answers."""

from llm.messages import JsonObject

MODELS = {
    "scripted-1": "The scripted model",
    "claude-opus-5-5": "Claude Opus 5.5 (scripted)",
    "claude-sonnet-5-5": "Claude Sonnet 5.5 (scripted)",
    "claude-haiku-4-5": "Claude Haiku 4.5 (scripted)",
}
"""Listed; any other name of the two families is answered too."""


def is_known(model: str) -> bool:
    """Whether there is such a model here."""
    return model.startswith(("scripted", "claude-"))


def described(model: str) -> JsonObject:
    """One model as the API lists it."""
    return {
        "type": "model",
        "id": model,
        "display_name": MODELS.get(model, f"{model} (scripted)"),
        "created_at": "2025-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }


def listed() -> JsonObject:
    """All models, as one page."""
    names = list(MODELS)
    return {"data": [described(name) for name in names], "has_more": False, "first_id": names[0], "last_id": names[-1]}
