"""The command line: what it takes, what it prints, and with which exit code it leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chatcore import config
from chatcore.config import ROWS, Settings

ROOT = Path(__file__).parents[2]
HOME = {"HOME": "/home/ann"}


@pytest.mark.parametrize(
    "argv",
    [["--nonsense"], ["--port"], ["stray"], ["--data", "d", "--ephemeral"], ["--por", "1"]],
)
def test_a_wrong_command_line_is_64(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        config.load_or_explain(argv, {})
    assert caught.value.code == config.EXIT_USAGE == 64
    assert "usage" in capsys.readouterr().err


def test_a_wrong_configuration_is_78_and_explained(in_file, capsys):
    path = in_file("[server]\nport = 70000\nhots = 1\n")
    for argv in (["--config", path], ["--config", path, "--check-config"]):
        assert config.load_or_explain(argv, {}) == config.EXIT_CONFIG == 78
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 2
        assert "70000" in err
        assert "server.hots" in err


def test_check_config_shows_every_value_with_its_origin(in_file, capsys):
    argv = ["--check-config", "--port", "1", "--config", in_file("[flood]\nburst = 3\n")]
    assert config.load_or_explain(argv, {"CHATCORE_LOG_LEVEL": "debug"}) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ROWS)
    shown = {line.split(" = ")[0]: line for line in lines}
    assert shown.keys() == {row.key for row in ROWS}
    assert "= 1 " in shown["server.port"]
    assert "--port" in shown["server.port"]
    assert "CHATCORE_LOG_LEVEL" in shown["server.log_level"]
    assert "chatcore.toml" in shown["flood.burst"]
    assert "default" in shown["history.on_join"]


def test_check_config_has_a_command_line_of_its_own(in_file, capsys):
    with pytest.raises(SystemExit) as caught:
        config.load_or_explain(["--help"], {}, config.CHECK_CONFIG)
    assert caught.value.code == 0
    words = capsys.readouterr().out
    assert words.startswith("usage: chatcore check-config ")
    assert "--port PORT" in words
    assert "--check-config" not in words
    argv = ["--config", in_file("[flood]\nburst = 3\n")]
    assert config.load_or_explain(argv, HOME, config.CHECK_CONFIG) == 0
    assert "flood.burst = 3 " in capsys.readouterr().out


def test_check_config_looks_at_the_certificate_too(in_file, capsys):
    argv = ["--tls-cert", in_file("no certificate"), "--tls-key", "/nowhere/k.pem"]
    assert isinstance(config.load_or_explain(argv, HOME), Settings)
    assert config.load_or_explain(argv, HOME, config.CHECK_CONFIG) == config.EXIT_CONFIG
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("chatcore: --tls-cert: ")


def test_who_has_seen_enough_of_it_is_no_fault():
    """`chatcore check-config | head -1`"""
    command = (
        f"{sys.executable} -m chatcore check-config --ephemeral | true; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (141, "")


def test_check_config_shows_the_folder_that_would_be_taken(capsys):
    assert config.load_or_explain(["--check-config"], {"STATE_DIRECTORY": "/var/lib/talk"}) == 0
    out = capsys.readouterr().out
    assert 'server.data = "/var/lib/talk"  (STATE_DIRECTORY)\n' in out


@pytest.mark.parametrize(
    ("argv", "part"), [(["--version"], "0.1.0"), (["--help"], "--check-config")]
)
def test_what_only_tells_leaves_with_0(argv, part, capsys):
    with pytest.raises(SystemExit) as caught:
        config.load_or_explain(argv, {})
    assert caught.value.code == 0
    assert part in capsys.readouterr().out


def test_reading_again_gives_the_same_and_says_nothing(in_file, capsys):
    """SIGHUP reads it again."""
    argv, env = ["--config", in_file("[flood]\nburst = 3\n")], {"CHATCORE_PORT": "5"}
    assert config.load_or_explain(argv, env) == config.load_or_explain(argv, env)
    assert capsys.readouterr() == ("", "")


def test_values_are_spelt_as_in_the_file(in_file, capsys):
    assert config.load_or_explain(["--check-config"], HOME) == 0
    out = capsys.readouterr().out
    for line in ("server.ephemeral = false ", "server.password = none ", "server.listen = [] "):
        assert f"{line} (default)\n" in out
    argv = ["--listen", "foo", "--config", in_file("[flood]\nburst = true\n[web]\nnames = [1]\n")]
    assert config.load_or_explain(argv, HOME) == config.EXIT_CONFIG
    err = capsys.readouterr().err
    for end in ('for IPv6, not "foo"', "a whole number, not true", "without port, not [1]"):
        assert f"{end}\n" in err


def test_a_flag_may_be_repeated(capsys):
    argv = ["--listen", "localhost:7", "--listen", "[::1]:8", "--check-config"]
    assert config.load_or_explain(argv, HOME) == 0
    assert 'server.listen = ["localhost:7", "[::1]:8"]  (--listen)\n' in capsys.readouterr().out
