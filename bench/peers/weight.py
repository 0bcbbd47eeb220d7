"""What a library brings along: run by the interpreter that has it, with the names of its packages; prints JSON."""

import json
import sys
from importlib.metadata import PackageNotFoundError, distribution, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(names: list[str]) -> set[str]:
    """The packages and all they need on this machine, the optional parts that were not asked for left out."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in found:
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found.add(name)
        waiting += [need for text in needs if _applies(need := Requirement(text), wanted.extras)]
    return found


def _applies(need: Requirement, extras: set[str]) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def size(name: str) -> int:
    """Bytes of all a package's files."""
    paths = [file.locate() for file in distribution(name).files or []]
    return sum(path.stat().st_size for path in paths if path.is_file())  # type: ignore[attr-defined]


if __name__ == "__main__":
    packages = closure(sys.argv[1:])
    weight = {name: size(name) for name in packages}
    versions = {name: version(name) for name in sorted(packages)}
    json.dump({"packages": versions, "sizes": weight}, sys.stdout)
