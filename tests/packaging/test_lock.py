"""The locks hold what pyproject.toml asks for, by hash and without a word of where it comes from.

Nothing is asked of the network: a newer version somewhere makes no lock stale.
"""

import re
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.checkout import files, pyproject, text

EVERYTHING, IMAGE = "requirements.lock", "requirements-image.lock"
ADDRESS = re.compile(r"(pypi|pythonhosted|npmjs|yarnpkg)\.(org|com)|--(extra-)?index-ur[l]|--find-link[s]")
RECORDS_ADDRESSES = {
    "uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "package-lock.json", "npm-shrinkwrap.json",
    "yarn.lock", "pnpm-lock.yaml", ".npmrc", "pip.conf",
}  # fmt: skip


def _pins(lock: str) -> dict[str, tuple[set[str], str]]:
    """Versions by name (by platform there may be several), and what else stands with the pin."""
    pins: dict[str, tuple[set[str], str]] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", text(lock)):
        name, version = entry.split(maxsplit=1)[0].split("==")
        versions, rest = pins.get(canonicalize_name(name), (set(), ""))
        pins[canonicalize_name(name)] = (versions | {version}, rest + entry)
    return pins


def _group(name: str) -> Iterator[str]:
    for item in pyproject()["dependency-groups"][name]:
        if isinstance(item, str):
            yield item
        else:
            yield from _group(item["include-group"])


def _declared(lock: str) -> dict[str, list[Requirement]]:
    project = pyproject()["project"]
    extras = [asked for extra in project["optional-dependencies"].values() for asked in extra]
    asked = [*project["dependencies"], *(_group("dev") if lock == EVERYTHING else [*_group("build"), *extras])]
    declared: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, asked):
        declared.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return declared


@pytest.mark.parametrize("lock", [EVERYTHING, IMAGE])
def test_every_requirement_is_pinned(lock: str) -> None:
    """What pyproject.toml asks for is in the lock, in a version that it allows; else: `make lock`."""
    pins = _pins(lock)
    for name, requirements in _declared(lock).items():
        versions, _ = pins.get(name, (set(), ""))
        assert versions, f"{name} is not in {lock}: run `make lock`"
        for requirement in requirements:
            wrong = [version for version in versions if not requirement.specifier.contains(version, prereleases=True)]
            assert wrong == [], f"{lock} pins {name} {wrong}, pyproject.toml asks for {requirement}: run `make lock`"


@pytest.mark.parametrize("lock", [EVERYTHING, IMAGE])
def test_nothing_is_pinned_that_is_no_longer_asked_for(lock: str) -> None:
    """What the lock says the project asks for is what it asks for; else: `make lock`."""
    pins = _pins(lock)
    asked_for = {name for name, (_, entry) in pins.items() if re.search(r"\bperdure \(pyproject", entry)}
    assert asked_for == _declared(lock).keys(), "run `make lock`"


@pytest.mark.parametrize("lock", [EVERYTHING, IMAGE])
def test_every_pin_has_hashes(lock: str) -> None:
    """An installation refuses anything but the very files that were locked."""
    assert [name for name, (_, entry) in _pins(lock).items() if "--hash=sha256:" not in entry] == []


def test_the_image_runs_what_is_tested() -> None:
    """Where both locks pin a package, they pin the same version."""
    tested, run = _pins(EVERYTHING), _pins(IMAGE)
    assert [name for name in run.keys() & tested.keys() if run[name][0] != tested[name][0]] == []


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the business of whoever installs them."""
    named = []
    for path in files():
        try:
            content = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if ADDRESS.search(content):
            named.append(path)
    assert named == []


def test_no_other_lock_file_is_kept() -> None:
    """Lock files that record download addresses stay out."""
    assert [path for path in files() if path.name in RECORDS_ADDRESSES] == []
