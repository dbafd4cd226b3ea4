"""The command line: every address that people write, and 64 for what cannot be meant."""

from __future__ import annotations

import pytest

from chatcore.client.options import Options, parse_options


@pytest.mark.parametrize(
    ("argv", "options"),
    [
        ([], Options(alias="Alice")),
        (["example.org"], Options("example.org", alias="Alice")),
        (["example.org:7"], Options("example.org", 7, alias="Alice")),
        (["[::1]:7"], Options("::1", 7, alias="Alice")),
        (["[::1]"], Options("::1", alias="Alice")),
        (["::1"], Options("::1", alias="Alice")),
        (["--alias", "Zed"], Options(alias="Zed")),
        (["--room", "dev"], Options(alias="Alice", room="#dev")),
        (["--room", "#dev"], Options(alias="Alice", room="#dev")),
        (["--no-reconnect"], Options(alias="Alice", reconnect=False)),
        (["--timeout", "1.5"], Options(alias="Alice", timeout_s=1.5)),
        (["--color", "never", "--time", "iso"], Options(alias="Alice", color="never", time="iso")),
        (["--plain", "h:1"], Options("h", 1, alias="Alice", plain=True)),
        (["--listen", "--json"], Options(alias="Alice", listen=True, json=True)),
    ],
)
def test_what_was_asked_for(argv, options):
    assert parse_options(argv, "Alice") == options


def test_without_a_preset_the_alias_is_open():
    assert parse_options([], None).alias == ""


@pytest.mark.parametrize(
    "argv",
    [
        ["host:"],
        [":1"],
        ["host:0"],
        ["host:65536"],
        ["host:x"],
        ["[::1"],
        ["[::1]x"],
        ["one", "two"],
        ["--alias", " "],
        ["--timeout", "0"],
        ["--timeout", "nan"],
        ["--timeout", "soon"],
        ["--color", "pink"],
        ["--time", "late"],
        ["--nonsense"],
    ],
)
def test_wrong_usage_is_64_and_says_what_is_wrong(argv, capsys):
    with pytest.raises(SystemExit) as left:
        parse_options(argv, "Alice")
    assert left.value.code == 64
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_are_no_error(flag, capsys):
    with pytest.raises(SystemExit) as left:
        parse_options([flag], "Alice")
    assert left.value.code == 0
    assert capsys.readouterr().out


def test_an_address_is_shown_as_it_can_be_typed():
    assert Options("::1", 7).address == "[::1]:7"
    assert Options("host", 7).address == "host:7"
