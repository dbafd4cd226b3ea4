"""The client at a terminal, as a person has it: typing, questions, losses, and every way out."""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
import tty
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30
COLUMNS = 120
PASTE_ON, PASTE_OFF = "\x1b[200~", "\x1b[201~"
CLIENT = 'from chatcore.client import main; raise SystemExit(main(alias="Alice"))'
ENVIRON = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1", "TZ": "UTC"}


def modes(child):
    """Of the terminal: the same before and after, whatever happened in between."""
    return termios.tcgetattr(child.child_fd)


@pytest.fixture
def start(loopback_server):
    children = []

    def start(*arguments, server=loopback_server, term="xterm-256color", alias="Alice"):
        code = f"from chatcore.client import main; raise SystemExit(main(alias={alias!r}))"
        child = pexpect.spawn(
            sys.executable,
            ["-c", code, f"127.0.0.1:{server.port}", *arguments],
            env={**ENVIRON, "TERM": term},
            cwd=str(ROOT),
            dimensions=(24, COLUMNS),
            timeout=DEADLINE_S,
            encoding="utf-8",
        )
        child.before_modes = modes(child)
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


@pytest.fixture
def shell():
    """A shell that controls jobs, at a terminal."""
    child = pexpect.spawn(
        "/bin/sh",
        ["-i"],
        env={**ENVIRON, "PS1": "shell$ "},
        cwd=str(ROOT),
        dimensions=(24, COLUMNS),
        timeout=DEADLINE_S,
        encoding="utf-8",
    )
    child.expect_exact("shell$ ")
    yield child
    child.close(force=True)


def joined(child):
    child.expect_exact("Connected to the server!")
    child.expect_exact("#lobby> ")
    return child


def exit_code(child):
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus if child.signalstatus is None else -child.signalstatus


def test_ones_own_line_is_shown_once_with_its_time(start, loopback_server):
    child = joined(start())
    child.send("hello\r")
    child.expect(r"\[14:02\] Alice: hello")
    loopback_server.act(lambda room: room.say("Bob", "hi Alice"))
    child.expect_exact("Bob: hi Alice")
    child.expect_exact("\a")
    assert "Alice: hello" not in child.before


def test_commands_are_answered_and_never_sent(start, loopback_server):
    child = joined(start())
    child.send("/hlep\r")
    child.expect_exact("-- There is no command /hlep. Did you mean /help?")
    child.send("/help\r")
    child.expect_exact("/quit [text]")
    child.send("/join #dev\r")
    child.expect_exact("You are in #dev.")
    child.expect_exact("#dev> ")
    child.send("/join #lobby\r")
    child.expect_exact("You are in #lobby now.")
    assert loopback_server.room.stored == []


def test_an_alias_that_is_taken_is_asked_for_again(start, loopback_server):
    loopback_server.room.refuse_hello = [{"code": "alias_taken", "words": "Alice is taken."}]
    child = start()
    child.expect_exact("-- Alice is taken.")
    child.expect_exact("Choose an alias: ")
    child.send("Ally\r")
    joined(child).send("hi\r")
    child.expect_exact("Ally: hi")


def test_without_a_preset_the_alias_is_asked_for_before_connecting(start, loopback_server):
    child = start(alias=None)
    child.expect_exact("Choose an alias: ")
    assert not loopback_server.is_anybody_connected
    child.send("Zed\r")
    joined(child)


def test_a_held_alias_is_waited_for_aloud(start, loopback_server):
    held = {"code": "alias_in_grace", "words": "Alice is held.", "retry_s": 0.5}
    loopback_server.room.refuse_hello = [held]
    child = start()
    child.expect_exact("-- Alice is held.")
    child.expect_exact("-- Waiting 1 s for Alice.")
    joined(child)


def test_a_loss_is_told_lines_wait_and_the_unsent_one_stays(
    start, loopback_server, new_loopback_server
):
    child = joined(start())
    port = loopback_server.port
    loopback_server.close()
    child.expect(r"── disconnected \d\d:\d\d:\d\d \(server closed\) · retry in \d s ──")
    child.send("typed meanwhile\r")
    child.expect_exact("(… typed meanwhile) #lobby (offline)> ")
    child.send("half a li")
    server = new_loopback_server(port)
    child.expect(r"── back after \d s · .* ──")
    child.expect_exact("Alice: typed meanwhile")
    child.expect_exact("#lobby> half a li")
    child.send("ne\r")
    child.expect_exact("Alice: half a line")
    assert server.room.stored == ["typed meanwhile", "half a line"]


def test_a_server_that_is_not_there_yet_is_waited_for(start, loopback_server, new_loopback_server):
    port = loopback_server.port
    loopback_server.close()
    child = start()
    child.expect(r"── cannot connect to 127.0.0.1:\d+ \(connection refused\) · retry in \d s ──")
    new_loopback_server(port)
    joined(child)


