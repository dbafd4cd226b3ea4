"""Where things are kept, or that nothing is: of a folder and `ephemeral`, the one from the stronger origin."""

from __future__ import annotations

import pytest

from chatcore import config
from tests.config.reading import DEFAULT_FOLDER, HOME, load, mistakes


@pytest.mark.parametrize("way", ["flag", "environment", "file"])
def test_a_data_folder_may_be_named_anywhere_and_is_absolute(in_file, monkeypatch, tmp_path, way):
    monkeypatch.chdir(tmp_path)
    argv = {"flag": ["--data", "d"], "file": ["--config", in_file('[server]\ndata = "d"')]}
    env = {"CHATCORE_DATA": "d"} if way == "environment" else {}
    loaded = load(*argv.get(way, []), env=env)
    assert (loaded.data, loaded.ephemeral) == (str(tmp_path / "d"), False)


def test_the_sign_for_the_home_folder_is_understood_where_no_shell_did(in_file, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert load("--config", in_file('[server]\ndata = "~/talk"')).data == "/home/ann/talk"


@pytest.mark.parametrize(
    ("env", "folder", "origin"),
    [
        ({"STATE_DIRECTORY": "/var/lib/chatcore"}, "/var/lib/chatcore", "STATE_DIRECTORY"),
        ({"STATE_DIRECTORY": "/a:/b", "XDG_STATE_HOME": "/x"}, "/a", "STATE_DIRECTORY"),
        ({"XDG_STATE_HOME": "/x"}, "/x/chatcore", "XDG_STATE_HOME"),
        ({"XDG_STATE_HOME": "relative"}, DEFAULT_FOLDER, "default"),
        ({"STATE_DIRECTORY": "", "XDG_STATE_HOME": ""}, DEFAULT_FOLDER, "default"),
        ({"STATE_DIRECTORY": "/s", "CHATCORE_DATA": "/d"}, "/d", "CHATCORE_DATA"),
    ],
)
def test_without_a_name_the_folder_is_where_state_belongs(env, folder, origin):
    loaded, origins = config.load(config.parser().parse_args([]), HOME | env)
    assert (loaded.data, origins["server.data"]) == (folder, origin)


def test_no_home_and_no_name_is_a_mistake_with_two_ways_out(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(config.Path, "home", no_home)
    (mistake,) = mistakes(env={"HOME": ""})
    assert "--data" in mistake
    assert "--ephemeral" in mistake
    assert load("--ephemeral", env={"HOME": ""}).data is None


def test_saying_ephemeral_overrules_a_weaker_data_folder(in_file):
    path = in_file('[server]\ndata = "d"')
    for argv, env in (
        (("--config", path, "--ephemeral"), {}),
        (("--ephemeral",), {"CHATCORE_DATA": "d"}),
        (("--config", path), {"CHATCORE_EPHEMERAL": "1"}),
        (("--ephemeral",), {"STATE_DIRECTORY": "/var/lib/chatcore"}),
    ):
        loaded = load(*argv, env=env)
        assert loaded.ephemeral
        assert loaded.data is None


def test_a_data_folder_overrules_a_weaker_ephemeral(in_file):
    path = in_file("[server]\nephemeral = true")
    for argv, env in (
        (("--config", path, "--data", "/d"), {}),
        (("--data", "/d"), {"CHATCORE_EPHEMERAL": "1"}),
        (("--config", path), {"CHATCORE_DATA": "/d"}),
    ):
        loaded = load(*argv, env=env)
        assert not loaded.ephemeral
        assert loaded.data == "/d"


def test_both_of_the_same_strength_exclude_each_other(in_file):
    path = in_file('[server]\nephemeral = true\ndata = "d"')
    for argv, env in (
        (("--config", path), {}),
        ((), {"CHATCORE_DATA": "d", "CHATCORE_EPHEMERAL": "1"}),
    ):
        (mistake,) = mistakes(*argv, env=env)
        assert "exclude each other" in mistake
