"""The mind of `make demo`: inspects a folder with real tools, and asks to write a report about it.

Where it stands is read in the request: what was called already, and what came of it. So it may be asked again by
another worker at any point, and it goes on from there.
"""

from llm.messages import JsonObject
from stack.scripted.answers import Reply, ToolUse
from stack.scripted.conversation import Call, Conversation
from stack.scripted.listing import Listing
from stack.scripted.report import NAME, report, summary

OPENING = "Inspect the folder"
"""The first words of the message this mind answers."""
REQUEST = f"{OPENING} and write a short report about it into {NAME}."
PACE = 0.06
"""Seconds between the pieces of a reply: slow enough to kill a worker in the middle of one."""
CHUNK = 10
"""Characters of a piece, at least."""
MOST_PIECES = 60
"""Of one reply, about: nobody wants to wait for the whole report letter by letter."""
MOST_READ = 3
MOST_LISTED = 500


def demo_mind(body: JsonObject, *, pace: float = PACE) -> Reply:
    """Take the next step."""
    conversation = Conversation.of(body)
    reply = _step(conversation, conversation.calls)
    return reply.at_pace(pace, max(CHUNK, len(str(reply.content)) // MOST_PIECES))


def _step(conversation: Conversation, calls: list[Call]) -> Reply:
    called = {call.name: call for call in calls}
    if "list_files" not in called:
        return _look_around(conversation)
    listed = called["list_files"]
    if listed.failed:
        return Reply.text(f"I could not look into the folder, so there is nothing to report. {listed.result}")
    listing = Listing.read(listed.result).without(NAME)
    if "write_file" in called:
        return _farewell(called["write_file"], listing)
    if "read_file" not in called and "search_files" not in called:
        look = _look_closer(conversation, listing)
        if look is not None:
            return look
    return _write(conversation, listing, calls)


def _look_around(conversation: Conversation) -> Reply:
    if "list_files" not in conversation.tools:
        return Reply.text(
            "I am a scripted model and would list the files now, but I was not given the tool list_files."
        )
    wanted: list[ToolUse] = [("list_files", {"path": ".", "recursive": True, "limit": MOST_LISTED})]
    if "get_current_time" in conversation.tools:
        wanted.append(("get_current_time", {}))
    return Reply.tools(
        *wanted,
        thinking="First I need to know what is there. The clock does not depend on that, so I ask both at once.",
        text="I am a scripted model, but the tools I call are real. First I look around and at the clock.",
    )


def _look_closer(conversation: Conversation, listing: Listing) -> Reply | None:
    """Read what says most about the folder; None where there is nothing to read or nothing to read it with."""
    paths = listing.worth_reading(MOST_READ) if "read_file" in conversation.tools else []
    wanted: list[ToolUse] = [("read_file", {"path": path, "line_count": 40}) for path in paths]
    if listing.files and "search_files" in conversation.tools:
        wanted.append(("search_files", {"pattern": "TODO", "path": ".", "limit": 20}))
    if not wanted:
        return None
    what = f"read {', '.join(paths)} and search" if paths else "search"
    return Reply.tools(*wanted, text=f"There are {summary(listing)}. Now I {what} for what is still to be done.")


def _write(conversation: Conversation, listing: Listing, calls: list[Call]) -> Reply:
    text = report(listing, calls)
    if "write_file" not in conversation.tools:
        return Reply.text(f"I was not given the tool write_file, so here is the report:\n\n{text}")
    said = f"I know enough. I ask to write the report into {NAME}: a person decides whether I may."
    return Reply.tools(("write_file", {"path": NAME, "content": text}), text=said)


def _farewell(written: Call, listing: Listing) -> Reply:
    if written.failed:
        return Reply.text(
            f"The report was not written, and that is all right. {written.result}\n\n"
            f"What it would have said first: there are {summary(listing)}."
        )
    return Reply.text(
        f"The report is written ({written.result}). It says that there are {summary(listing)}, what the most telling "
        "files begin with, and where something is still to be done."
    )
