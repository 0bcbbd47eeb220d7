"""The code in docs/approvals.md by which receivers tell a genuine notice."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from notices.signing import headers, key_of
from tests.notices.conftest import NEWER, SECRET
from tests.packaging.checkout import text

BODY = '{"type":"webhook.test","text":"é \\u2028"}'.encode()


def snippet(language: str) -> str:
    """The block under the heading, in this language."""
    under = text("docs/approvals.md").partition("### Is it genuine?")[2]
    found = re.search(rf"^```{language}\n(.*?)^```$", under, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


CASES = pytest.mark.parametrize(
    ("body", "secret", "ago", "genuine"),
    [
        (BODY, SECRET, 0, True),
        (BODY, NEWER, 0, True),
        (BODY + b" ", SECRET, 0, False),
        (BODY, "whsec_" + "A" * 44, 0, False),
        (BODY, SECRET, 600, False),
    ],
)


@CASES
def test_the_code_in_python_tells(body: bytes, secret: str, ago: int, *, genuine: bool) -> None:
    """It takes what either secret signed just now, and nothing else."""
    names: dict[str, object] = {}
    exec(snippet("python"), names)
    sent = headers("id", int(time.time()) - ago, BODY, [key_of(SECRET), key_of(NEWER)])
    assert names["is_genuine"](body, sent, secret) is genuine  # type: ignore[operator]


@CASES
def test_the_code_in_shell_tells(tmp_path: Path, body: bytes, secret: str, ago: int, *, genuine: bool) -> None:
    """The same, with nothing but openssl."""
    (tmp_path / "body.json").write_bytes(body)
    sent = headers("id", int(time.time()) - ago, BODY, [key_of(SECRET), key_of(NEWER)])
    variables = {name.upper().replace("-", "_"): value for name, value in sent.items()}
    ran = subprocess.run(
        ["bash", "-c", snippet("bash")],
        env={"PATH": os.environ["PATH"], "WEBHOOK_SECRET": secret, **variables},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (ran.stdout.strip() == b"genuine") is genuine, ran.stderr
    assert (ran.returncode == 0) is genuine
