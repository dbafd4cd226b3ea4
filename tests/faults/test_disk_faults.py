"""A disk that fails, is full, slow, or locked: nothing is acknowledged that is not stored, and nobody else waits.

The faults are real ones: `strace` makes the system call fail or wait, a small file system is full, another process
holds the lock. Where that is not possible the tests are skipped, but not in CI.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from chatcore.log.journal import CLOSE_S
from scripts.prove.disk import PING, QUESTIONS, ROOM, NoSmallDisk, Sender, SmallDisk, full_round
from scripts.prove.process import Server, tool
from scripts.prove.verdict import History, judge
from scripts.prove.wire import Asker, Ended, Wire, form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scripts.prove.verdict import Verdict
    from scripts.prove.wire import Message

CALL = "fdatasync"
"""With what SQLite makes a commit durable here."""

GOOD_CALLS = 30
"""Of each thread, before the fault: of the writer, about as many lines."""

FAILING_US = 300_000
SLOW_S = 2
SLOW_CALLS = 3
STORAGE_FAILED = 74

HOLDER = """\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


def cannot(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a server that has run once: the calls that make the files are behind it."""
    with closing(Server(tmp_path / "server")) as server:
        assert server.stop() == 0
    return tmp_path / "server"


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes the connections when the test is over."""
    with ExitStack() as stack:
        yield stack


def strace(fault: str) -> list[str]:
    """Run something so that from the `GOOD_CALLS`th on its `CALL`s have this fault."""
    if shutil.which("strace") is None:
        cannot("there is no strace here")
    inject = f"inject={CALL}:{fault}"
    # -D: the tracer is the one who stands aside, so that what is killed, and whose end counts, is the server.
    return ["strace", "-D", "-f", "-qq", "-o", os.devnull, "-e", f"trace={CALL}", "-e", inject]


def kept(server: Server) -> History:
    with closing(Asker(server.address, "Asker", (ROOM,))) as asker:
        return History({ROOM: asker.history(ROOM)})


def passes(verdict: Verdict, server: Server) -> None:
    print(f"\n{verdict}")
    assert verdict.tried
    assert (verdict.lost, verdict.doubled, verdict.reordered, verdict.faults) == (0, 0, 0, [])
    assert "Traceback" not in server.log
    checked = tool("check", "--data", str(server.data))
    assert (checked.returncode, checked.stderr) == (0, "")


def test_after_a_failed_fsync_nothing_is_acknowledged_and_the_server_leaves(
    folder: Path, opened: ExitStack
) -> None:
    """D3. The call takes its time to fail: who acknowledges before it knows would do so meanwhile."""
    failing = f"error=EIO:delay_enter={FAILING_US}:when={GOOD_CALLS}+"
    with closing(Server(folder, under=strace(failing))) as server:
        reader = opened.enter_context(closing(Wire(server.address)))
        sender = opened.enter_context(closing(Sender(server.address)))
        reader.send(b"Reader\n")
        said: list[Message] = []
        while not any(message["t"] == "bye" for message in said):
            sender.say(1)
            sender.read_until(
                lambda message: said.append(message) or message["t"] in ("say", "bye")
            )
        heard = read_to_end(reader)
        code = server.ends()
        words = [line for line in server.log.splitlines() if "disk failed" in line]
    last_words = (
        "-- The server could not write to its disk and is stopping: nothing after this was stored."
    )
    print(f"\n{len(sender.acked)} lines, then: {words}")
    assert code == STORAGE_FAILED
    assert "Traceback" not in server.log
    assert len(words) == 1
    assert "SQLITE_IOERR" in words[0]
    assert said[-1] == {"t": "bye", "reason": "storage"}
    assert len(sender.acked) == sender.said - 1 >= GOOD_CALLS // 2
    assert heard[-1] == last_words
    lines = [line.partition(": ")[2].partition(" ")[0] for line in heard if ": sender-" in line]
    assert lines == list(sender.acked), "nobody saw the line that could not be stored"
    with closing(Server(folder, server.address[1])) as server:
        sender.sees_all = False  # the last line may have reached the file: nobody was told so
        passes(judge(kept(server), [sender]), server)


def read_to_end(wire: Wire) -> list[str]:
    heard: list[str] = []
    try:
        while True:
            heard += wire.lines()
    except Ended:
        return [line for line in heard if line]


def test_a_full_disk_refuses_with_a_reason_and_recovers_by_itself(tmp_path: Path) -> None:
    """D4."""
    try:
        SmallDisk(tmp_path / "try").close()
    except NoSmallDisk as reason:
        cannot(f"no file system can be mounted here: {reason}")
    verdict = full_round(tmp_path / "round")
    print(f"\n{verdict}")
    assert (verdict.lost, verdict.doubled, verdict.reordered, verdict.faults) == (0, 0, 0, [])


def test_while_a_commit_hangs_everybody_else_is_answered(folder: Path, opened: ExitStack) -> None:
    """D5. How often a ping was answered between a line and its acknowledgement: a healthy disk leaves time for few."""
    when = f"{GOOD_CALLS}..{GOOD_CALLS + SLOW_CALLS - 1}"
    fault = f"delay_enter={SLOW_S * 1_000_000}:when={when}"
    with closing(Server(folder, under=strace(fault))) as server:
        sender = opened.enter_context(closing(Sender(server.address)))
        other = opened.enter_context(closing(Asker(server.address, "Other", (ROOM,))))
        hung, worst_s, pings = 0, 0.0, 0
        for _ in range(3 * GOOD_CALLS):
            sender.say(1)
            meanwhile = 0
            while sender.unanswered:
                began = time.monotonic()
                other.wait_for(form("ping", re=pings), "re", pings)
                worst_s = max(worst_s, time.monotonic() - began)
                sender.ask(PING)
                pings, meanwhile = pings + 1, meanwhile + 1
            hung += meanwhile > 50
        print(f"\n{pings} pings, worst {worst_s * 1000:.0f} ms; {hung} commits hung for {SLOW_S} s")
        assert hung >= SLOW_CALLS
        server.kill()
    with closing(Server(folder, server.address[1])) as server:
        passes(judge(kept(server), [sender]), server)


def test_a_disk_that_hangs_does_not_keep_a_server_that_is_told_to_stop(
    folder: Path, opened: ExitStack
) -> None:
    """All who wait for the disk have one patience together, so that the end comes in the 5 s that are promised."""
    with closing(Server(folder, under=strace(f"delay_enter={SLOW_S * 1_000_000}"))) as server:
        sender = opened.enter_context(closing(Sender(server.address)))
        sender.say(3)
        sender.read_until(lambda _: not sender.unanswered)
        server.stop()
        ends = [line for line in server.log.splitlines() if '"event": "stopp' in line]
        stopping, stopped = (datetime.fromisoformat(json.loads(each)["time"]) for each in ends[-2:])
    took_s = (stopped - stopping).total_seconds()
    print(f"\nleft {took_s:.1f} s after it was told to")
    assert took_s < CLOSE_S + 1, "people were told at once, and the rest is the disk's"
    with closing(Server(folder, server.address[1])) as server:
        passes(judge(kept(server), [sender]), server)


@pytest.fixture
def lock(folder: Path) -> Iterator[Callable[[], Callable[[], None]]]:
    """`release = lock()`: another process holds the log until `release()`."""
    holders: list[subprocess.Popen[bytes]] = []

    def begin() -> Callable[[], None]:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder / "data" / "chatcore.db")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        holders.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        return lambda: holder.communicate() and None

    yield begin
    for holder in holders:
        if holder.returncode is None:
            holder.kill()
            holder.communicate()


