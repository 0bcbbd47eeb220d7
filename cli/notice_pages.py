"""How webhooks and dead letters are shown."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from eventlog.dead_letters import DeadLetter
from notices.again import Tried
from notices.deliveries import Backlog
from notices.endpoints import host_of
from notices.office import Addressees

if TYPE_CHECKING:
    from rich.console import Console

Line = Mapping[str, Any]


def letter_line(letter: DeadLetter) -> Line:
    """A letter as `list` answers."""
    died = letter.died
    return {
        "id": letter.id,
        "what": died.what,
        "target": died.target,
        "kind": died.kind,
        "thread_id": letter.thread,
        "position": died.position,
        "died_at": letter.died_at,
        "state": letter.state,
        "attempts": died.attempts,
        "retries": letter.retries,
        "reason": letter.reason,
    }


def letter_told(letter: DeadLetter) -> Line:
    """A letter as `show` answers: with the references it holds, and all that happened to it."""
    died = letter.died
    history = [
        {"time": at, "event": type(said).__name__, **said.model_dump(mode="json")} for at, said in letter.history
    ]
    return {
        **letter_line(letter),
        "stream": died.stream,
        "global_position": died.global_position,
        "event_id": str(died.event_id),
        "notice": died.notice,
        "history": history,
    }


def letters_page(page: "Console", lines: Sequence[Line]) -> None:
    """A table of letters."""
    if not lines:
        page.print("no dead letters")
        return
    table = _table("id", "died", "target", "what", "thread", "state", "why")
    for line in lines:
        died = f"{line['died_at']:%Y-%m-%d %H:%M}"
        cells = (line["id"][:18], died, line["target"], line["kind"], line["thread_id"], line["state"], line["reason"])
        table.add_row(*(Text(str(cell)) for cell in cells))
    page.print(table)
    page.print("perdure dead-letters retry ID tries again, discard ID gives it up", style="dim")


def letter_page(page: "Console", told: Line) -> None:
    """One letter, line by line."""
    for name, value in told.items():
        if name != "history":
            page.print(Text(f"{name + ':':<17}{value}"), soft_wrap=True)
    for each in told["history"]:
        said = {
            name: value for name, value in each.items() if name not in {"time", "event"} and value not in (None, "")
        }
        shown = ", ".join(f"{name} {value}" for name, value in said.items() if name in {"by", "delivered", "reason"})
        page.print(Text(f"  {each['time']:%Y-%m-%d %H:%M:%S}  {each['event']}  {shown}"), soft_wrap=True)


def tried_line(tried: Tried) -> Line:
    """What came of one more try."""
    died = tried.letter.died
    return {
        "id": tried.letter.id,
        "target": died.target,
        "kind": died.kind,
        "thread_id": tried.letter.thread,
        "delivered": tried.delivered,
        "told": tried.told,
    }


def tried_page(page: "Console", lines: Sequence[Line]) -> None:
    """One line for each try."""
    if not lines:
        page.print("nothing to try again")
    for line in lines:
        word = "delivered" if line["delivered"] else "refused"
        told = f"{line['id'][:18]}  {line['target']}  {line['kind']}  {word}: {line['told']}"
        page.print(Text(told, style="" if line["delivered"] else "red"), soft_wrap=True)


def target_lines(addressees: Addressees, backlog: Sequence[Backlog]) -> Sequence[Line]:
    """Everybody who is told, and everybody who is not told any more but for whom something still waits."""
    waiting = {each.target: each for each in backlog}
    lines = [
        *(
            _target_line(
                webhook.name,
                host_of(webhook.endpoint.url) if webhook.endpoint.url else f"the secret {webhook.endpoint.url_secret}",
                webhook.problems(),
                waiting.pop(webhook.name, None),
            )
            for webhook in addressees.webhooks
        ),
        *(
            _target_line(notifier.name, "of a plugin", (), waiting.pop(notifier.name, None))
            for notifier in addressees.notifiers
        ),
    ]
    nobody = ("nobody here has this name: notices wait for it for ever",)
    return [*lines, *(_target_line(name, "", nobody, each) for name, each in waiting.items())]


def _target_line(name: str, where: str, problems: Sequence[str], waiting: Backlog | None) -> Line:
    return {
        "name": name,
        "where": where,
        "problems": list(problems),
        "waiting": waiting.waiting if waiting else 0,
        "reminders": waiting.later if waiting else 0,
        "oldest": waiting.oldest if waiting else None,
        "last_problem": waiting.problem if waiting else None,
    }


def targets_page(page: "Console", lines: Sequence[Line]) -> None:
    """A table of those who are told."""
    if not lines:
        page.print("nobody is told: set PERDURE_WEBHOOKS to a file of endpoints, or bring a notifier with a plugin")
        return
    table = _table("name", "where", "waiting", "reminders", "problem")
    for line in lines:
        problem = "; ".join(line["problems"]) or line["last_problem"] or ""
        cells = (line["name"], line["where"], line["waiting"], line["reminders"], problem)
        table.add_row(*(Text(str(cell)) for cell in cells))
    page.print(table)


def probe_page(page: "Console", lines: Sequence[Line]) -> None:
    """What each endpoint answered."""
    for line in lines:
        took = f" in {line['ms']} ms" if line["ms"] is not None else ""
        page.print(
            Text(f"{line['endpoint']}: {'taken' if line['taken'] else 'NOT taken'}: {line['answer']}{took}"),
            style="" if line["taken"] else "red",
            soft_wrap=True,
        )
        page.print(Text(f"  sent: {line['sent']}"), style="dim", soft_wrap=True)
        if line["body"]:
            page.print(Text(f"  answer: {line['body']}"), soft_wrap=True)
        if line["remedy"]:
            page.print(Text(f"  {line['remedy']}"), soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column not in {"why", "problem", "thread", "where"})
    return table
