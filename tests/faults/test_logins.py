"""Passwords on a real server: a flood of wrong ones costs nobody else anything, and none of them is kept anywhere."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.passwords import Scrypt
from tests.conftest import DEADLINE_S, NO_FLOOD, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Native, Server, Start

FLOOD_A_SECOND = 100
FLOODERS = 200
PINGS_A_CHECK = 10
"""A bystander's, one after the other, while one password is checked: in the loop it would be one."""
ONE_CHECK_KIB = 32 * 1024
"""What scrypt takes for one try, at the default cost."""
RSS_KIB = ONE_CHECK_KIB + 8 * 1024
STOP_S = 5.0


def guarded(password: str = "", operator: str = "", *, more: str = "") -> str:
    """Settings with a server's password, or the hash of an operator's."""
    text = NO_FLOOD
    if password:
        text += f'[server]\npassword = "{password}"\n{more}\n'
    if operator:
        text += f'[[operators]]\nname = "Root"\nhash = "{operator}"\n'
    return text


@pytest.fixture
def made_by_passwd() -> str:
    """The hash of `geheim`, at the real cost, as a person makes it."""
    made = subprocess.run(
        [sys.executable, "-m", "chatcore", "passwd"],
        input="geheim\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return made.stdout.strip()


def test_an_operator_by_a_hash_of_passwd_until_the_restart(
    start: Start, tmp_path: Path, made_by_passwd: str
) -> None:
    config, data = guarded(operator=made_by_passwd), tmp_path / "data"
    server = start.server(config=config, data=data)
    ann = start.native()
    welcome = ann.hello("Ann")
    assert ann.ask("oper", name="root", password="geheim-nicht")["code"] == "password_wrong"
    answer = ann.ask("oper", name="root", password="geheim")
    assert (answer["t"], answer["operator"]) == ("ok", "Root")
    assert ann.ask("nick", alias="Root")["t"] == "ok"
    bob = start.plain("Bob")
    bob.send("/nick Root")
    assert "Root" in bob.read_until("^-- ")[-1]
    assert server.stop() == 0
    server = start.server(config=config, data=data)
    back = start.native()
    assert back.back(welcome, welcome["seq"])["resumed"] is True
    assert back.ask("lag")["code"] == "not_operator"
    assert_nowhere("geheim", server, data)


def assert_nowhere(secret: str, server: Server, data: Path) -> None:
    """Neither in the log nor in any file of the folder."""
    assert server.stop() == 0
    assert secret not in server.log
    looked_at = 0
    for path in data.rglob("*"):
        if path.is_file():
            looked_at += 1
            assert secret.encode() not in path.read_bytes(), path
    assert looked_at


@pytest.mark.parametrize("kind", ["oper", "hello"])
@pytest.mark.parametrize(
    ("seconds", "waiting"), [(2, 8), pytest.param(20, 32, marks=pytest.mark.slow)]
)
def test_a_login_flood_costs_others_nothing(
    start: Start, made_by_passwd: str, seconds: int, waiting: int, kind: str
) -> None:
    """S8: 100 passwords a second from one machine, each for a name of its own, or from a connection of its own."""
    config = guarded(**{"operator" if kind == "oper" else "password": made_by_passwd})
    server = start.server(config=f"{config}[limits]\nlogins_waiting = {waiting}\n")
    bystander, flooders = start.native(), [start.native() for _ in range(FLOODERS)]
    assert bystander.hello("Bystander", password="geheim")["t"] == "welcome"
    if kind == "oper":
        for number, flooder in enumerate(flooders):
            flooder.hello(f"f{number}z")
    before_kib, before_cpu_s = server.rss_kib, server.cpu_s
    worst_kib, sent, pings = before_kib, 0, []
    began = time.monotonic()
    while (passed_s := time.monotonic() - began) < seconds:
        while sent < passed_s * FLOOD_A_SECOND:
            guess(flooders[sent % len(flooders)], kind, sent)
            sent += 1
        asked = time.monotonic()
        bystander.ask("ping")
        pings.append((time.monotonic() - asked) * 1000)
        worst_kib = max(worst_kib, server.rss_kib)
    cpu_s = server.cpu_s - before_cpu_s
    codes = Counter(code for flooder in flooders for code in codes_so_far(flooder))
    for flooder in flooders:
        flooder.close()
    tries, gone = 1, time.monotonic()
    while not comes_through(start, bystander, kind):
        tries += 1
        assert time.monotonic() - gone < DEADLINE_S, "nobody gets in after the flood"
    pings.sort()
    print(
        f"\nS8 {kind}: {sent} guesses in {seconds} s, checked {codes['password_wrong']}, refused "
        f"{codes['too_many_tries']}; {len(pings)} pings, p50 {pings[len(pings) // 2]:.1f}, p99 {pings[len(pings) * 99 // 100]:.1f}, worst "
        f"{pings[-1]:.0f} ms; "
        f"RSS +{worst_kib - before_kib} KiB at worst, CPU {cpu_s:.1f} s; the right one {time.monotonic() - gone:.2f} s "
        f"after the flood, in {tries} tries"
    )
    assert set(codes) <= {"password_wrong", "too_many_tries"}
    assert codes["too_many_tries"] > codes["password_wrong"]
    assert len(pings) >= PINGS_A_CHECK * codes["password_wrong"], "others wait for passwords"
    assert worst_kib - before_kib <= RSS_KIB


def codes_so_far(flooder: Native) -> list[str]:
    """Of what it was refused, without waiting for more."""
    found = b""
    flooder.sock.settimeout(0)
    with suppress(BlockingIOError):
        while data := flooder.sock.recv(65_536):
            found += data
    return re.findall(r'"code": ?"(\w+)"', found.decode())


def comes_through(start: Start, bystander: Native, kind: str) -> bool:
    """Whoever has the right password."""
    if kind == "oper":
        return bystander.ask("oper", name="Root", password="geheim")["t"] == "ok"
    return start.native().hello("Honest", password="geheim")["t"] == "welcome"


def guess(flooder: Native, kind: str, number: int) -> None:
    if kind == "oper":
        # Every name is one more account; nobody has any of them but the first.
        flooder.send("oper", name=f"Root{number or ''}", password=f"guess {number}")
    else:
        flooder.send("hello", v=1, alias="Flood", password=f"guess {number}")


def test_an_account_is_throttled_from_everywhere(start: Start, made_by_passwd: str) -> None:
    start.server(config=guarded(operator=made_by_passwd))
    codes = []
    for number in range(5):
        client = start.native(source=f"127.0.0.{number + 2}")
        client.hello(f"n{number}z")
        codes.append(client.ask("oper", name="Root", password=f"guess {number}"))
    print(f"\ntried 5, checked {sum(each['code'] == 'password_wrong' for each in codes)}")
    assert [each["code"] for each in codes] == ["password_wrong"] * 3 + ["too_many_tries"] * 2
    assert 0 < codes[-1]["retry_s"] <= 20


@pytest.mark.parametrize("people", [200, pytest.param(5_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kept", ["plain", "hash"])
def test_many_come_back_at_once_with_the_password(
    start: Start, people: int, kept: str, made_by_passwd: str
) -> None:
    """After a restart in memory everybody needs the password again: one check for all of them."""
    server = start.server(config=guarded(password="geheim" if kept == "plain" else made_by_passwd))
    first = start.native()
    assert first.hello("First", password="geheim")["t"] == "welcome"
    clients = [start.native() for _ in range(people)]
    began, before_cpu_s = time.monotonic(), server.cpu_s
    for number, client in enumerate(clients):
        client.send("hello", v=1, alias=f"p{number}q", password="geheim")
    answers = [
        client.read_until(lambda message: message["t"] in {"welcome", "refused"})["t"]
        for client in clients
    ]
    took_s = time.monotonic() - began
    print(
        f"\n{people} with the password at once ({kept}): refused {answers.count('refused')}, {took_s:.2f} s, "
        f"{people / took_s:,.0f}/s, CPU {server.cpu_s - before_cpu_s:.2f} s"
    )
    assert answers == ["welcome"] * people


def test_a_server_stops_while_it_checks_passwords(start: Start, made_by_passwd: str) -> None:
    server = start.server(config=guarded(password=made_by_passwd))
    clients = [start.native() for _ in range(10)]
    for client in clients:
        client.send("hello", v=1, alias="Ann", password="wrong")
    clients[0].read_until("refused")
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    took_s = time.monotonic() - began
    for client in clients[1:]:
        assert client.read_messages_to_end()[-1]["t"] == "bye"
    print(f"\nstopped in {took_s:.2f} s with {len(clients) - 1} passwords waiting")
    assert took_s <= STOP_S
    assert "Traceback" not in server.log


def test_a_reload_changes_passwords_for_the_next_and_takes_a_rank(
    start: Start, wait_for: Callable[..., None]
) -> None:
    cheap = {word: str(Scrypt.of(word, cost_log2=4, parallel=1)) for word in ("root", "new")}
    server = start.server(config=guarded("old", cheap["root"]))
    ann = start.native()
    ann.hello("Ann", password="old")
    assert ann.ask("oper", name="Root", password="root")["t"] == "ok"
    assert ann.ask("lag")["t"] == "lag"
    server.config_path.write_text(guarded(cheap["new"], more='motd = "Moved.\\nBe kind."'))
    server.signal(signal.SIGHUP)
    wait_for(lambda: "configuration reloaded" in server.log, "a reload")
    assert ann.ask("lag")["code"] == "not_operator"
    assert start.native().hello("Bob", password="old")["code"] == "password_wrong"
    welcome = start.native().hello("Bob", password="new")
    assert welcome["motd"] == "Moved.\nBe kind."


def test_a_person_with_nc_types_the_password(start: Start) -> None:
    start.server(config=guarded("open sesame", more='motd = "Be kind."'))
    ann = start.plain()
    ann.send("Ann")
    ann.read_until("^-- This server has a password. Type it:$")
    ann.send("wrong")
    ann.read_until("^-- That is not the password. Try again:$")
    ann.send("open sesame")
    ann.read_until("^Connected to the server!$")
    ann.read_until("^-- Be kind.$")


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ('[[operators]]\nname = "Root"\nhash = "geheim"\n', "entry 1"),
        (
            '[[operators]]\nname = "A"\nhash = "$scrypt$ln=30,r=8,p=1$c2FsdA$' + "A" * 43 + '"\n',
            "256 MiB",
        ),
        ('[server]\npassword = "$scrypt$geheim"\n', "server.password"),
        ('[server]\npassword = " geheim"\n', "server.password"),
    ],
)
def test_a_hash_that_cannot_be_used_is_a_mistake_in_the_settings(
    tmp_path: Path, entry: str, named: str
) -> None:
    path = tmp_path / "chatcore.toml"
    path.write_text(entry)
    command = [sys.executable, "server_1.py", "--ephemeral", "--port", "0", "--config", str(path)]
    ended: Any = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 78
    assert named in ended.stderr
    assert "passwd" in ended.stderr or "try" in ended.stderr or "type" in ended.stderr
    assert not re.search("geheim|AAAA", ended.stderr)
