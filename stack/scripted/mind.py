"""The default mind, for whoever tries Perdure without a key: it says that it is scripted, and does what it can.

Nothing is remembered: what there is to do next is read in the request. Each thing a person says is handled anew:
first the tools are called, all at once, then their results are told in words.
"""

import json
import re

from llm.messages import Block, JsonObject, text_block
from projections.answer import check_answer
from stack.scripted.answers import Answer, Reply, thought, tool_use
from stack.scripted.conversation import Call, Conversation
from stack.scripted.demo_mind import OPENING, demo_mind
from stack.scripted.instance import instance_of, schema_asked_for
from stack.scripted.patterns import PATTERNS, Wish
from stack.scripted.wishes import wishes_in

WHO = "I am a scripted model: no intelligence, only patterns. With ANTHROPIC_API_KEY set you would talk to Claude."
GREETING = re.compile(r"\s*(?:hi|hello|hey|good (?:morning|day|evening)|thanks|thank you)\b", re.IGNORECASE)
LONGEST_QUOTE = 1500
"""Characters of a result that are quoted."""


def default_mind(body: JsonObject) -> Answer:
    """Answer whatever is asked."""
    conversation = Conversation.of(body)
    if conversation.asked.startswith(OPENING):
        return demo_mind(body)
    if conversation.calls:
        return _answer(conversation, _told(conversation.calls))
    wishes = wishes_in(conversation.asked)
    possible = [wish for wish in wishes if wish.tool in conversation.tools]
    thoughts = [thought(_thinking(wish)) for wish in wishes if wish.tool is None]
    if possible:
        return _act(conversation, wishes, thoughts)
    if not wishes:
        return _answer(conversation, _puzzled(conversation))
    return _answer(conversation, "\n".join(_unable(wish) for wish in wishes), thoughts)


def _act(conversation: Conversation, wishes: list[Wish], thoughts: list[Block]) -> Reply:
    """Call the tools, all at once."""
    possible = [wish for wish in wishes if wish.tool in conversation.tools]
    said = [*_before(conversation), f"I will {_joined([wish.doing for wish in possible])}."]
    said += [_unable(wish) for wish in wishes if wish.tool and wish not in possible]
    calls = [tool_use(str(wish.tool), wish.arguments) for wish in possible]
    return Reply((*thoughts, text_block("\n".join(said)), *calls))


def _answer(conversation: Conversation, words: str, thoughts: list[Block] | None = None) -> Reply:
    """A last word: JSON where that is asked for."""
    schema = schema_asked_for(conversation)
    said = _fitting(schema, words) if schema is not None else "\n\n".join([*_before(conversation), words])
    return Reply((*(thoughts or ()), text_block(said)))


def _fitting(schema: object, words: str) -> str:
    """JSON that fits, with the words in it where they may stand."""
    fuller = json.dumps(instance_of(schema, words), ensure_ascii=False)
    if check_answer(fuller, schema)[1] is None:
        return fuller
    return json.dumps(instance_of(schema, ""), ensure_ascii=False)


def _before(conversation: Conversation) -> list[str]:
    """What is said first: who is speaking, or what came of what was asked before."""
    if conversation.is_new:
        return [WHO]
    earlier = conversation.earlier_calls
    return [f"About what you asked before: {_told(earlier)}"] if earlier and not conversation.calls else []


def _puzzled(conversation: Conversation) -> str:
    """A friendly answer to what is not understood."""
    offered = [pattern for pattern in PATTERNS if pattern.tool is None or pattern.tool in conversation.tools]
    examples = "\n".join(f"- {pattern.example}" for pattern in offered if pattern.example)
    greeting = "Hello." if GREETING.match(conversation.asked) else "I did not understand that."
    who = "" if conversation.is_new else f" {WHO}"
    return (
        f"{greeting}{who} This I understand, several in one message too, which are then done in parallel:\n\n{examples}"
    )


def _thinking(wish: Wish) -> str:
    return f"I am asked to {wish.doing}. A scripted model has no thoughts, but this is where one would read them."


def _unable(wish: Wish) -> str:
    if wish.tool is None:
        return f"I thought about {wish.arguments['subject']}, and what I thought is in my thinking block."
    return f"I would {wish.doing}, but I was not given the tool {wish.tool}."


def _told(calls: list[Call]) -> str:
    return "\n\n".join(_tell(call) for call in calls)


def _tell(call: Call) -> str:
    """What became of one call, in words."""
    result = call.result if len(call.result) <= LONGEST_QUOTE else f"{call.result[:LONGEST_QUOTE]}…"
    given = call.arguments
    if call.failed:
        return f"{call.name} did not do it. {result}"
    match call.name:
        case "get_current_time":
            return f"It is {result}."
        case "calculate":
            return f"{given.get('expression')} = {result}"
        case "ask_human":
            return f"I asked: {given.get('question')} {result}"
        case "echo":
            return f"The echo says: {result}"
        case "list_files":
            return f"The files in {given.get('path', '.')}:\n{result}"
        case "read_file":
            return f"{given.get('path')} says:\n{result}"
        case "search_files":
            return f"The search for {given.get('pattern')} says:\n{result}"
        case _:
            return f"{call.name} says: {result}"


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
