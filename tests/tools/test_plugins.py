"""Tools are found in the built-in plugin, in installed packages and in modules named in the settings."""

from pathlib import Path

import pytest

from bootstrap import load_extensions
from projections.fold import Projection
from settings import Settings
from tools.builtin import echo
from tools.errors import UnusablePlugin
from tools.plugins import load_plugins, load_tools

BUILTIN = {
    "ask_human",
    "calculate",
    "echo",
    "get_current_time",
    "list_files",
    "read_file",
    "run_python",
    "search_files",
    "write_file",
}
GOOD = '''
from tools.builtin import echo
from tools.tool import tool

@tool
def {name}() -> str:
    """Say something."""
    return "said"
'''

EVENT = '''
from eventlog.custom import CustomEvent

class {name}(CustomEvent):
    """Something happened."""
    namespace = "acme"
'''
VIEW = """
from projections.fold import Projection
seen = Projection({name!r}, 1, list, lambda state, recorded: [*state, recorded.position])
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, as if packages were installed there."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def _install(site: Path, package: str, entry_points: str) -> None:
    """Put the metadata of an installed package there."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[perdure.plugins]\n{entry_points}\n")


def test_the_built_in_tools_are_there_once(site: Path) -> None:
    """They are found whether the project is installed or only checked out, and never twice."""
    _install(site, "checkout", "builtin = tools.builtin")
    names = [each.name for each in load_tools([])]
    assert set(names) == BUILTIN
    assert len(names) == len(BUILTIN)


def test_installed_packages_bring_their_tools(site: Path) -> None:
    """An entry point names a module, or one tool in it."""
    (site / "acme_tools.py").write_text(GOOD.format(name="acme_say"))
    (site / "acme_more.py").write_text(GOOD.format(name="acme_tell"))
    _install(site, "acme", "all = acme_tools\none = acme_more:acme_tell")
    assert {each.name for each in load_tools([])} == {*BUILTIN, "acme_say", "acme_tell"}


def test_modules_bring_their_tools_and_shared_ones_count_once(site: Path) -> None:
    """A module that imports a built-in tool brings no second one; blanks and repetitions are forgiven."""
    (site / "modular_tools.py").write_text(GOOD.format(name="modular_say"))
    tools = load_tools([" modular_tools", "modular_tools", ""])
    assert [each for each in tools if each.name == "echo"] == [echo]
    assert {each.name for each in tools} == {*BUILTIN, "modular_say"}
    assert [each.name for each in load_tools(["modular_tools"], entry_points=False)] == ["echo", "modular_say"]


def test_modules_in_the_current_folder_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker started beside a user's module finds it."""
    (tmp_path / "beside_tools.py").write_text(GOOD.format(name="beside_say"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("/nowhere")  # so that the path is put back afterwards
    assert [each.name for each in load_tools(["beside_tools"], entry_points=False)][-1] == "beside_say"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1", "brings no tools: put @tool above its functions"),
        ("import nowhere_at_all", "cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'; install"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero; correct the module"),
        ("raise SystemExit(2)", "cannot be imported: SystemExit: 2; correct the module"),
        (
            'from tools.tool import tool\necho = tool(name="echo", description="Mine.")(lambda: None)',
            "brings a tool named 'echo', and so does the built-in plugin: leave one out",
        ),
        (EVENT.format(name="Bad").replace("acme", "Acme"), "cannot be imported: InvalidEvent: Bad: 'Acme.Bad' cannot"),
        (
            EVENT.format(name="Odd") + "    x: object\n    y: 'Unheard'",
            "brings an event that cannot be used: acme.Odd: its fields cannot all be written as JSON",
        ),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named(
    site: Path, request: pytest.FixtureRequest, source: str, said: str
) -> None:
    """The error names the plugin, what is wrong with it, and what to do."""
    module = f"broken_{abs(hash(request.node.name))}"
    (site / f"{module}.py").write_text(source)
    with pytest.raises(UnusablePlugin) as refused:
        load_tools([module])
    assert str(refused.value).startswith(f"the plugin '{module}' (from PERDURE_PLUGINS) ")
    assert said in str(refused.value)


def test_a_plugin_may_bring_events_and_views_only(site: Path) -> None:
    """What it imports of another plugin counts once, and the base class is no event."""
    (site / "event_plugin.py").write_text(EVENT.format(name="Happened"))
    (site / "view_plugin.py").write_text("from event_plugin import Happened\n" + VIEW.format(name="acme.seen"))
    found = load_plugins(["event_plugin", "view_plugin"], others=(Projection,))
    assert list(found.events.kinds) == ["acme.Happened"]
    assert [each.name for each in found.others] == ["acme.seen"]
    assert {each.name for each in found.tools} == BUILTIN


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (EVENT.format(name="Twice"), "brings an event named 'acme.Twice', and so does the plugin"),
        (VIEW.format(name="acme.twice"), "brings a view named 'acme.twice', and so does the plugin"),
    ],
)
def test_two_plugins_with_one_name_are_told(site: Path, request: pytest.FixtureRequest, source: str, said: str) -> None:
    """An event or a view has one class or function, whichever plugin is loaded first."""
    modules = [f"{each}_{abs(hash(request.node.name))}" for each in ("one", "other")]
    for module in modules:
        (site / f"{module}.py").write_text(source)
    with pytest.raises(UnusablePlugin) as refused:
        load_plugins(modules, others=(Projection,))
    assert said in str(refused.value)


def test_a_view_with_the_name_of_one_of_ours_is_refused(site: Path) -> None:
    """No worker starts with it, so that nobody asks for one and gets the other; ours, imported, is no second one."""
    (site / "own_usage.py").write_text(VIEW.format(name="usage"))
    (site / "our_usage.py").write_text("from projections.usage import USAGE")
    with pytest.raises(UnusablePlugin, match=r"'own_usage' .* brings a view named 'usage', and so does Perdure itself"):
        load_extensions(Settings(plugins=("own_usage",)))
    assert load_extensions(Settings(plugins=("our_usage",))).others == ()


def test_an_entry_point_that_cannot_be_loaded_names_its_package(site: Path) -> None:
    """Whoever installed the package learns which one it is."""
    _install(site, "globex", "gone = globex_gone")
    with pytest.raises(UnusablePlugin, match=r"the plugin 'gone' \(globex_gone, of package globex\) cannot be"):
        load_tools([])
