"""A model whose mind is scripted, behind the real wire protocol of the Anthropic Messages API."""

from stack.scripted.answers import Answer, Broken, Fault, MidStreamError, Mind, Raw, Reply, Stalled
from stack.scripted.playbook import Playbook
from stack.scripted.received import Received
from stack.scripted.server import ScriptedServer

__all__ = [
    "Answer",
    "Broken",
    "Fault",
    "MidStreamError",
    "Mind",
    "Playbook",
    "Raw",
    "Received",
    "Reply",
    "ScriptedServer",
    "Stalled",
]
