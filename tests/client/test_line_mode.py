"""Which console and which looks; and the client as a program, against a server on loopback: pipes and exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chatcore.client.line_mode import Mode, choose_looks, choose_mode
from chatcore.client.options import Options
from chatcore.client.style import Looks

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0


@pytest.mark.parametrize(
    ("options", "term", "stdin_tty", "stdout_tty", "mode"),
    [
        (Options(), "xterm", True, True, Mode.TERMINAL),
        (Options(plain=True), "xterm", True, True, Mode.APPENDING),
        (Options(json=True), "xterm", True, True, Mode.APPENDING),
        (Options(), "dumb", True, True, Mode.APPENDING),
        (Options(), None, True, True, Mode.APPENDING),
        (Options(), "xterm", True, False, Mode.APPENDING),
        (Options(), "xterm", False, True, Mode.PIPED),
        (Options(plain=True), "xterm", False, False, Mode.PIPED),
        (Options(listen=True), "xterm", True, True, Mode.LISTENING),
    ],
)
def test_modes(options, term, stdin_tty, stdout_tty, mode):
    environ = {} if term is None else {"TERM": term}
    assert choose_mode(options, environ, stdin_tty=stdin_tty, stdout_tty=stdout_tty) is mode


@pytest.mark.parametrize(
    ("options", "mode", "stdout_tty", "looks"),
    [
        (Options(), Mode.TERMINAL, True, Looks(color=True, time="hm")),
        (Options(), Mode.PIPED, False, Looks()),
        (Options(time="iso", color="always"), Mode.PIPED, False, Looks(color=True, time="iso")),
        (Options(plain=True), Mode.APPENDING, True, Looks(color=True, time="hm", words=True)),
        (Options(color="never"), Mode.APPENDING, True, Looks(time="hm", words=True)),
    ],
)
def test_looks(options, mode, stdout_tty, looks):
    assert choose_looks(options, {"TERM": "xterm"}, mode, stdout_tty=stdout_tty) == looks


def command(port, *arguments, script="client_1.py"):
    return [sys.executable, str(ROOT / "clients" / script), f"127.0.0.1:{port}", *arguments]


def run(port, typed, *arguments, script="client_1.py", cwd=ROOT):
    """The whole visit of a piped client."""
    return subprocess.run(
        command(port, *arguments, script=script),
        input=typed.encode(),
        capture_output=True,
        timeout=DEADLINE_S,
        cwd=cwd,
        check=False,
    )


def wait_for(condition):
    limit = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < limit
        os.sched_yield()


def test_each_line_of_a_pipe_is_said_and_then_it_leaves(loopback_server, tmp_path):
    typed = "hi\n\n/me waves\n//usr\nlast without end"
    done = run(loopback_server.port, typed, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert loopback_server.room.stored == ["hi", "waves", "/usr", "last without end"]
    assert done.stdout.decode().splitlines() == [
        "Connected to the server!",
        "-- You are in #lobby.",
        "-- Here: Alice (1). /help lists the commands.",
        "Alice has connected to the chat room",
        "Alice: hi",
        "* Alice waves",
        "Alice: /usr",
        "Alice: last without end",
    ]


@pytest.mark.parametrize(
    ("script", "alias"),
    [
        ("client_1.py", "Alice"),
        ("client_2.py", "Bob"),
        ("client_3.py", "Carol"),
        ("client_4.py", "Dave"),
    ],
)
def test_the_four_clients_have_their_names(loopback_server, script, alias):
    assert run(loopback_server.port, "hi\n", script=script).returncode == 0
    assert loopback_server.room.records[-1]["from"] == alias


def test_as_many_lines_as_one_likes_arrive_in_order(loopback_server):
    lines = [f"line {number}" for number in range(5000)]
    done = run(loopback_server.port, "\n".join(lines))
    assert done.returncode == 0
    assert loopback_server.room.stored == lines


def test_a_file_may_be_the_input(loopback_server, tmp_path):
    (tmp_path / "lines").write_text("one\ntwo\n")
    with (tmp_path / "lines").open() as lines:
        done = subprocess.run(
            command(loopback_server.port),
            stdin=lines,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode == 0
    assert loopback_server.room.stored == ["one", "two"]


def test_refused_lines_are_1_and_told_on_stderr(loopback_server):
    loopback_server.room.refuse_texts.add("bad")
    done = run(loopback_server.port, f"good\nbad\n{'x' * 5000}\n/nope\n")
    assert done.returncode == 1
    assert loopback_server.room.stored == ["good"]
    errors = done.stderr.decode()
    assert "Not sent: “bad” (Too much at once)" in errors
    assert "at most 4,096" in errors
    assert "There is no command /nope" in errors


def test_an_alias_that_is_taken_is_77_without_anybody_to_ask(loopback_server):
    loopback_server.room.refuse_hello = [{"code": "alias_taken", "words": "Alice is taken."}]
    done = run(loopback_server.port, "hi\n")
    assert (done.returncode, done.stderr) == (77, b"-- Alice is taken.\n")


def test_nobody_to_ask_for_an_alias_is_64(loopback_server):
    code = "from chatcore.client import main; raise SystemExit(main([]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 64
    assert b"--alias" in done.stderr


@pytest.mark.parametrize("argument", ["--no-reconnect", "--timeout=1"])
def test_no_server_is_69(loopback_server, argument):
    port = loopback_server.port
    loopback_server.close()
    done = run(port, "hi\n", argument)
    assert done.returncode == 69
    assert b"connection refused" in done.stderr


def test_lines_that_nobody_acknowledges_are_1_after_the_timeout(loopback_server):
    loopback_server.room.ignore_lines = True
    done = run(loopback_server.port, "one\ntwo\n", "--timeout", "1")
    assert done.returncode == 1
    assert done.stderr == b"2 lines not acknowledged within 1 s.\n"


def test_something_else_at_that_address_is_76(foreign_server):
    done = run(foreign_server, "hi\n")
    assert done.returncode == 76
    assert b"no chat server of ours" in done.stderr


def test_json_is_for_programs(loopback_server):
    done = run(loopback_server.port, "hé\n", "--json")
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    said = objects[-1]
    assert (said["t"], said["from"], said["room"], said["text"]) == ("say", "Alice", "#lobby", "hé")
    assert {"seq", "time"} <= said.keys()
    assert b"Connected to the server!" in done.stderr


def test_with_json_every_record_is_an_object_and_everything_else_is_on_stderr(loopback_server):
    """The older lines that come on joining too; notices, answers and refusals are no records."""
    loopback_server.room.say("Bob", "before\nyou came")
    loopback_server.room.refuse_texts.add("bad")
    done = run(loopback_server.port, "hi\n/help\n/nope\nbad\n/who\n", "--json")
    objects = sorted(map(json.loads, done.stdout.splitlines()), key=lambda each: each["seq"])
    assert [(each["t"], each.get("text")) for each in objects] == [
        ("say", "before\nyou came"),
        ("join", None),
        ("say", "hi"),
    ]
    assert objects[0] == loopback_server.room.records[0], "as the native dialect sends it"
    told = done.stderr.decode()
    for words in ("/quit [text]", "no command /nope", "Not sent: “bad”"):
        assert words in told


def test_with_json_who_only_listens_prints_a_line_a_message_at_once(loopback_server):
    client = subprocess.Popen(
        command(loopback_server.port, "--listen", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with client:
        assert client.stdout is not None
        assert json.loads(client.stdout.readline())["t"] == "join"
        for text in ("one", "two\nlines"):
            loopback_server.act(lambda room, text=text: room.say("Bob", text))
            assert json.loads(client.stdout.readline())["text"] == text
        client.terminate()
        assert client.stdout.read() == b""
        assert client.wait(DEADLINE_S) == 143


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_politely_with_128_and_its_number(loopback_server, number):
    client = subprocess.Popen(command(loopback_server.port, "--listen"), stdout=subprocess.PIPE)
    with client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"Connected to the server!\n"
        client.send_signal(number)
        assert client.wait(DEADLINE_S) == 128 + number
    wait_for(lambda: loopback_server.room.goodbyes == 1)


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--listen"], 0), (["--listen", "--json"], 0), ([], 141)]
)
def test_a_reader_that_leaves_ends_it_quietly(loopback_server, arguments, code):
    """Who only listens leaves nothing undone; a pipe may have had more to say."""
    loopback_server.room.say("Bob", "for the first line of JSON")
    client = subprocess.Popen(
        command(loopback_server.port, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with client:
        assert client.stdout is not None
        assert client.stderr is not None
        client.stdout.readline()
        client.stdout.close()
        limit = time.monotonic() + DEADLINE_S
        while client.poll() is None and time.monotonic() < limit:
            loopback_server.act(lambda room: room.say("Bob", "anybody?"))
        assert client.returncode == code
        if "--json" not in arguments:
            assert client.stderr.read() == b""
    wait_for(lambda: loopback_server.room.goodbyes == 1)


def test_output_goes_on_while_the_input_stays_open(loopback_server):
    client = subprocess.Popen(
        command(loopback_server.port), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == b"Connected to the server!\n"
        client.stdin.write(b"one\n")
        client.stdin.flush()
        while client.stdout.readline() != b"Alice: one\n":
            pass
        loopback_server.act(lambda room: room.say("Bob", "two"))
        assert client.stdout.readline() == b"Bob: two\n"
        client.stdin.close()
        assert client.wait(DEADLINE_S) == 0


def test_over_losses_each_line_is_stored_and_shown_once(loopback_server):
    """RELIABILITY K3, with the waits of a real client: a few cuts here, any schedule in test_link_exactly_once."""
    client = subprocess.Popen(
        command(loopback_server.port), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with client:
        assert client.stdin is not None
        assert client.stdout is not None
        shown: list[str] = []
        for cut in range(3):
            for number in range(50):
                client.stdin.write(f"line {cut}-{number}\n".encode())
            client.stdin.flush()
            wait_for(lambda cut=cut: f"line {cut}-0" in loopback_server.room.stored)
            loopback_server.drop_connections()
            loopback_server.act(lambda room: room.say("Bob", "meanwhile"))
            # A client whose lines are all acknowledged leaves with the end of its input, back or not.
            while shown.count("Bob: meanwhile") <= cut:
                shown.append(client.stdout.readline().decode().removesuffix("\n"))
        client.stdin.close()
        shown += client.stdout.read().decode().splitlines()
        assert client.wait(DEADLINE_S) == 0
    expected = [f"line {cut}-{number}" for cut in range(3) for number in range(50)]
    assert [text for text in loopback_server.room.stored if text != "meanwhile"] == expected
    assert [line for line in shown if "line" in line and line.startswith("Alice")] == [
        f"Alice: {text}" for text in expected
    ]
    assert shown.count("Bob: meanwhile") == 3
    assert len([line for line in shown if line.startswith("── back after")]) == 3
