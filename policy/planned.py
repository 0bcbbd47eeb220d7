"""A call as the toolbox has planned it: what the tool adds to what is known."""

from dataclasses import replace

from eventlog.terms import Risk
from policy.call import Call, Hint
from tools.toolbox import Planned


def completed(call: Call, planned: Planned, risk: Risk | None) -> Call:
    """The call with its valid arguments, and its author's word; what was said of effect and risk before stands."""
    question = planned.question
    hint = Hint("ask", question.reason) if question is not None else call.hint
    return replace(
        call, arguments=planned.arguments, effect=call.effect or planned.effect, risk=call.risk or risk, hint=hint
    )
