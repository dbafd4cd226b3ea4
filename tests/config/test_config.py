from __future__ import annotations

import dataclasses
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.config import ROWS, ConfigError, Settings
from chatcore.config.operators import Operator
from chatcore.connection.limits import Limits
from tests.config.reading import DEFAULT_FOLDER, load, mistakes

HASH = "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"


# -- Where a value comes from --------------------------------------------------------------------------------------


def test_without_anything_the_defaults_hold():
    assert load() == Settings(
        host="127.0.0.1",
        port=59000,
        listen=(),
        log_level="info",
        log_format="auto",
        data=DEFAULT_FOLDER,
        ephemeral=False,
        flood_enabled=True,
        flood_burst=20,
        flood_per_second=5.0,
        grace_s=15.0,
        durability="full",
        keep_days=0,
        keep_records=0,
        history_on_join=20,
        password=None,
        motd="",
        operators=(),
        tls_enabled=True,
        tls_cert=None,
        tls_key=None,
        tls_required=False,
        web_enabled=True,
        web_names=(),
        web_origins=(),
        admin_listen="",
        limits=Limits(),
    )


def test_flag_beats_environment_beats_file_beats_default(in_file):
    path = in_file("[server]\nport = 3\n")
    env = {"CHATCORE_PORT": "2"}
    assert load("--port", "1", "--config", path, env=env).port == 1
    assert load("--config", path, env=env).port == 2
    assert load("--config", path).port == 3
    assert load().port == 59000


def test_what_is_overruled_is_looked_at_too(in_file):
    path = in_file("[server]\nport = 70000\n")
    found = mistakes("--port", "1", "--config", path, env={"CHATCORE_PORT": "x"})
    assert len(found) == 2
    assert path in found[0]
    assert "CHATCORE_PORT" in found[1]


def test_the_file_may_be_named_by_the_environment(in_file):
    assert load(env={"CHATCORE_CONFIG": in_file("[server]\nport = 3\n")}).port == 3


def test_an_empty_variable_is_as_good_as_none():
    env = {"CHATCORE_PORT": "", "CHATCORE_HOST": "", "CHATCORE_CONFIG": "", "CHATCORE_DATA": ""}
    assert load(env=env) == load()


def test_every_setting_can_stand_in_the_file(in_file):
    text = """
    [server]
    host = "::1"
    port = 0
    listen = ["0.0.0.0:1", "[::1]:2"]
    log_level = "debug"
    log_format = "json"
    ephemeral = true
    password = "open sesame"
    motd = '''
    Welcome.
    Be kind.'''
    [[operators]]
    name = "Root"
    hash = "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
    [tls]
    enabled = true
    cert = "/c.pem"
    key = "/k.pem"
    required = true
    [web]
    enabled = false
    names = ["chat.example.org"]
    origins = ["https://chat.example.org"]
    [admin]
    listen = "127.0.0.1:9590"
    [flood]
    enabled = false
    burst = 7
    per_second = 2
    [limits]
    connections_per_address = 0
    arrivals_per_minute = 1
    accepts_a_turn = 2
    send_buffer_bytes = 131072
    reply_bytes = 32768
    handshakes = 3
    handshakes_a_turn = 4
    logins_per_minute = 5
    logins_waiting = 6
    [timeouts]
    greeting_s = 0.25
    handshake_s = 7
    join_s = 8
    keepalive_s = 9
    unsent_s = 10
    drain_s = 11
    progress_s = 12
    [presence]
    grace_s = 0.5
    [storage]
    durability = "fast"
    [history]
    keep_days = 30
    keep_records = 1000
    on_join = 0
    """
    loaded = load("--config", in_file(text))
    assert loaded == Settings(
        host="::1",
        port=0,
        listen=(("0.0.0.0", 1), ("::1", 2)),
        log_level="debug",
        log_format="json",
        data=None,
        ephemeral=True,
        flood_enabled=False,
        flood_burst=7,
        flood_per_second=2.0,
        grace_s=0.5,
        durability="fast",
        keep_days=30,
        keep_records=1000,
        history_on_join=0,
        password="open sesame",
        motd="    Welcome.\n    Be kind.",
        operators=(Operator("Root", HASH),),
        tls_enabled=True,
        tls_cert="/c.pem",
        tls_key="/k.pem",
        tls_required=True,
        web_enabled=False,
        web_names=("chat.example.org",),
        web_origins=("https://chat.example.org",),
        admin_listen="127.0.0.1:9590",
        limits=Limits(0, 1, 2, 131072, 32768, 3, 4, 5, 6, 0.25, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0),
    )
    assert "sesame" not in repr(loaded)
    assert HASH not in repr(loaded)


def test_every_field_has_one_row_and_its_default_is_a_value_it_takes():
    assert [row.field for row in ROWS] == list(dict.fromkeys(row.field for row in ROWS))
    of_settings = {row.field for row in ROWS if not row.limit} | {"limits"}
    assert of_settings == {field.name for field in dataclasses.fields(Settings)}
    of_limits = {row.key.partition(".")[2] for row in ROWS if row.limit}
    assert of_limits == {field.name for field in dataclasses.fields(Limits)}
    for row in ROWS:
        assert row.default is None or row.check(row.default) == row.default


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::1]:59000", ("::1", 59000)),
        ("[fe80::1%eth0]:0", ("fe80::1%eth0", 0)),
    ],
)
def test_addresses_to_listen_on(given, address):
    assert load("--listen", given, "--listen", "h:1").listen == (address, ("h", 1))
    assert load(env={"CHATCORE_LISTEN": given}).listen == (address,)


