"""Secrets: given by name, at the moment of use, to tools that name them; struck out of everything said afterwards."""

import base64
import html
import json
import logging
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from llm.messages import JsonObject
from tests.tools.conftest import Bench
from tools.capabilities import Capabilities
from tools.context import ToolContext
from tools.errors import InvalidTool, ToolFailed
from tools.results import MOST_IMAGE_BYTES
from tools.secrets import NoSecret, Vault
from tools.tool import tool
from tools.toolbox import Failed, Planned, Succeeded
from tools.workbench import Workbench

VALUE = 'canary/7f+3 "é\\&<x>'
NEEDS = Capabilities(secrets=("BANK_TOKEN",))


@pytest.fixture
def vault() -> Vault:
    """A vault with one secret, from the environment."""
    return Vault(None, {"PERDURE_SECRET_BANK_TOKEN": VALUE})


def bench(vault: Vault, workspace: Path, *tools: object) -> Bench:
    """A bench whose tools are given secrets."""
    return Bench(Workbench(tools, workspace, vault=vault))  # type: ignore[arg-type] # each is a tool


def opened(vault: Vault) -> Vault:
    """The vault, after the secret was given out once."""
    vault.give("BANK_TOKEN", ("BANK_TOKEN",))
    return vault


async def test_a_tool_gets_what_it_names(vault: Vault, workspace: Path) -> None:
    """The value is handed to the tool as it is."""

    @tool(effect="read_only", capabilities=NEEDS)
    def pay(context: ToolContext) -> str:
        """Pay."""
        return str(len(context.secret("BANK_TOKEN")))

    assert (await bench(vault, workspace, pay).run("pay")).result[0]["text"] == str(len(VALUE))  # type: ignore[union-attr]


@pytest.mark.parametrize("capabilities", [None, Capabilities(secrets=("OTHER",))])
async def test_a_secret_that_is_not_named_is_not_given(
    vault: Vault, workspace: Path, capabilities: Capabilities | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The model reads which one it was, the operator finds it in the log, and nobody sees a value."""

    @tool(effect="read_only", capabilities=capabilities)
    def pay(context: ToolContext) -> str:
        """Pay."""
        return context.secret("BANK_TOKEN")

    with caplog.at_level(logging.ERROR):
        result = await bench(vault, workspace, pay).run("pay")
    problem = "the tool's capabilities do not name the secret 'BANK_TOKEN'"
    assert result == Failed("error", f"{problem}; an operator must see to it")
    assert [(line.message, line.tool, line.problem) for line in caplog.records] == [  # type: ignore[attr-defined]
        ("no_secret", "pay", problem)
    ]


async def test_a_missing_secret_is_told_by_its_name(workspace: Path) -> None:
    """The model and the operator read where the worker looked for it."""

    @tool(effect="read_only", capabilities=NEEDS)
    def pay(context: ToolContext) -> str:
        """Pay."""
        return context.secret("BANK_TOKEN")

    result = await bench(Vault(None, {}), workspace, pay).run("pay")
    assert isinstance(result, Failed)
    assert result.problem.startswith("the secret BANK_TOKEN is not set: give the worker the file BANK_TOKEN in ")


def test_outside_of_a_worker_there_is_none(vault: Vault, workspace: Path) -> None:
    """A tool that is tried out is told how to be given one."""
    context = bench(vault, workspace).context()
    with pytest.raises(ToolFailed, match=r"give one with ToolContext\(secret=…\)"):
        context.secret("BANK_TOKEN")


def test_files_come_first(tmp_path: Path) -> None:
    """A file of the folder wins over the variable, is read anew each time, and its last line end is not its own."""
    vault, file = Vault(tmp_path, {"PERDURE_SECRET_BANK_TOKEN": VALUE}), tmp_path / "BANK_TOKEN"
    named = ("BANK_TOKEN",)
    assert vault.give("BANK_TOKEN", named) == VALUE
    file.write_text("from-a-file\n")
    assert vault.give("BANK_TOKEN", named) == "from-a-file"
    file.write_text("rotated-value")
    assert vault.give("BANK_TOKEN", named) == "rotated-value"
    assert vault.strike(f"{VALUE} from-a-file rotated-value") == " ".join(["[secret BANK_TOKEN]"] * 3)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("../outside", b"x" * 20, "no name of a secret"),
        ("lower", b"x" * 20, "no name of a secret"),
        ("SHORT", b"1234567", "fewer than 8 characters"),
        ("BINARY", b"\xff" * 20, "no text in UTF-8"),
        ("LARGE", b"x" * 70_000, "more than 65,536 bytes"),
        ("FOLDER", None, "cannot be read: Is a directory"),
        ("NONE", b"", "fewer than 8"),
    ],
)
def test_what_cannot_be_a_secret_is_refused(tmp_path: Path, name: str, content: bytes | None, problem: str) -> None:
    """What cannot be found in texts again, or is no text, is not given out."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / name).mkdir() if content is None else (folder / name).write_bytes(content)
    with pytest.raises(NoSecret, match=problem):
        Vault(folder, {}).give(name, (name,))


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        f"Bearer {VALUE}.",
        quote(VALUE),
        quote(VALUE, safe=""),
        quote_plus(VALUE),
        quote(VALUE, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%22", "%22").lower(),
        json.dumps({"a": VALUE}),
        json.dumps({"a": VALUE}, ensure_ascii=False),
        json.dumps(json.dumps({"a": VALUE})),
        repr(ValueError(VALUE)),
        html.escape(VALUE),
        VALUE.encode().hex(),
        VALUE.encode().hex().upper(),
        base64.b64encode(VALUE.encode()).decode(),
        base64.urlsafe_b64encode(VALUE.encode()).decode(),
        base64.b64encode(f"ana:{VALUE}".encode()).decode(),
        base64.b64encode(f"me:{VALUE}:x".encode()).decode(),
    ],
)
def test_usual_encodings_are_struck_out(vault: Vault, form: str) -> None:
    """As it is, and as URLs, JSON, HTML, base64 of it and of what it is a part of, and hexadecimals show it."""
    struck = opened(vault).strike(form)
    assert "[secret BANK_TOKEN]" in struck
    assert "canary" not in struck


