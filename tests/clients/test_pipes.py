"""A client in a pipe: every line of its input is said and waited for, and the exit code says what became of it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.clients.conftest import Chatters

ROOT = Path(__file__).parent.parent.parent
MANY = 300


def said(lines: list[str], name: str) -> list[str]:
    return [line.removeprefix(f"{name}: ") for line in lines if line.startswith(f"{name}: ")]


def nobody() -> tuple[str, int]:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return ("127.0.0.1", listener.getsockname()[1])


def test_every_piped_line_is_stored_in_order_before_it_leaves_with_0(chatters: Chatters) -> None:
    reader = chatters.netcat("Zed")
    pipe = chatters.pipe(1)
    lines = [f"line {number}" for number in range(MANY)]
    pipe.send(*lines)
    result = pipe.ends()
    assert (result.code, result.err) == (0, "")
    reader.sees("^Alice has left the chat room!$")
    assert said(reader.lines, "Alice") == lines
    assert said(result.out.splitlines(), "Alice") == lines, "one's own lines are shown once"


def test_all_four_pipe_at_once_and_nothing_is_lost_or_doubled(chatters: Chatters) -> None:
    reader = chatters.netcat("Zed")
    pipes = [chatters.pipe(number) for number in (1, 2, 3, 4)]
    lines = [f"line {number}" for number in range(50)]
    for pipe in pipes:
        pipe.send(*lines)
    assert [pipe.ends().code for pipe in pipes] == [0] * 4
    for name in ("Alice", "Bob", "Carol", "Dave"):
        reader.sees(f"^{name} has left the chat room!$")
        assert said(reader.lines, name) == lines


def test_a_last_line_without_its_end_is_said_and_empty_ones_are_not(chatters: Chatters) -> None:
    reader = chatters.netcat("Zed")
    pipe = chatters.pipe(1)
    assert pipe.process.stdin is not None
    pipe.process.stdin.write(b"one\n\n\r\ntwo\r\nthree")
    assert pipe.ends().code == 0
    reader.sees("^Alice has left")
    assert said(reader.lines, "Alice") == ["one", "two", "three"]


def test_piped_commands_are_carried_out_and_two_slashes_are_said(chatters: Chatters) -> None:
    reader = chatters.netcat("Zed")
    pipe = chatters.pipe(1)
    pipe.send("/me waves", "//etc/hosts", "/nick Ally", "/msg Zed psst", "/quit see you", "late")
    assert pipe.ends().code == 0
    reader.sees(
        r"^\* Alice waves$",
        "^Alice: /etc/hosts$",
        r"^\[Ally -> Zed\] psst$",
        r"^Ally has left the chat room! \(see you\)$",
    )
    assert reader.count("late") == 0


def test_the_output_of_a_pipe_is_plain_text(chatters: Chatters) -> None:
    reader = chatters.netcat("Zed")
    pipe = chatters.pipe(1)
    reader.sees("^Alice has connected")
    reader.send("are you there, Alice?")
    reader.sees("^Zed: are you")
    pipe.send("yes")
    result = pipe.ends()
    assert result.out.splitlines()[0] == "Connected to the server!"
    conversation = [line for line in result.out.splitlines() if ": " in line[:7]]
    assert conversation == ["Zed: are you there, Alice?", "Alice: yes"]
    assert "\x1b" not in result.out
    assert "\a" not in result.out


@pytest.mark.parametrize("refused", ["x" * 4097, "/nick Zed", "/no-such-command", "/msg Nobody hi"])
def test_a_refused_line_ends_with_1_and_the_others_are_said(
    chatters: Chatters, refused: str
) -> None:
    reader = chatters.netcat("Zed")
    pipe = chatters.pipe(1)
    pipe.send("before", refused, "after")
    result = pipe.ends()
    assert result.code == 1
    assert result.err.startswith("-- ")
    reader.sees("^Alice has left")
    assert said(reader.lines, "Alice") == ["before", "after"]


def test_lines_that_are_not_acknowledged_in_time_end_with_1(
    chatters: Chatters, patience: float
) -> None:
    reader, network = chatters.netcat("Zed"), chatters.network()
    pipe = chatters.pipe(1, "--timeout", f"{2 * patience:g}", address=network.address)
    pipe.send("heard")
    pipe.reads("Alice: heard")
    network.hold("down")
    pipe.send("into the void")
    reader.sees("^Alice: into the void$")
    result = pipe.ends()
    assert result.code == 1
    assert "1 line not acknowledged within" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["127.0.0.1:99999"],
        ["127.0.0.1:"],
        ["--timeout", "soon"],
        ["--color", "sometimes"],
        ["one", "two"],
    ],
)
def test_wrong_usage_ends_with_64(arguments: list[str], patience: float) -> None:
    command = [sys.executable, str(ROOT / "clients" / "client_4.py"), *arguments]
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=20 * patience,
    )
    assert result.returncode == 64
    assert result.stdout == ""
    assert result.stderr.startswith("usage: client_4.py ")


def test_no_server_ends_with_69_and_says_where(chatters: Chatters) -> None:
    address = nobody()
    pipe = chatters.pipe(1, "--no-reconnect", address=address)
    result = pipe.ends()
    assert (result.code, result.out.count("\n")) == (69, 1)
    assert f"{address[0]}:{address[1]}" in result.err


def test_no_server_within_the_timeout_ends_with_69(chatters: Chatters) -> None:
    pipe = chatters.pipe(1, "--timeout", "0.3", address=nobody())
    pipe.send("anybody?")
    result = pipe.ends()
    assert result.code == 69
    assert "connection refused" in result.err


def test_a_server_of_another_kind_ends_with_76(chatters: Chatters) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pipe = chatters.pipe(1, address=listener.getsockname())
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            peer.shutdown(socket.SHUT_WR)
            result = pipe.ends()
    assert result.code == 76


@pytest.mark.parametrize("options", [(), ("--alias", "a b"), ("--alias", "Bo", "--room", "#a:b")])
def test_what_the_server_refuses_ends_with_77(chatters: Chatters, options: tuple[str, ...]) -> None:
    alice = chatters.person(1).joined()
    result = chatters.pipe(1, *options).ends()
    assert result.code == 77
    assert result.err
    alice.settle()
    assert alice.count("has connected") == 1


def test_a_terminated_pipe_ends_with_143_and_leaves_its_alias_free(chatters: Chatters) -> None:
    reader, pipe = chatters.netcat("Zed"), chatters.pipe(1)
    reader.sees("^Alice has connected")
    pipe.process.send_signal(signal.SIGTERM)
    reader.sees("^Alice has left the chat room!$")
    assert pipe.ends().code == 143
    again = chatters.pipe(1)
    again.send("it is free")
    assert again.ends().code == 0


def test_terminated_between_hello_and_welcome_it_still_says_that_it_leaves(
    chatters: Chatters,
) -> None:
    """Otherwise the server, which joins it, would hold its alias for the time of grace."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pipe = chatters.pipe(1, address=listener.getsockname())
        peer, _ = listener.accept()
        with peer, peer.makefile("rb") as sent:
            assert json.loads(sent.readline())["t"] == "hello"
            pipe.process.send_signal(signal.SIGTERM)
            assert [json.loads(line)["t"] for line in sent] == ["quit"]
    assert pipe.ends().code == 143


def test_who_only_listens_says_nothing_and_hears_everything(chatters: Chatters) -> None:
    reader, end = chatters.netcat("Zed"), chatters.netcat("Ann")
    pipe = chatters.pipe(1, "--listen")
    reader.sees("^Alice has connected")
    pipe.send("not to be said")
    reader.send("hello", "last words")
    heard = pipe.reads("last words")
    assert said(heard, "Zed") == ["hello", "last words"]
    pipe.process.send_signal(signal.SIGTERM)
    assert pipe.ends().code == 143
    end.sees("^Alice has left the chat room!$")
    assert end.count("not to be said") == 0
