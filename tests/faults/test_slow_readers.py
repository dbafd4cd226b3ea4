"""One who does not read: nobody else waits or loses anything, and nothing is lost to them within the window."""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Plain, Server, Start

SMALL_BUFFER = 4096
"""Of the one who does not read, so that few lines fill it."""

WORDS = "x" * 200
RSS_KIB_A_LINE = 1.0
"""What the window may keep for a line; a queue of its own for the stalled reader would be more."""

RSS_KIB_STALLED = 2048
READ_S = 60.0
QUESTIONS = b"/help\n" * 10_000
MUCH = 50_000_000
"""Bytes that no socket's buffers take."""


def numbers(lines: Sequence[str], alias: str) -> list[int]:
    """The numbers of the lines that somebody said."""
    found = (re.match(rf"{alias}: (\d+) ", line) for line in lines)
    return [int(match[1]) for match in found if match]


def say(sender: Plain, first: int, count: int) -> None:
    """Numbered lines, in pieces, each seen by the sender before the next: nothing piles up on its side."""
    for begin in range(first, first + count, 100):
        piece = range(begin, min(begin + 100, first + count))
        sender.send(*(f"{number} {WORDS}" for number in piece))
        sender.read_until(f": {piece[-1]} ", READ_S)


def drained(clients: Sequence[Plain], marker: str) -> list[threading.Thread]:
    """Threads in which each of the clients reads up to the marker."""
    threads = [
        threading.Thread(target=client.read_until, args=(marker, READ_S)) for client in clients
    ]
    for thread in threads:
        thread.start()
    return threads


def check_wake_up(start: Start, server: Server, patience: float, readers: int, lines: int) -> None:
    """F1 within the window."""
    others = start.crowd(readers)
    sender, stalled = start.plain("Sender"), start.plain("Stalled", receive_buffer=SMALL_BUFFER)
    sender.settle()
    threads = drained(others, "^Sender: the end$")
    before_kib = server.rss_kib
    began = time.monotonic()
    say(sender, 0, lines)
    sender.send("the end")
    for thread in threads:
        thread.join(READ_S * patience)
    all_s = time.monotonic() - began
    grown_kib = server.rss_kib - before_kib
    for client in others:
        assert numbers(client.lines, "Sender") == list(range(lines))
    began = time.monotonic()
    stalled.read_until("^Sender: the end$", READ_S)
    print(
        f"\n{readers} readers, {lines} lines: {all_s:.2f} s; the stalled one woke and read in "
        f"{time.monotonic() - began:.4f} s; server RSS +{grown_kib} KiB"
    )
    assert numbers(stalled.lines, "Sender") == list(range(lines))
    assert not any("missed" in line for line in stalled.lines)
    assert grown_kib <= RSS_KIB_STALLED + lines * RSS_KIB_A_LINE
    stalled.send("awake again")
    sender.read_until("^Stalled: awake again$")
    assert stalled.read_until("awake") == ["Stalled: awake again"]


def test_a_stalled_reader_wakes_to_every_line_once_and_in_order(
    start: Start, server: Server, patience: float
) -> None:
    check_wake_up(start, server, patience, readers=99, lines=3_000)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_stalled_reader_of_a_thousand_wakes_to_every_line_once(
    start: Start, server: Server, patience: float
) -> None:
    check_wake_up(start, server, patience, readers=999, lines=3_000)


def test_a_reader_beyond_the_window_is_told_how_many_lines_it_missed(
    start: Start, server: Server
) -> None:
    """The window of a room is 8 MiB; half as much again is said while one does not read."""
    lines, words = 4_000, "y" * 3_000
    bob = start.plain("Bob")
    sender, stalled = start.plain("Sender"), start.plain("Stalled", receive_buffer=SMALL_BUFFER)
    sender.settle()
    threads = drained([bob], "^Sender: the end$")
    for begin in range(0, lines, 100):
        sender.send(*(f"{number} {words}" for number in range(begin, begin + 100)))
        sender.read_until(f": {begin + 99} ")
    sender.send("the end")
    threads[0].join(READ_S)
    assert numbers(bob.lines, "Sender") == list(range(lines))
    stalled.read_until("^Sender: the end$", READ_S)
    got = numbers(stalled.lines, "Sender")
    told = [re.fullmatch(r"— ([\d,]+) lines? missed —", line) for line in stalled.lines]
    missed = [int(match[1].replace(",", "")) for match in told if match]
    print(f"\nsent {lines}, read {len(got)}, told of {missed} missed; RSS {server.rss_kib} KiB")
    assert missed
    assert got == sorted(set(got))
    assert len(got) + sum(missed) == lines
    at = next(index for index, match in enumerate(told) if match)
    before, after = numbers(stalled.lines[:at], "Sender"), numbers(stalled.lines[at:], "Sender")
    assert after[0] - before[-1] - 1 == missed[0]
    assert stalled.settle() == []


def test_a_native_reader_beyond_the_window_is_told_in_a_gap(start: Start, server: Server) -> None:
    lines, words = 4_000, "y" * 3_000
    sender, stalled = start.plain("Sender"), start.native("Stalled", receive_buffer=SMALL_BUFFER)
    sender.settle()
    for begin in range(0, lines, 100):
        sender.send(*(f"{number} {words}" for number in range(begin, begin + 100)))
        sender.read_until(f": {begin + 99} ")
    sender.send("the end")
    stalled.read_until(lambda message: message.get("text") == "the end", READ_S)
    gaps = [message for message in stalled.messages if message["t"] == "gap"]
    got = [int(text.split()[0]) for text in stalled.texts()[:-1]]
    assert gaps
    assert got == sorted(set(got))
    assert len(got) + sum(gap["missed"] for gap in gaps) == lines
    for gap in gaps:
        after = stalled.messages[stalled.messages.index(gap) + 1]
        assert (gap["room"], gap["next"]) == ("#lobby", after["seq"])


def test_many_who_never_read_cost_the_server_little_and_the_others_nothing(
    start: Start, server: Server
) -> None:
    stalled = [start.plain(f"s{number}", receive_buffer=SMALL_BUFFER) for number in range(50)]
    sender = start.plain("Sender")
    say(sender, 0, 1_000)
    before_kib = server.rss_kib
    say(sender, 1_000, 2_000)
    grown_kib = server.rss_kib - before_kib
    print(f"\n50 stalled readers, 2,000 lines more: server RSS +{grown_kib} KiB")
    assert grown_kib <= RSS_KIB_STALLED + 2_000 * RSS_KIB_A_LINE
    assert numbers(sender.lines, "Sender") == list(range(3_000))
    for client in stalled:
        client.close()
    sender.read_until("^s49 has left")


def test_who_never_reads_the_answers_is_not_decided_further_and_the_others_go_on(
    start: Start, server: Server
) -> None:
    """It asks for help as fast as it can, and reads nothing: its own questions wait, in its own socket."""
    greedy, bob = start.plain("Greedy", receive_buffer=SMALL_BUFFER), start.plain("Bob")
    before_kib = server.rss_kib
    greedy.sock.settimeout(0.5)
    took = 0
    with suppress(TimeoutError):
        while took < MUCH:
            took += greedy.sock.send(QUESTIONS)
    assert took < MUCH, "it is held back by its own socket"
    bob.send("hi")
    bob.read_until("^Bob: hi$")
    grown_kib = server.rss_kib - before_kib
    print(f"\n{took} bytes of questions, answers unread: server RSS +{grown_kib} KiB")
    assert grown_kib <= RSS_KIB_STALLED
    assert not greedy.is_gone()