def test_lines_of_a_long_secret_are_struck_out_too() -> None:
    """A key of several lines does not get through one line at a time."""
    lines = ["-----BEGIN KEY-----", "MIIEvQIBADANBgkqhkiG9w0B", "AQEFAASCBKcwggSjAgEAAoIB", "-----END KEY-----"]
    vault = Vault(None, {"PERDURE_SECRET_KEY": "\n".join(lines)})
    vault.give("KEY", ("KEY",))
    assert vault.strike(lines[1]) == "[secret KEY]"
    assert vault.strike("\\n".join(lines)) == "[secret KEY]"
    assert vault.strike(lines[0]) == lines[0]


def test_json_is_struck_through(vault: Vault) -> None:
    """Keys, values and numbers, however deep; everything else stays as it was."""
    data: JsonObject = {VALUE: [{"a": VALUE}], "n": 1, "t": True, "none": None, "f": 1.5}
    assert opened(vault).strike(data) == {
        "[secret BANK_TOKEN]": [{"a": "[secret BANK_TOKEN]"}],
        "n": 1,
        "t": True,
        "none": None,
        "f": 1.5,
    }
    number = Vault(None, {"PERDURE_SECRET_PIN": "12345678"})
    number.give("PIN", ("PIN",))
    assert number.strike([12345678, 1234567]) == ["[secret PIN]", 1234567]


async def test_results_errors_and_beats_are_struck(vault: Vault, workspace: Path) -> None:
    """Whatever a tool says after it was given a secret, in this call or a later one, goes without it."""
    kept = []

    @tool(effect="read_only", capabilities=NEEDS)
    def take(context: ToolContext) -> str:
        """Take it."""
        kept.append(context.secret("BANK_TOKEN"))
        context.heartbeat(f"with {kept[0]}")
        return "x" * (50_000 - 5) + kept[0]  # cut in the middle, half of it would not be found

    @tool(effect="read_only", title=lambda _: kept[0])
    def tell(how: str) -> object:
        """Tell it."""
        if how == "raise":
            raise ValueError(kept[0])
        picture = b"\x89PNG\r\n\x1a\n" + kept[0].encode() + b"\0" * (MOST_IMAGE_BYTES // 1000)
        return picture if how == "picture" else {"a": kept[0]}

    here = bench(vault, workspace, take, tell)
    results = [await here.run("take")] + [await here.run("tell", how=how) for how in ("return", "raise", "picture")]
    said = str(results) + str(here.heard) + here.workbench.title("tell", {"how": "return"})
    assert here.heard == ["with [secret BANK_TOKEN]"]
    assert said.count("[secret") >= 4
    assert "canary" not in said
    assert isinstance(results[3], Succeeded)
    assert results[3].result[0]["text"] == "(image left out: it holds a secret)"


async def test_questions_are_struck(vault: Vault, workspace: Path) -> None:
    """What an approver reads tells no secret, though the tool's author wrote it."""

    @tool(effect="unsafe", approval=lambda _: f"because {VALUE}")
    def pay() -> str:
        """Pay."""
        return ""

    plan = bench(opened(vault), workspace, pay).plan("pay", {})
    assert isinstance(plan, Planned)
    assert plan.question is not None
    assert plan.question.reason == "because [secret BANK_TOKEN]"


@pytest.mark.parametrize(
    ("capabilities", "problem"),
    [
        (Capabilities(secrets=("bank-token",)), "names the secret 'bank-token'"),
        (Capabilities(domains=("",)), "declares domains that say nothing"),
        ({"secrets": ["A"]}, "write Capabilities"),
    ],
)
def test_a_wrong_manifest_is_refused(capabilities: object, problem: str) -> None:
    """A tool whose capabilities cannot be meant is not made."""
    with pytest.raises(InvalidTool, match=problem):

        @tool(capabilities=capabilities)  # type: ignore[call-overload] # on purpose
        def pay() -> None:
            """Pay."""
