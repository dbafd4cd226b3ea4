"""Variables that look like settings are named, and change nothing."""

from __future__ import annotations

import pytest

from chatcore import config
from chatcore.config.environment import VARIABLES, strays
from tests.config.reading import HOME, load


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CHATCORE_PROT", "did you mean CHATCORE_PORT?"),
        ("CHATCORE_PASSWORD", "server.password stands only in the file of --config"),
        ("CHATCORE_FLOOD_BURST", "flood.burst stands only in the file of --config"),
        ("CHATCORE_FOO", "it changes nothing"),
        ("CHATCORE_\x1b[2J", "it changes nothing"),
    ],
    ids=["slip", "in the file", "in the file, with its section", "unknown", "hostile"],
)
def test_a_variable_that_is_no_setting_is_named(name, hint):
    (words,) = strays({name: "1", "HOME": "/home/ann", "CHATCORE_PORT": "7"})
    assert words.endswith(f" in the environment is no setting; {hint}")
    assert words.isprintable()
    assert load(env={name: "1"}) == load()


def test_what_is_a_setting_or_a_test_s_is_not():
    known = dict.fromkeys(VARIABLES, "1")
    assert strays(known | {"CHATCORE_TEST_PATIENCE": "3", "CHATCORETTE": "1"}) == []


def test_check_config_names_them_and_is_content(capsys):
    env = HOME | {"CHATCORE_PROT": "7"}
    assert config.load_or_explain([], env, config.CHECK_CONFIG) == 0
    out, err = capsys.readouterr()
    assert "CHATCORE_PROT" not in out
    assert err.startswith("chatcore: CHATCORE_PROT in the environment is no setting; ")
