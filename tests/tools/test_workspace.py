"""There is no way out of the workspace."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tools.conftest import SECRET
from tools.errors import ToolFailed
from tools.workspace import Workspace

INSIDE = "inside"


@pytest.fixture
def furnished(workspace: Path, outside: Path) -> Path:
    """A workspace with files, and with links to everywhere."""
    (workspace / "docs" / "deep").mkdir(parents=True)
    (workspace / "docs" / "a.txt").write_text(INSIDE)
    (workspace / "docs" / "deep" / "b.txt").write_text(INSIDE)
    (workspace / "secrets.txt").write_text(INSIDE)
    for name, target in {
        "to-file": "docs/a.txt",
        "to-folder": "docs/deep",
        "to-absolute": str(workspace / "docs"),
        "docs/up": "..",
        "docs/deep/up-and-down": "../../docs/a.txt",
        "out-file": str(outside / "secret.txt"),
        "out-folder": str(outside),
        "out-relative": "../outside/secret.txt",
        "docs/out-far": "../../outside",
        "out-twice": "out-folder/secret.txt",
        "out-chain": "to-folder/../../../outside/secret.txt",
        "root": "/",
        "proc": "/proc/self/root",
        "cwd": "/proc/self/cwd",
        "dangling": "nowhere",
        "circle": "circle",
        "ping": "pong",
        "pong": "ping",
        "env-link": ".env",
    }.items():
        (workspace / name).symlink_to(target)
    (workspace / ".env").write_text(SECRET)
    return workspace


def _names(folder: str | Path) -> set[str]:
    """The names in a folder."""
    return {entry.name for entry in Path(folder).iterdir()}


def _read(root: Path, path: str) -> str:
    """A whole file, read through the workspace."""
    with Workspace(root).open_file(path) as file:
        return file.read().decode()


@pytest.mark.parametrize(
    "path",
    [
        "docs/a.txt",
        "./docs//a.txt",
        "docs/a.txt/",
        "docs/deep/../a.txt",
        "to-file",
        "to-folder/b.txt",
        "to-folder/../a.txt",
        "to-absolute/a.txt",
        "docs/up/docs/up/secrets.txt",
        "docs/deep/up-and-down",
    ],
)
def test_files_inside_are_read_also_over_links(furnished: Path, path: str) -> None:
    """Links are followed as long as they stay inside, and `..` goes back where the path came from."""
    assert _read(furnished, path) == INSIDE


def test_an_absolute_path_into_the_workspace_is_inside(furnished: Path) -> None:
    """Models like to give whole paths."""
    assert _read(furnished, str(furnished / "docs" / "a.txt")) == INSIDE


@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret.txt",
        "docs/../../outside/secret.txt",
        "../workspace/../outside/secret.txt",
        "out-file",
        "out-folder/secret.txt",
        "out-relative",
        "docs/out-far/secret.txt",
        "out-twice",
        "out-chain",
        "root/etc/passwd",
        "proc/etc/passwd",
        "cwd/pyproject.toml",
        "/etc/passwd",
        "/proc/self/root/etc/passwd",
        "/proc/self/environ",
        "//etc/passwd",
        "..",
        "/",
    ],
)
def test_what_lies_outside_is_refused(furnished: Path, path: str) -> None:
    """Neither `..` nor absolute paths nor links lead out, however they are combined."""
    with pytest.raises(ToolFailed, match="leads out of the workspace"):
        _read(furnished, path)
    with pytest.raises(ToolFailed, match="leads out of the workspace"):
        list(Workspace(furnished).entries(path, recursive=True, hidden=True))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "is a folder"),
        (".", "is a folder"),
        ("docs", "is a folder"),
        ("nothing.txt", "there is no file 'nothing.txt'"),
        ("no/where", "there is no 'no/where'"),
        ("secrets.txt/x", "a part of the path is not a folder"),
        ("dangling", "there is no file 'dangling'"),
        ("circle", "perhaps in a circle"),
        ("ping", "perhaps in a circle"),
        ("a\0b", "NUL"),
        ("x" * 300, "File name too long"),
        ("x/" * 4000, "the path is too long"),
        ("docs/up/" * 500, "perhaps in a circle"),
        ("\ud800", "no file name can have"),
        ("~/secret.txt", "there is no"),
        ("C:\\secret.txt", "there is no file"),
        (".env", "may hold secrets"),
        ("docs/../.ENV", "may hold secrets"),
        ("env-link", "may hold secrets"),
        (".env.production", "may hold secrets"),
        (".git/config", "may hold secrets"),
        ("keys/server.pem", "may hold secrets"),
    ],
)
def test_what_cannot_be_read_is_told_in_words(furnished: Path, path: str, said: str) -> None:
    """Every reason has its own sentence."""
    with pytest.raises(ToolFailed) as refused:
        _read(furnished, path)
    assert said in str(refused.value)


def test_pipes_sockets_and_devices_are_refused_and_never_hang(workspace: Path) -> None:
    """Only regular files are opened."""
    os.mkfifo(workspace / "pipe")
    here = Path.cwd()
    os.chdir(workspace)  # the name of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
    finally:
        os.chdir(here)
    for name in ("pipe", "socket"):
        with pytest.raises(ToolFailed, match="not a regular file"):
            _read(workspace, name)
        with pytest.raises(ToolFailed, match="not a regular file"):
            Workspace(workspace).write(name, b"", "key")
    with pytest.raises(ToolFailed, match="not a regular file"):
        _read(Path("/dev"), "null")


def test_names_may_hold_anything_a_file_system_takes(workspace: Path) -> None:
    """Line breaks and bytes that are no text are part of a name like others."""
    odd = ["a\nb", os.fsdecode(b"\xff\xfe"), "ünï", " ", "-rf", "*"]
    for name in odd:
        (workspace / name).write_text(INSIDE)
        assert _read(workspace, name) == INSIDE
    assert {entry.path for entry in Workspace(workspace).entries("", recursive=False, hidden=False)} == set(odd)


def test_the_workspace_itself_may_be_a_link(furnished: Path, tmp_path: Path) -> None:
    """Where the workspace lies is its owner's affair."""
    (tmp_path / "link").symlink_to(furnished)
    assert _read(tmp_path / "link", "docs/a.txt") == INSIDE
    with pytest.raises(ToolFailed, match="leads out"):
        _read(tmp_path / "link", "../outside/secret.txt")


