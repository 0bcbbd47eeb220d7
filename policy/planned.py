"""A call as the toolbox has planned it: what the tool adds to what is known."""

from dataclasses import replace

from eventlog.terms import ToolTerms
from policy.call import Call, Hint
from tools.toolbox import Planned


def completed(call: Call, planned: Planned, terms: ToolTerms | None) -> Call:
    """The call with its valid arguments, and its author's words; what was said of effect and risk before stands."""
    question = planned.question
    hint = Hint("ask", question.reason) if question is not None else call.hint
    return replace(
        call,
        arguments=planned.arguments,
        effect=call.effect or planned.effect,
        risk=call.risk or (terms.risk if terms is not None else None),
        needs=call.needs or (terms.capabilities if terms is not None else None),
        hint=hint,
    )
