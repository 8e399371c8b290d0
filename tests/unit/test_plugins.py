"""Names that other packages add. How installed packages are found and used is tested in ``e2e/test_extending.py``."""

from __future__ import annotations

from importlib import metadata

import pytest

from pefomed_plugin import plugins
from pefomed_plugin.errors import PluginError
from pefomed_plugin.plugins import Added, Extended


def added(name, value="json:dumps", kind="reader", package="invented 1.0"):
    return Added(kind, name, package, metadata.EntryPoint(name=name, value=value, group=plugins.GROUPS[kind]))


@pytest.fixture
def extended(monkeypatch):
    """Two names of ours and those that a test says others add."""

    def make(*others):
        monkeypatch.setattr(plugins, "find_added", lambda kind: others)
        return Extended("reader", {"b": len, "a": str})

    return make


def test_ours_come_first_and_others_are_loaded_when_asked_for(extended):
    names = extended(added("c"), added("broken", "no_such_module:read"))
    assert list(names) == ["b", "a", "c", "broken"] and len(names) == 4
    assert names["b"] is len and names["c"]("x") == '"x"'
    assert "broken" in names and "d" not in names and names.get("d") is None
    with pytest.raises(KeyError):
        names["d"]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (added("c", "no_such_module:read"), "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        (added("c", "json:no_such_name"), "cannot be loaded: AttributeError"),
        (added("c", "json:__name__"), "neither a function nor a class"),
        (added("my-data"), "a name is made of letters"),
        (added("a/b"), "a name is made of letters"),
    ],
)
def test_what_cannot_be_used_names_its_package(extended, entry, told):
    with pytest.raises(PluginError) as caught:
        extended(entry)[entry.name]
    assert told in str(caught.value) and "of the package invented 1.0" in str(caught.value)


def test_a_scorer_may_have_a_variant():
    assert added("side/strict-2", kind="scorer").load()("x") == '"x"'


def test_a_name_of_ours_is_not_taken_over(extended):
    names = extended(added("a"), added("c"), added("c", package="other 2.0"))
    for name, owners in (("a", "pefomed_plugin and invented 1.0"), ("c", "invented 1.0 and other 2.0")):
        with pytest.raises(PluginError, match="claimed by 2 packages: " + owners):
            names[name]
    assert names["b"] is len
