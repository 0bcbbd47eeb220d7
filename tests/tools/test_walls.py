"""The walls that the kernel keeps: they hold even where the interpreter would not."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from tests.packaging.checkout import ROOT

ATTEMPTS = {
    "read outside": "files",
    "read by a link": "files",
    "list outside": "files",
    "own environment": "files",
    "the parent's environment": "files",
    "write inside": "files",
    "write outside": "files",
    "remove outside": "files",
    "connect": "tcp",
    "signal the parent": "signals",
    "new socket": "calls",
    "local socket": "calls",
    "trace the parent": "calls",
    "read the parent's memory": "calls",
    "leave the group": "calls",
    "new namespace": "calls",
}
"""And the wall that refuses each."""


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What a process behind the walls found."""
    inside, outside = tmp_path_factory.mktemp("inside"), tmp_path_factory.mktemp("outside") / "secret"
    (inside / "own").write_text("own")
    outside.write_text("secret")
    (inside / "link").symlink_to(outside)
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.walled", str(inside), str(outside)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert outside.read_text() == "secret"
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("attempt", "wall"), ATTEMPTS.items(), ids=list(ATTEMPTS))
def test_there_is_no_way_out(behind: Mapping[str, Any], attempt: str, wall: str) -> None:
    """The kernel refuses it, where it has the wall."""
    if wall not in behind["walls"]:
        pytest.skip(f"this system keeps no wall around {wall}")
    assert behind["refused"].get(attempt) == "PermissionError"


def test_what_is_named_stays_open(behind: Mapping[str, Any]) -> None:
    """A program still reads its own folder."""
    assert "read inside" not in behind["refused"]


def test_nothing_is_written_anywhere(behind: Mapping[str, Any]) -> None:
    """No file can grow, on any system."""
    assert {"write inside", "write outside"} <= set(behind["refused"])


@pytest.mark.skipif(sys.platform != "linux", reason="address space is not bounded here")
def test_memory_is_bounded(behind: Mapping[str, Any]) -> None:
    """More address space than was allowed is not to be had."""
    assert "too much memory" in behind["refused"]
