"""Passwords: what is kept of one, how long it takes to tell, and `chatcore passwd`."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.__main__ import main
from chatcore.config.operators import Operator
from chatcore.passwords import MEMORY_MOST, BadHash, Keyring, Scrypt
from tests.conftest import DEADLINE_S, PATIENCE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

CHEAP = 4
"""ln of a hash that takes no time."""

RFC_7914 = (
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
)
"""RFC 7914 12: of "pleaseletmein" with the salt "SodiumChloride", N = 16384, r = 8 and p = 1."""


def cheap(password: str) -> str:
    return str(Scrypt.of(password, cost_log2=CHEAP, parallel=1))


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """The cost of every scrypt that is done: N, r and p."""
    done: list[tuple[int, int, int]] = []
    real = hashlib.scrypt

    def counting(password: bytes, *, n: int, r: int, p: int, **more: Any) -> bytes:
        done.append((n, r, p))
        return real(password, n=n, r=r, p=p, **more)

    monkeypatch.setattr("chatcore.passwords.hashlib.scrypt", counting)
    return done


def test_a_hash_is_the_one_of_the_standard() -> None:
    digest = base64.b64encode(bytes.fromhex(RFC_7914)).decode().rstrip("=")
    text = f"$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU${digest}"
    kept = Scrypt.parse(text)
    assert kept.matches("pleaseletmein")
    assert not kept.matches("pleaseletmeim")
    assert str(kept) == text


def test_a_hash_survives_being_written_and_no_two_are_the_same() -> None:
    text, other = cheap("geheim"), cheap("geheim")
    assert text != other
    for each in (text, other):
        kept = Scrypt.parse(each)
        assert str(kept) == each
        assert kept.matches("geheim")
        assert not kept.matches("Geheim")


def test_a_password_is_the_same_however_its_accents_are_composed() -> None:
    assert Scrypt.parse(cheap("caf\u00e9")).matches("cafe\u0301")
    assert not Scrypt.parse(cheap("caf\u00e9")).matches("cafe")
    assert not Scrypt.parse(cheap("x")).matches("\ud800")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "what `chatcore passwd` prints"),
        ("secret", "what `chatcore passwd` prints"),
        ("$scrypt$ln=15,r=8,p=1$c2FsdA", "what `chatcore passwd` prints"),
        ("$scrypt$ln=15,r=8,p=1$c2FsdA$" + "A" * 129, "what `chatcore passwd` prints"),
        ("$scrypt$ln=15,r=8,p=1$c2FsdA$A", "what `chatcore passwd` prints"),
        ("$scrypt$ln=15,r=8,p=1$c2FsdA$AAAA\n", "what `chatcore passwd` prints"),
        ("$scrypt$ln=\u0661\u0665,r=8,p=1$c2FsdA$AAAA", "what `chatcore passwd` prints"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$AAAA", "what `chatcore passwd` prints"),
        ("$scrypt$ln=0,r=8,p=1$c2FsdA$" + "A" * 43, "1 or more"),
        ("$scrypt$ln=15,r=8,p=1$c2FsdA$AAAA", "16 to 64 bytes"),
        ("$scrypt$ln=30,r=8,p=1$c2FsdA$" + "A" * 43, "cheaper"),
        ("$scrypt$ln=99,r=999999,p=999999$c2FsdA$" + "A" * 43, "cheaper"),
        ("$scrypt$ln=1,r=999999,p=1$c2FsdA$" + "A" * 43, "cheaper"),
        ("$scrypt$ln=15,r=8,p=999$c2FsdA$" + "A" * 43, "cheaper"),
        ("$scrypt$ln=16,r=1,p=1$c2FsdA$" + "A" * 43, "below 16·r"),
    ],
)
def test_what_is_no_hash_or_asks_for_too_much_is_refused(text: str, what: str) -> None:
    with pytest.raises(BadHash, match=re.escape(what)):
        Scrypt.parse(text)


@given(st.text(st.sampled_from("$scryptln=,0123456789ABab+/"), max_size=120) | st.text())
def test_any_text_is_a_hash_or_a_mistake(text: str) -> None:
    try:
        kept = Scrypt.parse(text)
    except BadHash:
        return
    assert Scrypt.parse(str(kept)) == kept


@given(
    st.builds(
        Scrypt,
        st.integers(1, 14),
        st.integers(1, 8),
        st.integers(1, 4),
        st.binary(min_size=1, max_size=64),
        st.binary(min_size=16, max_size=64),
    )
)
def test_what_is_written_of_a_hash_is_read_again(kept: Scrypt) -> None:
    assert Scrypt.parse(str(kept)) == kept


def test_the_costliest_hash_that_is_taken_can_be_checked() -> None:
    """The bound on memory is one that OpenSSL is told of as well."""
    kept = Scrypt.parse("$scrypt$ln=17,r=8,p=1$c2FsdA$" + "A" * 43)
    assert 128 * kept.block_size << kept.cost_log2 <= MEMORY_MOST
    assert not kept.matches("x")


def test_a_name_that_nobody_has_costs_as_much_as_one_that_somebody_has(
    derived: list[tuple[int, int, int]],
) -> None:
    keys = Keyring(None, [Operator("Root", cheap("geheim")), Operator("Ann", cheap("other"))])
    derived.clear()
    assert keys.operator("root", "geheim") == "Root"
    assert keys.operator("Root", "wrong") == ""
    assert keys.operator("nobody", "geheim") == ""
    assert keys.operator("", "") == ""
    assert derived == [(1 << CHEAP, 8, 1)] * 4


def test_passwords_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bool] = []

    def comparing(one: bytes, other: bytes) -> bool:
        compared.append(len(one) == len(other))
        return one == other

    monkeypatch.setattr("chatcore.passwords.hmac.compare_digest", comparing)
    keys = Keyring(cheap("in"), [Operator("Root", cheap("geheim"))])
    assert keys.operator("Root", "geheim")
    assert not keys.operator("Root", "geheiM")
    assert not keys.operator("nobody", "geheim")
    assert keys.opens("in")
    assert keys.remembers("in")
    assert not keys.remembers("out")
    assert compared == [True] * 6


def test_the_servers_password_is_remembered_after_it_was_right_once(
    derived: list[tuple[int, int, int]],
) -> None:
    keys = Keyring(cheap("in"))
    derived.clear()
    assert not keys.remembers("in")
    assert not keys.opens("out")
    assert not keys.remembers("in")
    assert keys.opens("in")
    assert len(derived) == 2
    assert keys.remembers("in")
    assert not keys.remembers("out")
    assert len(derived) == 2
    assert keys._mark != Keyring("in")._mark  # no two processes have the same one


def test_a_password_in_plain_text_is_known_at_once_and_guessing_it_stays_slow(
    derived: list[tuple[int, int, int]],
) -> None:
    keys = Keyring("in")
    assert keys.remembers("in")
    assert not derived
    assert not keys.opens("out")
    assert keys.opens("in")
    assert len(derived) == 2
    assert "in" not in repr(vars(keys)).split("'")


def test_without_a_password_nobody_is_asked_for_one() -> None:
    keys = Keyring()
    assert not keys.guarded
    assert not keys.remembers("")
    assert keys.operator("Root", "x") == ""


@pytest.mark.parametrize("server", [None, "in", cheap("in")], ids=["none", "plain", "hash"])
def test_a_reload_that_changes_nothing_forgets_nothing(server: str | None) -> None:
    root = Operator("Root", cheap("geheim"))
    keys = Keyring(server, [root])
    assert keys.updated(server, [root]) is keys
    for other, operators in (("out", [root]), (cheap("in"), [root]), (server, [])):
        new = keys.updated(other, operators)
        assert new is not keys
        assert new.guarded is (other is not None)
    assert keys.updated(server, []).kept_of("Root") is None


def test_passwd_prints_the_hash_of_one_line_from_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("with words\r\nmore\n"))
    assert main(["passwd"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert Scrypt.parse(out.rstrip("\n")).matches("with words")
    assert out.startswith("$scrypt$ln=15,r=8,p=3$")


@pytest.mark.parametrize("line", ["", "\n", " x\n", "a\x1b[2J\n", "\ufffd" * 129 + "\n", "a\tb\n"])
def test_passwd_refuses_what_nobody_can_type(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(line))
    assert main(["passwd"]) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("chatcore: a password must be ")


def test_passwd_takes_no_password_where_others_can_read_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["passwd", "geheim"]) == 64
    out, err = capsys.readouterr()
    assert "geheim" not in out + err
    assert main(["passwd", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: chatcore passwd")


def test_passwd_asks_twice_at_a_terminal_and_shows_nothing(
    run_passwd: Callable[[], pexpect.spawn],
) -> None:
    child = run_passwd()
    child.expect_exact("Password: ")
    child.sendline("geheim")
    child.expect_exact("Again: ")
    child.sendline("geheim")
    child.expect(pexpect.EOF)
    assert "geheim" not in child.before
    assert Scrypt.parse(child.before.strip()).matches("geheim")
    other = run_passwd()
    other.expect_exact("Password: ")
    other.sendline("geheim")
    other.expect_exact("Again: ")
    other.sendline("geheim2")
    other.expect_exact("not the same")
    other.expect(pexpect.EOF)
    other.wait()
    assert other.exitstatus == 64


@pytest.fixture
def run_passwd() -> Callable[[], pexpect.spawn]:
    import sys

    def run() -> pexpect.spawn:
        return pexpect.spawn(
            sys.executable,
            ["-m", "chatcore", "passwd"],
            cwd=str(ROOT),
            encoding="utf-8",
            timeout=DEADLINE_S * PATIENCE,
        )

    return run