# -- Mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "[server]\nport = 65536",
        "[server]\nport = -1",
        "[server]\nport = true",
        "[server]\nport = 1.0",
        '[server]\nhost = ""',
        "[server]\nhost = 1",
        "[server]\nlisten = [1]",
        '[server]\nlisten = ["::1:59000"]',
        '[server]\nlisten = ["localhost"]',
        '[server]\nlisten = [":1"]',
        '[server]\nlog_level = "loud"',
        "[server]\nephemeral = 1",
        '[flood]\nenabled = "perhaps"',
        "[flood]\nburst = 0",
        "[flood]\nburst = true",
        "[flood]\nper_second = 0",
        "[flood]\nper_second = nan",
        "[flood]\nper_second = inf",
        "[flood]\nper_second = true",
        "[flood]\nper_second = 1" + "0" * 400,
        "[limits]\nconnections_per_address = -1",
        "[limits]\nconnections_per_address = 0x" + "f" * 5_000,
        "[presence]\ngrace_s = -1",
        "[presence]\ngrace_s = nan",
        "[presence]\ngrace_s = 1e300",
        '[storage]\ndurability = "eventually"',
        "[history]\nkeep_days = 1979-05-27",
        "[history]\non_join = 1_000_000",
        "[history.on_join]\nlines = 1",
    ],
)
def test_a_bad_value_is_one_mistake_that_names_the_file_and_the_setting(in_file, line):
    path = in_file(line)
    (mistake,) = mistakes("--config", path)
    assert path in mistake
    section, key = line.partition("\n")[0].strip("[]"), line.partition("\n")[2].split()[0]
    assert section in mistake
    assert key in mistake or "." in section
    assert len(mistake) < 300


def test_all_mistakes_are_named_at_once(in_file):
    path = in_file('[server]\nport = "x"\nhoost = "h"\n[flod]\nburst = 1\n[flood]\nburst = 0\n')
    found = mistakes(
        "--config", path, "--log-level", "loud", env={"CHATCORE_HOST": "h", "CHATCORE_LISTEN": "x"}
    )
    text = "\n".join(found)
    assert len(found) == 6
    for part in ("server.port", "server.hoost", "flod", "flood.burst", "--log-level", "LISTEN"):
        assert part in text
    assert "did you mean server.host?" in text
    assert "did you mean flood.burst?" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[nonsense]", "there is no setting nonsense"),
        ("[sever]", "there is no setting sever; did you mean server?"),
        ("port = 59000", "there is no setting port; did you mean server.port?"),
        (
            "enabled = false",
            "there is no setting enabled; did you mean tls.enabled or web.enabled or flood.enabled?",
        ),
        (
            "[server]\nkeep_days = 3",
            "there is no setting server.keep_days; did you mean history.keep_days?",
        ),
        ("server = 3", "server must be a section: [server], with its settings below"),
        ("[[limits]]\nhandshakes = 3", "limits must be a section"),
        ("[admin]", None),
        ("[operators]", "operators must be a list of tables, [[operators]]"),
    ],
)
def test_a_section_is_looked_at_with_or_without_settings(in_file, text, words):
    path = in_file(text)
    if words is None:
        assert load("--config", path) == load()
    else:
        (mistake,) = mistakes("--config", path)
        assert mistake.startswith(f"{path}: {words}")


@pytest.mark.parametrize(
    "content",
    [b"port = ", b"\xff\xfe", b"x = " + b"[" * 5_000 + b"]" * 5_000, b"x = 1" + b"0" * 5_000],
)
def test_a_file_that_is_no_toml_is_a_mistake(in_file, content):
    path = in_file(content)
    (mistake,) = mistakes("--config", path)
    assert path in mistake


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path):
    (missing,) = mistakes("--config", str(tmp_path / "none.toml"))
    assert "none.toml" in missing
    assert "No such file or directory. Name another file with --config, or leave it out" in missing
    (folder,) = mistakes("--config", str(tmp_path))
    assert "directory" in folder


def test_what_a_file_holds_does_not_reach_the_terminal_raw(in_file):
    path = in_file('"\\u001b[2J" = 1\n[server]\nhost = 1\nlog_level = "\\u001b]0;x\\u0007"\n')
    assert all(each.isprintable() for each in mistakes("--config", path))


@settings(deadline=None)
@given(st.text() | st.from_regex(r"\[[a-z]{3,8}\]\n[a-z_]{3,9} = .{1,20}", fullmatch=True))
def test_no_file_makes_it_fail_in_another_way(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("fuzz") / "c.toml"
    path.write_text(text, "utf-8", errors="replace")
    with suppress(ConfigError):
        assert isinstance(load("--config", str(path)), Settings)
