"""All situations, by the moment that a case names, and what workers must be told so that they can be."""

from collections.abc import Mapping
from pathlib import Path

from tests.chaos.cases import Case
from tests.chaos.crashes import Approval, Long, Terminated
from tests.chaos.models import Probing, StandingIn, limits
from tests.chaos.money import SharedBudget, budgets, prices
from tests.chaos.people import POLICIES, Answering, Expired, Lapsed, Question, TwoVotes
from tests.chaos.situation import Situation
from tests.chaos.steering import InterruptedModel, InterruptedTool, Paused, SteeredModel, SteeredTool, Stepped

SITUATIONS: Mapping[str, Situation] = {
    "approval": Approval(),
    "continue-as-new": Long(),
    "terminated": Terminated(),
    "two-votes": TwoVotes(),
    "expired": Expired(),
    "lapsed": Lapsed(),
    "question": Question(),
    "answering": Answering(),
    "set-aside": SharedBudget(),
    "unsettled": SharedBudget(),
    "tool-set-aside": SharedBudget(),
    "tool-settled": SharedBudget(),
    "standing-in": StandingIn(),
    "probing": Probing(),
    "interrupted-model": InterruptedModel(),
    "interrupted-tool": InterruptedTool(),
    "steered-model": SteeredModel(),
    "steered-tool": SteeredTool(),
    "paused-tool": Paused(),
    "stepped": Stepped(),
}
PLAIN = Situation()


def situation(case: Case) -> Situation:
    """What the case's thread is in the midst of."""
    return SITUATIONS.get(case.moment, PLAIN)


def told(folder: Path, token: str) -> Mapping[str, str]:
    """The workers' settings; files that they name are in the folder. `token` is the tenant that has a budget."""
    files = {
        "PERDURE_PRICES_FILE": ("prices.json", prices()),
        "PERDURE_BUDGETS": ("budgets.yaml", budgets(token)),
        "PERDURE_RATE_LIMITS": ("limits.yaml", limits()),
    }
    policies = folder / "policies"
    policies.mkdir()
    for name, text in POLICIES.items():
        (policies / f"{name}.yaml").write_text(text)
    for name, text in files.values():
        (folder / name).write_text(text)
    return {"PERDURE_POLICIES": str(policies), **{setting: str(folder / name) for setting, (name, _) in files.items()}}
