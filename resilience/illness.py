"""Which failures mean that a provider, or a model, is ill: those that would have met any request."""

from llm.errors import ModelError, ModelUnavailable

_PROVIDER = frozenset({"connection"})
"""Nobody was reached: it would have been the same with any of its models."""
_MODEL = frozenset({"server_error", "overloaded", "unavailable", "timeout", "broken_stream", "unexpected_response"})
"""Somebody answered badly, or not to the end."""


def means_illness(error: ModelError) -> bool:
    """Whether the failure counts against a circuit."""
    return isinstance(error, ModelUnavailable) and error.kind in _PROVIDER | _MODEL


def of_provider(error: ModelError) -> bool:
    """Whether it counts against the whole provider, and not one model alone."""
    return error.kind in _PROVIDER


def means_health(error: ModelError) -> bool:
    """Whether the failure shows that somebody is there who answers: one request was refused, or there were too many."""
    return not means_illness(error) and error.status is not None and error.status < 500
