"""Models that stand in for others: which may, and what the next one asked can be told of what the others said."""

from collections.abc import Sequence
from itertools import takewhile

from eventlog.events import ModelChanged, SessionStarted
from llm.messages import ModelTerms
from llm.names import is_self_paced
from projections.conversation import Entry, Heard, Reply, is_foreign, is_thought


def models_of(event: SessionStarted) -> tuple[str, ...]:
    """The model that is wanted, and those that may stand in for it, in their order; each once."""
    return tuple(dict.fromkeys((event.model.name, *event.fallback_models)))


def models_after(models: tuple[str, ...], event: ModelChanged) -> tuple[str, ...]:
    """The same after a change of the model: one that only stands in changes nothing of what is wanted.

    One that was chosen for good, as a cheaper one is, has for stand-ins only those that came after it.
    """
    if event.stand_in:
        return models
    name = event.model.name
    return models[models.index(name) :] if name in models else (name,)


def fitting(model: ModelTerms, entries: Sequence[Entry]) -> ModelTerms:
    """The terms on which the model can go on with this conversation.

    A model that is told to think must have thought before each call of a turn, and the thoughts of another model cannot
    be shown to it: it is told to think from the next message on. One that decides by itself when to think need not.
    """
    if model.thinking_tokens is None or is_self_paced(model.name):
        return model
    turn = takewhile(lambda entry: not isinstance(entry, Heard), reversed(entries))
    foreign = (entry for entry in turn if isinstance(entry, Reply) and is_foreign(entry, model.name))
    dropped = any(is_thought(block) for reply in foreign for block in reply.content)
    return model.model_copy(update={"thinking_tokens": None}) if dropped else model