def test_a_link_put_in_the_way_at_the_last_moment_leads_nowhere(workspace: Path, outside: Path) -> None:
    """While somebody swaps a folder and a file for links to the outside, no read ever shows what is there."""
    (workspace / "real").mkdir()
    (workspace / "real" / "secret.txt").write_text(INSIDE)
    (workspace / "file.txt").write_text(INSIDE)
    enough = threading.Event()

    def swap() -> None:
        link, other = workspace / "link", workspace / "file-link"
        while not enough.is_set():
            for fresh, target, place in (
                (link, outside, "folder"),
                (link, workspace / "real", "folder"),
                (other, outside / "secret.txt", "file.txt"),
            ):
                fresh.symlink_to(target)
                fresh.rename(workspace / place)
            (workspace / "fresh").write_text(INSIDE)
            (workspace / "fresh").rename(workspace / "file.txt")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = [_read_or_refused(workspace, path) for path in ("folder/secret.txt", "file.txt") * 300]
    finally:
        enough.set()
        swapper.join()
    assert all(each == INSIDE or each.startswith("refused: ") for each in seen)


NAMES = """
    docs deep a.txt .. . up up-and-down to-file to-folder to-absolute out-file out-folder out-relative out-far out-twice
    out-chain root proc cwd dangling circle ping outside workspace secret.txt etc passwd .env
"""
PARTS = st.one_of(st.sampled_from(NAMES.split()), st.text(max_size=5))


def _read_or_refused(root: Path, path: str) -> str:
    """The same, or why not."""
    try:
        return _read(root, path)
    except ToolFailed as refused:
        return f"refused: {refused}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(parts=st.lists(PARTS, max_size=8), absolute=st.sampled_from(["", "/", "//", "{root}/", "{outside}/"]))
def test_no_path_reads_or_lists_what_lies_outside(
    furnished: Path, outside: Path, parts: list[str], absolute: str
) -> None:
    """Whatever the path, what is read is a file of the workspace, or nothing."""
    path = absolute.format(root=furnished, outside=outside) + "/".join(parts)
    read = _read_or_refused(furnished, path)
    assert read == INSIDE or read.startswith("refused: ")
    try:
        found = list(Workspace(furnished).entries(path, recursive=False, hidden=True))
    except ToolFailed:
        return
    names = {entry.path for entry in found}
    assert "secret.txt" not in names
    assert names <= {entry.name for entry in furnished.rglob("*")}


def test_listing_shows_links_and_does_not_follow_them(furnished: Path) -> None:
    """A recursive listing stays in the folders that are really there, in the order of their names."""
    found = list(Workspace(furnished).entries("docs", recursive=True, hidden=False))
    assert [(entry.path, entry.kind) for entry in found] == [
        ("a.txt", "file"),
        ("deep", "folder"),
        ("deep/b.txt", "file"),
        ("deep/up-and-down", "link"),
        ("out-far", "link"),
        ("up", "link"),
    ]


