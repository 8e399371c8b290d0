"""Registries. How installed packages are found and used is tested in ``e2e/test_extending.py``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

import pytest

from pefomed_plugin import plugins
from pefomed_plugin.errors import ConfigError, PluginError
from pefomed_plugin.plugins import EntryPoint, Registry


@dataclass(frozen=True)
class Spec:
    name: str


OTHERS = Spec("others")
WRONG = "neither"
VARIANT = Spec("side/strict-2")


def point(name, value="OTHERS", kind="scorer", package="invented 1.0", group=None):
    value = value if ":" in value else f"{__name__}:{value}"
    group = group or plugins.GROUPS[kind]
    return EntryPoint(kind, name, package, metadata.EntryPoint(name=name, value=value, group=group))


@pytest.fixture
def registry(monkeypatch):
    """Two names of ours and those that a test says other packages declare."""

    def make(*points, kind="scorer", **options):
        monkeypatch.setattr(plugins, "find_entry_points", lambda kind: points)
        return Registry(kind, Spec, [Spec("b"), Spec("a")], **options)

    return make


def test_ours_come_first_and_others_are_loaded_when_asked_for(registry):
    names = registry(point("others"), point("broken", "no_such_module:read"))
    assert list(names) == ["b", "a", "others", "broken"] and len(names) == 4
    assert names["b"] == Spec("b") and names["others"] is OTHERS
    assert "broken" in names and "d" not in names and names.get("d") is None
    with pytest.raises(KeyError):
        names["d"]


def test_an_unknown_name_is_refused_with_the_near_ones(registry):
    names = registry(point("others"))
    assert names.find("others") is OTHERS
    with pytest.raises(ConfigError, match="unknown scorer 'other'; did you mean 'others'?"):
        names.find("other")


def test_an_alias_is_understood_and_not_listed(registry):
    names = registry(aliases={"short": "b"})
    assert names["short"] is names["b"] and "short" in names and list(names) == ["b", "a"]
    for wrong in ({"a": "b"}, {"short": "nothing"}):
        with pytest.raises(ValueError, match="hides a name or leads nowhere"):
            registry(aliases=wrong)


def test_ours_are_checked_when_they_are_registered():
    with pytest.raises(ValueError, match="scorer 'a' is declared twice"):
        Registry("scorer", Spec, [Spec("a"), Spec("a")])
    with pytest.raises(TypeError, match="not a Spec"):
        Registry("scorer", Spec, {"a": len})
    with pytest.raises(TypeError, match="not a subclass of Spec"):
        Registry("task", Spec, {"a": Spec("a")}, classes=True)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (point("c", "no_such_module:read"), "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        (point("c", "json:no_such_name"), "cannot be loaded: AttributeError"),
        (point("c", "WRONG"), "is 'neither', not a Spec"),
        (point("c"), "calls itself 'others'"),
        (point("my-data"), "a name is made of letters"),
        (point("a/b", kind="task"), "a name is made of letters"),
    ],
)
def test_what_cannot_be_used_names_its_package(registry, entry, told):
    with pytest.raises(PluginError) as caught:
        registry(entry, kind=entry.kind)[entry.name]
    assert told in str(caught.value) and "of the package invented 1.0" in str(caught.value)


def test_a_scorer_may_have_a_variant(registry):
    assert registry(point("side/strict-2", "VARIANT"))["side/strict-2"] is VARIANT


def test_an_entry_point_in_a_former_group_says_how_to_convert_it(registry, monkeypatch):
    monkeypatch.setattr(plugins, "FORMER_GROUPS", {"scorer": "pefomed_plugin.former"})
    with pytest.raises(PluginError, match="no longer read; declare it in pefomed_plugin.scorers"):
        registry(point("others", group="pefomed_plugin.former"))["others"]


def test_a_name_of_ours_is_not_taken_over(registry):
    names = registry(point("a"), point("c"), point("c", package="other 2.0"))
    for name, owners in (("a", "pefomed_plugin and invented 1.0"), ("c", "invented 1.0 and other 2.0")):
        with pytest.raises(PluginError, match="claimed by 2 packages: " + owners):
            names[name]
    assert names["b"] == Spec("b")
