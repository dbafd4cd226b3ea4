"""Operators, passwords and what belongs together: every mistake is named, and no secret is shown."""

from __future__ import annotations

import pytest

from chatcore import config
from chatcore.config import ROWS, ConfigError, Settings
from chatcore.config.operators import OPERATORS_MOST, Operator
from chatcore.connection.limits import Limits

HOME = {"HOME": "/home/ann"}
HASH = "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
SECRET = "xyzzy-plugh"


def load(text: str, tmp_path, *argv: str) -> Settings:
    path = tmp_path / "chatcore.toml"
    path.write_text(text)
    return config.reread(["--config", str(path), *argv], HOME)


def mistakes(text: str, tmp_path, *argv: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(text, tmp_path, *argv)
    return caught.value.mistakes


def operator(name: str, kept: str = HASH) -> str:
    return f'[[operators]]\nname = "{name}"\nhash = "{kept}"\n'


# Operators


def test_operators_stand_in_the_file_with_name_and_hash(tmp_path):
    loaded = load(operator("Ann") + operator("Böb"), tmp_path)
    assert loaded.operators == (Operator("Ann", HASH), Operator("Böb", HASH))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("operators = 1", "must be a list of tables"),
        ('operators = ["Ann"]', "entry 1 must be a table"),
        ("[operators]\nname = 'Ann'", "must be a list of tables"),
        (f'[[operators]]\nhash = "{HASH}"', "entry 1 needs a name"),
        ('[[operators]]\nname = "Ann"', "entry 1 needs a hash: `chatcore passwd` makes one"),
        (operator("Ann", SECRET), "entry 1 has a hash that must be what `chatcore passwd` prints"),
        (operator("Ann", HASH.replace("15", "30")), "cheaper"),
        (operator("--"), "entry 1 has a name that nobody can take"),
        (operator("two words"), "has no spaces"),
        (operator("e\u0301"), "composed form"),
        (operator("Ann") + operator("aNN"), "entry 2 has a name that is given twice"),
        (operator("Ian") + operator("lan"), "or looks like another one"),
        (operator("Ann") + 'rank = "high"', "'rank', which nobody knows"),
    ],
)
def test_a_mistake_in_an_operator_is_named_with_its_entry(tmp_path, text, words):
    (mistake,) = mistakes(text, tmp_path)
    assert "chatcore.toml: operators " in mistake
    assert words in mistake
    assert SECRET not in mistake
    assert "c2Fsd" not in mistake


def test_a_name_that_is_given_twice_is_named_beside_other_mistakes(tmp_path):
    one, two = mistakes('[[operators]]\nname = "Ann"\n' + operator("aNN"), tmp_path)
    assert "entry 1 needs a hash" in one
    assert "entry 2 has a name that is given twice" in two


def test_all_mistakes_of_all_operators_and_sections_are_named_at_once(tmp_path):
    text = f"""
    [server]
    password = " {SECRET}"
    log_format = "xml"
    [limits]
    handshakes = 0
    logins_per_second = 1
    [timeouts]
    join_s = -1
    [[operators]]
    name = "#"
    hash = "{SECRET}"
    [[operators]]
    name = "Ann"
    """
    found = mistakes(text, tmp_path, "--log-level", "loud")
    assert len(found) == 9
    text = "\n".join(found)
    for part in ("log_level", "server.password", "log_format", "limits.handshakes"):
        assert part in text
    assert "did you mean limits.logins_per_minute?" in text
    assert text.count("operators entry 1") == 2
    assert "operators entry 2 needs a hash" in text
    assert SECRET not in text


def test_there_is_an_end_to_operators(tmp_path):
    text = "".join(operator(f"o{number}") for number in range(OPERATORS_MOST + 1))
    assert f"at most {OPERATORS_MOST:,}" in mistakes(text, tmp_path)[0]


# Secrets


@pytest.mark.parametrize("value", [SECRET, HASH])
def test_a_password_is_never_shown(tmp_path, capsys, value):
    path = tmp_path / "c.toml"
    path.write_text(f'[server]\npassword = "{value}"\n' + operator("Ann"))
    assert config.load_or_explain(["--check-config", "--config", str(path)], HOME) == 0
    out = capsys.readouterr().out
    assert "server.password = (set)" in out
    assert 'operators = [{name = "Ann"}]  (' in out
    assert value not in out
    assert "scrypt" not in out
    loaded = load(path.read_text(), tmp_path)
    assert loaded.password == value
    assert value not in repr(loaded)