def test_hidden_names_are_listed_on_request_and_private_folders_not_entered(workspace: Path) -> None:
    """A name is no secret; what `.git` holds may be."""
    for name in (".git/config", "__pycache__/a.pyc", ".hidden/x", "seen.txt"):
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).touch()
    listed = Workspace(workspace).entries(".", recursive=True, hidden=False)
    assert [entry.path for entry in listed] == ["seen.txt"]
    everything = Workspace(workspace).entries(".", recursive=True, hidden=True)
    names = {entry.path for entry in everything}
    assert {".git", ".hidden/x", "__pycache__/a.pyc"} < names
    assert ".git/config" not in names


def test_a_folder_of_any_depth_is_listed_as_far_as_it_goes(workspace: Path) -> None:
    """Depth is bounded, and reaching the bound is no error."""
    place = workspace
    for _ in range(80):
        place /= "d"
    place.mkdir(parents=True)
    assert len(list(Workspace(workspace).entries(".", recursive=True, hidden=False))) == 65
    with pytest.raises(ToolFailed, match="folders deep"):
        _read(workspace, "d/" * 80 + "x")


def test_every_folder_is_let_go(furnished: Path) -> None:
    """Neither success nor failure leaves a file open."""
    before = len(_names("/dev/fd"))
    workspace = Workspace(furnished)
    for path in ("docs/a.txt", "docs/../../x", "docs/deep/nothing", "docs", "circle"):
        _read_or_refused(furnished, path)
    next(workspace.entries(".", recursive=True, hidden=False))
    workspace.write("new/file", b"", "key")
    assert len(_names("/dev/fd")) == before


def test_writing_makes_folders_and_replaces_files(workspace: Path) -> None:
    """The size of what stood there comes back, the old file's mode stays, and no draft is left."""
    place = Workspace(workspace)
    assert place.write("a/b/c.txt", b"one", "key") is None
    (workspace / "a/b/c.txt").chmod(0o640)
    assert place.write("a/b/c.txt", b"three", "key") == 3
    assert (workspace / "a/b/c.txt").read_bytes() == b"three"
    assert (workspace / "a/b/c.txt").stat().st_mode & 0o777 == 0o640
    assert _names(workspace / "a/b") == {"c.txt"}


def test_an_attempt_clears_away_what_an_earlier_one_left(workspace: Path) -> None:
    """A draft left by a process that died goes when its call is made again; drafts of other calls stay."""
    program = (
        "import os, pathlib, sys\n"
        "from tools import workspace\n"
        "workspace.os.rename = lambda *_, **__: os._exit(9)\n"
        "workspace.Workspace(pathlib.Path(sys.argv[1])).write('file', b'content', sys.argv[2])\n"
    )
    for key in ("key-1", "key-2"):
        died = subprocess.run(
            [sys.executable, "-c", program, workspace, key], cwd=Path(__file__).parents[2], check=False, timeout=60
        )
        assert died.returncode == 9
    left = _names(workspace)
    assert len(left) == 2
    Workspace(workspace).write("file", b"content", "key-1")
    after = _names(workspace)
    assert len(after - {"file"}) == 1
    assert after - {"file"} < left


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../new.txt", "leads out"),
        ("/tmp/new.txt", "leads out"),
        ("to-file", "leads over a link"),
        ("to-folder/new.txt", "leads over a link"),
        ("out-folder/new.txt", "leads over a link"),
        ("dangling", "leads over a link"),
        ("docs", "is a folder"),
        (".", "is a folder"),
        ("docs/..", "is a folder"),
        ("secrets.txt/new.txt", "not a folder"),
        (".env", "may hold secrets"),
        (".git/hooks/pre-commit", "may hold secrets"),
        ("read-only.txt", "is read-only"),
        ("n" * 300, "File name too long"),
        ("a\0b", "NUL"),
    ],
)
def test_what_cannot_be_written_is_told_in_words(furnished: Path, outside: Path, path: str, said: str) -> None:
    """Nothing is written outside, over links or onto what is no plain file."""
    (furnished / "read-only.txt").touch(mode=0o444)
    before = {entry: entry.lstat().st_mtime_ns for entry in furnished.rglob("*") if not entry.is_dir()}
    with pytest.raises(ToolFailed) as refused:
        Workspace(furnished).write(path, b"overwritten", "key")
    assert said in str(refused.value)
    assert before == {entry: entry.lstat().st_mtime_ns for entry in furnished.rglob("*") if not entry.is_dir()}
    assert _names(outside) == {"secret.txt"}
