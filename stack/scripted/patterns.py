"""The sentences the default mind understands, and what each of them wants."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from llm.messages import JsonObject

Match: TypeAlias = re.Match[str]

LONGEST_CLAUSE = 500
"""Characters; what is longer is no request these patterns could understand."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing to be done with a tool, or (without one) to be thought about."""

    tool: str | None
    arguments: JsonObject
    doing: str
    """What is done, after "I will": `read README.md`."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Words that mean a wish. One without an example is another way to say the one before."""

    tool: str | None
    example: str
    words: re.Pattern[str]
    arguments: Callable[[Match], JsonObject]
    doing: str
    """With the arguments' names in braces."""
    verbatim: bool = False
    """Whether punctuation at the end belongs to it."""

    def wish(self, clause: str) -> Wish | None:
        """The wish in these words, if it is one of this kind."""
        if not self.verbatim:
            if len(clause) > LONGEST_CLAUSE:
                return None
            clause = re.sub(r"(?<=[\w)\"'`])[.?!]+$", "", clause)
        found = self.words.search(clause)
        if found is None:
            return None
        arguments = self.arguments(found)
        return Wish(self.tool, arguments, self.doing.format(**arguments))


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def _path(text: str | None) -> str:
    path = (text or "").strip("\"'`,")
    return "." if path.lower() in {"", "this", "the", "here", "my", "that", "."} else path


def _time(found: Match) -> JsonObject:
    return {"timezone": found["zone"]} if found["zone"] else {}


def _list(found: Match) -> JsonObject:
    pattern = found["before"] or found["after"]
    return {"path": _path(found["path"]), **({"pattern": pattern.strip("\"'`")} if pattern else {})}


def _search(found: Match) -> JsonObject:
    return {"pattern": found["pattern"].strip("\"'`"), "path": _path(found["path"])}


def _calculate(found: Match) -> JsonObject:
    expression = found["expression"].strip(" =").replace("^", "**")
    return {"expression": expression}


def _ask(found: Match) -> JsonObject:
    question = found["question"].strip("\"'`")
    if found["options"]:
        return {"question": f"{question}?", "kind": "choose", "options": re.split(r",\s*|\s+or\s+", found["options"])}
    if found["whether"]:
        return {"question": f"Is it so that {question}?", "kind": "confirm"}
    return {"question": f"{question}?"}


PATTERNS = (
    Pattern(
        "write_file",
        "write notes.md: what the file shall say (a person is asked first)",
        _words(r"^(?:write|create|save)\s+(?:(?:to|the|a)\s+)?(?:file\s+)?(?P<path>\S+?)\s*:\s*(?P<content>.+)$"),
        lambda found: {"path": _path(found["path"]), "content": found["content"].rstrip() + "\n"},
        "write {path}",
        verbatim=True,
    ),
    Pattern(
        "write_file",
        "",
        _words(
            r"^(?:write|save|put)\s+(?P<content>.+?)\s+(?:in)?to\s+(?:(?:the|a)\s+)?(?:file\s+)?(?:named\s+)?(?P<path>\S+)$"
        ),
        lambda found: {"path": _path(found["path"]), "content": found["content"].strip("\"'`") + "\n"},
        "write {path}",
    ),
    Pattern(
        None,
        "think about the meaning of logs",
        _words(r"^think(?:\s+(?:hard|carefully))?(?:\s+(?:about|of|over))?\s+(?P<subject>.+)$"),
        lambda found: {"subject": found["subject"]},
        "think about {subject}",
    ),
    Pattern(
        "ask_human",
        "ask me which colour it shall be: red, green or blue",
        _words(
            r"^ask\s+(?:me|us|a\s+person|somebody)\s+(?:for\s+|(?P<whether>whether\s+|if\s+))?(?P<question>[^:]+?)"
            r"(?:\s*:\s*(?P<options>[^:]+\s+or\s+[^:]+))?$"
        ),
        _ask,
        "ask a person: {question}",
    ),
    Pattern(
        "echo",
        "echo hello",
        _words(r"^(?:echo|repeat)\s*:?\s+(?P<message>.+)$"),
        lambda found: {"message": found["message"].strip("\"'`")},
        "echo that",
        verbatim=True,
    ),
    Pattern(
        "get_current_time",
        "what time is it in Europe/Berlin?",
        _words(
            r"\b(?:what(?:'s|\s+is)?\s+(?:the\s+)?(?:current\s+)?time|current\s+time|tell\s+(?:me\s+)?the\s+time|time\s+is\s+it)\b"
            r"(?:.*?\bin\s+(?P<zone>UTC|[A-Za-z_]+/[A-Za-z_/+-]+\d*))?"
        ),
        _time,
        "look at the clock",
    ),
    Pattern(
        "list_files",
        "list files in docs",
        _words(
            r"^(?:list|show|ls\b)(?:\s+me)?(?:\s+(?:all|the|my))*(?:\s+(?P<before>\*\S+))?\s+files"
            r"(?:\s+(?:in|of|under|from)\s+(?P<path>\S+))?(?:.*?\s(?:matching|like)\s+(?P<after>\S+))?"
        ),
        _list,
        "list the files in {path}",
    ),
    Pattern(
        "list_files",
        "",
        _words(
            r"^(?:(?:what|which)\s+files\s+are(?:\s+there)?(?:\s+in)?|(?:ls|list)\b(?!\s+\S+\s))"
            r"\s*(?:the\s+)?(?P<path>\S+)?(?:\s+folder)?$"
        ),
        lambda found: {"path": _path(found["path"])},
        "list the files in {path}",
    ),
    Pattern(
        "search_files",
        "search for TODO",
        _words(
            r"^(?:search|grep|look|find)(?:\s+(?:the\s+)?files)?(?:\s+for)?\s+"
            r"(?P<pattern>\"[^\"]+\"|'[^']+'|`[^`]+`|.+?)(?:\s+in\s+(?P<path>\S+)(?:\s+folder)?)?$"
        ),
        _search,
        "search {path} for {pattern}",
    ),
    Pattern(
        "read_file",
        "read README.md",
        _words(r"^(?:read|open|cat|show)(?:\s+me)?(?:\s+the)?(?:\s+file)?\s+(?P<path>\S+)$"),
        lambda found: {"path": _path(found["path"])},
        "read {path}",
    ),
    Pattern(
        "calculate",
        "what is 2 + 3 * 4?",
        _words(
            r"^(?:(?:calculate|compute|work\s+out|evaluate|what(?:'s|\s+is)|how\s+much\s+is)\s+|(?=[\d(]))"
            r"(?P<expression>(?=.*\d)[\w\s+\-*/%().,^]+?)\s*=?\s*$"
        ),
        _calculate,
        "calculate {expression}",
    ),
)
"""In the order in which they are tried."""
