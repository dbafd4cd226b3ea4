"""Row K2: however a visit ends, the terminal is as it was found.

Judged by its modes (what `stty -a` shows), and by what was written to it: bracketed paste is off, wrapping is on, the
cursor is shown, no other screen is left behind, and no prompt.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest

from chatcore.client.outbox import MAX_IN_FLIGHT
from tests.clients.conftest import ROOT
from tests.clients.puppet import Puppet, line, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.clients.conftest import Chatters, Person

FAULTY = ROOT / "tests" / "clients" / "faulty_client.py"
LONG_GRACE = "[presence]\ngrace_s = 300\n"
"""A goodbye is seen, and an alias that is only held is not."""
CTRL_C, CTRL_D = "\x03", "\x04"
SWITCH = re.compile(rb"\x1b\[\?(\d+)([hl])")
AT_THE_END = {b"2004": b"l", b"7": b"h"}
"""Private modes that the client touches, and what they must be when it is gone."""


def quits(person: Person, puppet: Puppet) -> None:
    person.types("/quit")


def presses_ctrl_c(person: Person, puppet: Puppet) -> None:
    person.keys(CTRL_C)


def presses_ctrl_c_twice(person: Person, puppet: Puppet) -> None:
    person.keys(f"half{CTRL_C}")
    person.keys(CTRL_C)


def presses_ctrl_d(person: Person, puppet: Puppet) -> None:
    person.keys(CTRL_D)


def is_terminated(person: Person, puppet: Puppet) -> None:
    person.keys("half a li")
    person.child.kill(signal.SIGTERM)


def is_hung_up(person: Person, puppet: Puppet) -> None:
    person.child.kill(signal.SIGHUP)


def loses_the_server(person: Person, puppet: Puppet) -> None:
    puppet.hangs_up()


def is_kicked(person: Person, puppet: Puppet) -> None:
    puppet.says(line("bye", reason="kicked", words="kicked by Bob: \x1b[?1049h enough"))


def is_banned(person: Person, puppet: Puppet) -> None:
    puppet.says(line("bye", reason="banned", words="banned by Bob"))


def hears_nonsense(person: Person, puppet: Puppet) -> None:
    puppet.says(b"\x1b]0;owned\x07 this is not JSON\n")


def meets_a_fault(person: Person, puppet: Puppet) -> None:
    person.types("anything")


WAYS = [
    (quits, 0),
    (presses_ctrl_c, 130),
    (presses_ctrl_c_twice, 130),
    (presses_ctrl_d, 0),
    (is_terminated, 143),
    (is_hung_up, 129),
    (loses_the_server, 69),
    (is_kicked, 77),
    (is_banned, 77),
    (hears_nonsense, 76),
    (meets_a_fault, 1),
]


@pytest.mark.parametrize(
    "rounds", [1, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_every_way_out_leaves_the_terminal_as_it_was(
    chatters: Chatters,
    puppets: Callable[..., Puppet],
    rounds: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed: list[str] = []
    for _ in range(rounds):
        for leave, code in WAYS:
            puppet = puppets()
            script = FAULTY if leave is meets_a_fault else None
            alice = chatters.person(1, "--no-reconnect", address=puppet.address, script=script)
            alice.until(lambda alice=alice: "#lobby>" in alice.typed, "the prompt")
            assert alice.modes != alice.modes_before, "it is raw while she is in"
            leave(alice, puppet)
            failed += [f"{leave.__name__}: {each}" for each in faults(alice, alice.ends(), code)]
    with capsys.disabled():
        print(f"\nK2: {rounds * len(WAYS)} ways out, {len(failed)} things not as they were")
    assert failed == []


@pytest.mark.parametrize(("is_told", "code"), [(True, 129), (False, 141)])
@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_a_terminal_that_is_gone_ends_it_and_gives_the_alias_back(
    chatters: Chatters, options: tuple[str, ...], is_told: bool, code: int
) -> None:
    """Its window was closed; `is_told`: SIGHUP reaches the client, which `nohup` keeps from it."""
    chatters.server(config=LONG_GRACE)
    bob = chatters.person(2).joined()
    alice = chatters.person(1, *options, ignored=() if is_told else (signal.SIGHUP,)).joined()
    alice.closes_the_window()
    bob.sees("^Alice has left the chat room!$")
    assert (alice.child.wait(), alice.child.exitstatus) == (code, code)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_a_terminal_that_takes_nothing_keeps_nobody_from_leaving(
    chatters: Chatters,
    puppets: Callable[..., Puppet],
    wait_for: Callable[..., None],
    options: tuple[str, ...],
    number: signal.Signals,
) -> None:
    """Its connection stands still, or somebody has pressed Ctrl-S."""
    puppet = puppets()
    alice = chatters.person(1, *options, address=puppet.address)
    alice.until(lambda: "commands." in "".join(alice.lines), "the welcome")
    puppet.says(b"".join(said(seq, "y" * 1000) for seq in range(1, 200)))
    seen = [0]
    wait_for(lambda: seen.append(alice.unread) or seen[-1] == seen[-2] > 0, "no more is taken")
    alice.child.kill(number)
    wait_for(lambda: not alice.child.isalive(), "its end")
    assert alice.child.exitstatus == 128 + number
    assert puppet.heard[-1]["t"] == "quit"


def test_what_was_sent_and_not_answered_is_not_called_unsent(
    chatters: Chatters, puppets: Callable[..., Puppet]
) -> None:
    """It may be stored: whoever believes that it is not says it once more."""
    puppet = puppets()
    alice = chatters.person(1, address=puppet.address)
    alice.until(lambda: "#lobby>" in alice.typed, "the prompt")
    alice.types("on its way")
    alice.until_quiet(lambda: puppet.heard[-1].get("text") == "on its way", "the line")
    alice.keys(CTRL_D + CTRL_D)
    assert alice.ends() == 1
    (told,) = [each for each in alice.lines if "on its way" in each]
    assert told == "-- Not acknowledged: “on its way” (you left before; it may have been said)"


def test_a_pipe_that_is_ended_tells_what_was_sent_from_what_was_not(
    chatters: Chatters,
    puppets: Callable[..., Puppet],
    wait_for: Callable[..., None],
) -> None:
    puppet = puppets()
    pipe = chatters.pipe(1, address=puppet.address)
    pipe.send(*(f"line {number}" for number in range(1, MAX_IN_FLIGHT + 2)))
    wait_for(lambda: len(puppet.heard) == 1 + MAX_IN_FLIGHT, "a hello, and what fits in flight")
    pipe.process.terminate()
    result = pipe.ends()
    assert result.code == 143
    assert result.err.splitlines() == [
        "64 lines were sent and not acknowledged: they may have been said.",
        "1 line was not sent.",
    ]


def test_a_password_that_is_being_typed_without_an_editor_leaves_the_echo_on(
    chatters: Chatters, puppets: Callable[..., Puppet]
) -> None:
    """Where the terminal itself shows what is typed, it is told not to; it must not stay so."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        wanted = line("refused", code="password_needed", words="It has a password.")
        puppet = puppets(wanted)
        alice = chatters.person(1, "--plain", address=puppet.address)
        alice.until(lambda alice=alice: "password:" in "".join(alice.lines), "the question")
        alice.until_quiet(lambda alice=alice: alice.modes != alice.modes_before, "no echo")
        alice.child.kill(number)
        assert alice.ends() == 128 + number
        assert alice.modes == alice.modes_before


def faults(person: Person, code: int, wanted: int) -> list[str]:
    found = [] if code == wanted else [f"exit code {code}"]
    if person.modes != person.modes_before:
        found.append("other modes")
    last = dict(SWITCH.findall(person.raw))
    found += [f"mode {name!r}" for name, state in last.items() if AT_THE_END.get(name) != state]
    if any("#lobby>" in each for each in person.lines):
        found.append("a prompt")
    return found
