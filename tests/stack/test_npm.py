"""The npm package of Message DB."""

from dataclasses import replace
from pathlib import Path

import pytest

from stack.errors import DataFolderUnusable, MissingPart, WrongChecksum
from stack.home import cache_folder
from stack.messagedb import PACKAGE, steps


def npm_that(folder: Path, does: str) -> str:
    """A PATH whose npm is a script; its fourth argument is where the archive shall be."""
    folder.mkdir()
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


async def test_its_installer_says_in_which_order_the_sql_is_run() -> None:
    """Every SQL file of the package is run once, as its installer does, but for pgcrypto."""
    files = await PACKAGE.files(cache_folder())
    order = list(steps(files))
    folders = [step.partition("/")[0] for step in order]
    assert list(dict.fromkeys(folders)) == [
        "roles",
        "schema",
        "tables",
        "types",
        "functions",
        "indexes",
        "views",
        "privileges",
    ]
    there = {name.removeprefix("database/") for name in files if name.endswith(".sql")}
    assert there - set(order) == {"extensions/pgcrypto.sql", "benchmark_get.sql", "benchmark_write.sql"}
    assert len(order) == len(set(order))


async def test_a_package_with_other_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What npm brings is not used when its checksum is wrong, nor kept."""
    monkeypatch.setenv("PATH", npm_that(tmp_path / "bin", f'echo evil > "$4/{PACKAGE.file_name}"'))
    with pytest.raises(WrongChecksum, match="sha512"):
        await PACKAGE.files(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


async def test_a_damaged_archive_in_the_cache_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was damaged in the cache is replaced."""
    await PACKAGE.files(cache_folder())
    authentic = cache_folder() / PACKAGE.file_name
    monkeypatch.setenv("PATH", npm_that(tmp_path / "bin", f'cp "{authentic}" "$4/"'))
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / PACKAGE.file_name).write_bytes(authentic.read_bytes()[:-1])
    assert "database/install.sh" in await PACKAGE.files(cache)
    assert PACKAGE.is_kept(cache)


async def test_what_npm_complains_about_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When npm fails, its own words are in the error, and another way to bring the package."""
    monkeypatch.setenv("PATH", npm_that(tmp_path / "bin", "echo no network today; exit 1"))
    with pytest.raises(MissingPart, match="no network today") as raised:
        await PACKAGE.files(tmp_path / "cache")
    assert str(tmp_path / "cache" / PACKAGE.file_name) in raised.value.remedy


async def test_a_missing_npm_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without npm, and without a way to install it, the error says what to install."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(MissingPart, match="npm is not on PATH") as raised:
        await PACKAGE.files(tmp_path / "cache")
    assert "Install Node.js" in raised.value.remedy


async def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error names the folder and the setting that changes it."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DataFolderUnusable, match="PERDURE_CACHE"):
        await PACKAGE.files(file / "cache")


def test_a_checksum_is_of_every_byte() -> None:
    """One changed byte is noticed, and so is another digest."""
    content = (cache_folder() / PACKAGE.file_name).read_bytes()
    assert PACKAGE.is_authentic(content)
    assert not PACKAGE.is_authentic(content + b"\0")
    assert not replace(PACKAGE, integrity="sha512-").is_authentic(content)