@pytest.mark.parametrize(
    "value", ["", " x", "x ", "a\\nb", "a\\tb", "x" * 129, "$scrypt$x", "\\u202ex"]
)
def test_a_password_that_nobody_can_type_is_a_mistake_and_is_not_shown(tmp_path, value):
    (mistake,) = mistakes(f'[server]\npassword = "{value}"\n', tmp_path)
    assert "server.password must be " in mistake
    assert ", not " not in mistake


# What belongs together, or cannot be


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[tls]\ncert = "c.pem"', "tls.cert is of no use without tls.key"),
        ('[tls]\nkey = "k.pem"', "tls.key is of no use without tls.cert"),
        ("[tls]\nenabled = false\nrequired = true", "tls.required wants what tls.enabled"),
        ("[timeouts]\njoin_s = 5", "join_s must be more than timeouts.handshake_s, which is 10"),
        ("[timeouts]\ngreeting_s = 9\nhandshake_s = 1\njoin_s = 3", "nobody could join"),
    ],
)
def test_what_cannot_be_together_is_a_mistake_that_names_both(tmp_path, text, words):
    (mistake,) = mistakes(text, tmp_path)
    assert words in mistake
    assert "chatcore.toml" in mistake


def test_a_certificate_is_found_from_wherever_the_server_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loaded = load('[tls]\ncert = "c.pem"', tmp_path, "--tls-key", "k.pem", "--require-tls")
    assert (loaded.tls_cert, loaded.tls_key) == (f"{tmp_path}/c.pem", f"{tmp_path}/k.pem")
    assert loaded.tls_required


@pytest.mark.parametrize(
    "value", ["off", "127.0.0.1:9590", "[::1]:0", "localhost:1", "/run/a.sock"]
)
def test_where_the_server_may_tell_of_itself(tmp_path, value):
    assert load(f'[admin]\nlisten = "{value}"', tmp_path).admin_listen == value


@pytest.mark.parametrize(
    "value", ["0.0.0.0:9590", "192.0.2.1:1", "example.org:80", "[::]:1", "admin.sock", ":1", "on"]
)
def test_where_it_may_not(tmp_path, value):
    (mistake,) = mistakes(f'[admin]\nlisten = "{value}"', tmp_path)
    assert "admin.listen must be " in mistake


def test_words_for_those_who_arrive_have_an_end(tmp_path):
    assert load("[server]\nmotd = '''\nHi.\nBe kind.\n'''", tmp_path).motd == "Hi.\nBe kind."
    for value in ("x" * 2_001, "x\\n" * 24 + "x"):
        (mistake,) = mistakes(f'[server]\nmotd = "{value}"', tmp_path)
        assert "2,000 characters and 24 lines" in mistake


# Limits


@pytest.mark.parametrize("row", [row for row in ROWS if row.limit], ids=lambda row: row.key)
def test_every_limit_refuses_what_would_make_the_server_useless(tmp_path, row):
    section, _, name = row.key.partition(".")
    zero_is_off = "0 for any number" in row.help
    for value in (
        "-1",
        "nan",
        "'many'",
        "true",
        *(() if zero_is_off else ("0",)),
        "10_000_000_000",
    ):
        (mistake, *more) = mistakes(f"[{section}]\n{name} = {value}", tmp_path)
        assert row.key in mistake
        assert more == []
    assert row.value(load("", tmp_path)) == getattr(Limits(), row.field) == row.default


def test_new_limits_are_taken_over_by_whoever_holds_the_old_ones(tmp_path):
    inforce = load("", tmp_path).limits
    inforce.take(load("[limits]\nhandshakes = 7\n[timeouts]\ndrain_s = 9", tmp_path).limits)
    assert (inforce.handshakes, inforce.drain_s, inforce.join_s) == (7, 9.0, 60.0)


# Reloading


def test_what_has_to_wait_for_a_restart_is_known(tmp_path):
    running = load("", tmp_path)
    text = '[server]\nhost = "::1"\nport = 1\nmotd = "hi"\nlog_level = "debug"\n[limits]\nhandshakes = 7\n'
    text += '[storage]\ndurability = "fast"\n[admin]\nlisten = "off"\n[tls]\nenabled = false\n'
    keys = config.waiting(running, load(text, tmp_path))
    assert set(keys) == {
        "server.host",
        "server.port",
        "storage.durability",
        "admin.listen",
        "tls.enabled",
    }
    assert config.waiting(running, load("", tmp_path)) == []
