"""The command line: every address that people write, and 64 for what cannot be meant."""

from __future__ import annotations

import os

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
        (["--tls"], Options(alias="Alice", tls=True)),
        (["--no-tls", "h"], Options("h", alias="Alice", tls=False)),
        (["--tls-ca", os.devnull], Options(alias="Alice", tls=True, tls_ca=os.devnull)),
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


@pytest.mark.parametrize(
    ("argv", "encrypted"),
    [
        ([], False),
        (["localhost"], False),
        (["LOCALHOST."], False),
        (["127.9.9.9"], False),
        (["[::1]:7"], False),
        (["::ffff:127.0.0.1"], False),
        (["localhost.example.org"], True),
        (["192.168.1.2"], True),
        (["fe80::1%eth0"], True),
        (["chat.example.org:7"], True),
        (["--tls"], True),
        (["--no-tls", "chat.example.org"], False),
    ],
)
def test_beyond_this_machine_it_is_encrypted(argv, encrypted):
    options = parse_options(argv, "Alice")
    assert options.is_encrypted is encrypted
    assert options.is_plainly is ("--no-tls" in argv)


@pytest.mark.parametrize(
    "argv",
    [
        ["--tls", "--no-tls"],
        ["--no-tls", "--tls-ca", os.devnull],
        ["--tls-ca", "/no/such/file"],
        ["--password-file", "/no/such/file"],
        ["--password-file", os.devnull],
    ],
)
def test_what_excludes_each_other_or_is_not_there_is_64(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        parse_options(argv, "Alice")
    assert ended.value.code == 64
    assert argv[0] in capsys.readouterr().err


def test_a_password_is_the_first_line_of_its_file_and_is_not_printed(tmp_path):
    path = tmp_path / "password"
    path.write_bytes("öffne dich\r\nnot this\n".encode())
    options = parse_options(["--password-file", str(path)], "Alice")
    assert options.password == "öffne dich"
    assert "dich" not in repr(options)
    path.write_bytes(b"\xff\n")
    with pytest.raises(SystemExit):
        parse_options(["--password-file", str(path)], "Alice")