@pytest.mark.parametrize(
    ("answer", "stored"), [("y\r", ["1\n2\n3\n4"]), ("n\r", []), ("\r", []), ("\x03", [])]
)
def test_a_long_paste_is_asked_about(start, loopback_server, answer, stored):
    child = joined(start())
    child.send("draft")
    child.send(f"{PASTE_ON}1\r2\r3\r4\r{PASTE_OFF}")
    child.expect_exact("  | 4")
    child.expect_exact("Send 4 lines as one message? [y/N] ")
    child.send(answer)
    child.expect_exact("#lobby> draft")
    child.send("\r")
    child.expect_exact("Alice: draft")
    assert loopback_server.room.stored == [*stored, "draft"]


@pytest.mark.parametrize(
    ("keys", "code"), [("\x04", 0), ("/quit so long\r", 0), ("\x03", 130), ("text\x03\x03", 130)]
)
def test_ways_out_by_key(start, loopback_server, keys, code):
    child = joined(start())
    child.send(keys)
    assert exit_code(child) == code
    assert modes(child) == child.before_modes


def test_a_try_that_was_asked_for_is_told_when_it_fails_as_the_ones_before(start, loopback_server):
    child = joined(start())
    child.send("/reconnect\r")
    child.expect_exact("-- You are connected.")
    loopback_server.close()
    refused = "── cannot connect to 127.0.0.1"
    child.expect_exact(refused)
    for _ in range(2):
        child.send("/reconnect\r")
        child.expect_exact(refused)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ways_out_by_signal_restore_the_terminal(start, number):
    child = joined(start())
    child.send("half a li")
    child.expect_exact("half a li")
    child.kill(number)
    assert exit_code(child) == 128 + number
    assert modes(child) == child.before_modes


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP])
def test_stopped_by_somebody_else_it_takes_the_terminal_back(loopback_server, shell, number):
    """A shell has the terminal meanwhile, as it likes it: echoing, and with pastes that send their line ends."""
    shell.sendline(f"{sys.executable} -c '{CLIENT}' 127.0.0.1:{loopback_server.port}")
    raw = modes(joined(shell))
    shell.send("half")
    shell.expect_exact("half")
    os.kill(os.tcgetpgrp(shell.child_fd), number)
    shell.expect_exact("shell$ ")
    assert ("\x1b[?2004l" in shell.before) is (number is signal.SIGTSTP), "given back if asked to"
    shell.sendline(r"stty sane; printf '\033[?2004l'; fg")
    shell.expect_exact("\x1b[?2004h")
    shell.expect_exact("#lobby> half")
    assert modes(shell)[tty.LFLAG] == raw[tty.LFLAG], "no echo, and keys one by one"
    shell.send("\x15\x04")
    shell.expect_exact("shell$ ")


def test_lines_that_could_not_be_sent_are_told_on_leaving(start, loopback_server):
    child = joined(start())
    loopback_server.close()
    child.expect_exact("disconnected")
    child.send("never sent\r")
    child.expect_exact("#lobby (offline)> ")
    child.send("/quit\r")
    child.expect_exact("Not sent: “never sent” (you left before)")
    assert exit_code(child) == 1


def test_no_reconnect_ends_with_the_connection(start, loopback_server):
    child = joined(start("--no-reconnect"))
    loopback_server.close()
    child.expect(r"── disconnected \d\d:\d\d:\d\d \(server closed\) ──")
    assert exit_code(child) == 69
    assert modes(child) == child.before_modes


@pytest.mark.parametrize(("arguments", "term"), [(("--plain",), "xterm"), ((), "dumb")])
def test_plain_only_appends_in_words_and_without_an_escape(start, loopback_server, arguments, term):
    child = start(*arguments, term=term)
    child.expect_exact("Connected to the server!\r\n")
    seen = child.before
    child.expect_exact("/help lists the commands.\r\n")
    child.send("hi\n")
    child.expect_exact("Alice: hi\r\n")
    seen += child.before
    loopback_server.drop_connections()
    child.expect(r"-- Disconnected \d\d:\d\d:\d\d \(server closed\). Retry in \d s.\r\n")
    seen += child.before
    child.expect(r"-- Back after \d s. Nothing missed.\r\n")
    seen += child.before
    child.send("\x04")
    assert exit_code(child) == 0
    assert re.search(r"\x1b|> ", seen + child.before) is None


def test_plain_asks_for_an_alias_in_a_line_of_its_own(start, loopback_server):
    loopback_server.room.refuse_hello = [{"code": "alias_taken", "words": "Alice is taken."}]
    child = start("--plain")
    child.expect_exact("-- Alice is taken.\r\nChoose an alias:\r\n")
    child.send("Ally\n")
    child.expect_exact("Connected to the server!")


def test_nothing_that_a_server_sends_does_anything_to_the_terminal(start, loopback_server):
    """RELIABILITY K1: only sequences of our own come out."""
    child = joined(start())
    evil = "\x1b]0;title\x07\x1b[2J\x1bc\x9b31m\x1b[6n\x90q\x9c"
    for number in range(50):
        loopback_server.act(
            lambda room, number=number: room.say(evil, f"{evil} {number}", room=evil)
        )
    loopback_server.act(lambda room: room.say("Bob", "done"))
    child.expect_exact("Bob: done")
    assert "␛]0;title␇" in child.before
    for sequence in ("\x1b]", "\x1b[2J", "\x1bc", "\x9b", "\x1b[6n", "\x90", "\x07"):
        assert sequence not in child.before