def test_a_locked_log_refuses_with_a_reason_and_recovers_by_itself(
    folder: Path, opened: ExitStack, lock: Callable[[], Callable[[], None]]
) -> None:
    """D6. Twice, and with a kill while it is locked: what was not acknowledged may be gone, nothing else."""
    with closing(Server(folder)) as server:
        sender = opened.enter_context(closing(Sender(server.address)))
        for _ in range(2):
            sender.say(50)
            sender.read_until(lambda _: not sender.unanswered)
            release, before = lock(), len(sender.refused)
            while len(sender.refused) < before + 50:
                sender.say(1)
                sender.ask(QUESTIONS if len(sender.refused) > before else PING)
            acked = len(sender.acked)
            release()
            sender.read_until(lambda _: not sender.unanswered)
            while len(sender.acked) < acked + 50:
                sender.say(1)
                sender.read_until(lambda _: not sender.unanswered)
        lock()
        sender.say(1)
        sender.ask(PING)
        server.kill()
    refused = list(sender.refused.values())
    assert {message["code"] for message in refused} == {"storage_full"}
    assert all("locked by another program" in message["words"] for message in refused)
    print(f"\n{len(sender.acked)} acknowledged, {len(refused)} refused, {sender.answered} answered")


def test_after_a_lock_and_a_kill_only_what_was_not_acknowledged_is_gone(
    folder: Path, opened: ExitStack, lock: Callable[[], Callable[[], None]]
) -> None:
    with closing(Server(folder)) as server:
        sender = opened.enter_context(closing(Sender(server.address)))
        sender.say(100)
        sender.read_until(lambda _: not sender.unanswered)
        release = lock()
        sender.say(20)
        sender.ask(PING)
        server.kill()
    assert len(sender.acked) == 100
    release()
    with closing(Server(folder, server.address[1])) as server:
        history = kept(server)
        assert len(history.order) == 100
        passes(judge(history, [sender]), server)
