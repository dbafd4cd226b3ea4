"""The round in which the disk is full: everything said is refused with a reason, and later accepted again."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from .process import DEADLINE_S, ROOT, Failed, Server, tool
from .verdict import Account, History, Verdict, judge
from .wire import Asker, Message, Wire, form

if TYPE_CHECKING:
    from collections.abc import Callable


ROOM = "#lobby"
DISK_MIB = 16
WORDS = "x" * 500
BEFORE, DURING, AFTER = 200, 500, 200
"""Lines said in the three parts of the round."""

TO_FILL = 20_000
"""Lines within which a disk without a free byte must be noticed: what is left of the -wal takes 4 MiB of them."""

MOST_MIB = 16
"""By how much the server's memory may grow while the disk is full."""

PING: tuple[Message, ...] = ({"t": "ping"},)
QUESTIONS: tuple[Message, ...] = (
    *PING,
    {"t": "who"},
    {"t": "rooms"},
    {"t": "history", "room": ROOM, "limit": 5},
)
"""What is answered while nothing can be stored. Before that is known, all but the ping wait for what was said before."""


class NoSmallDisk(Exception):
    """This machine, or who we are on it, does not allow one. The words are the system's."""


class SmallDisk:
    """A file system in memory, of a few MiB, that only processes in its own mount namespace see."""

    def __init__(self, folder: Path) -> None:
        """Raises NoSmallDisk when that cannot be had: it takes root, or leave to make a user namespace."""
        if shutil.which("unshare") is None or shutil.which("nsenter") is None:
            raise NoSmallDisk("there is no unshare and nsenter here")
        folder.mkdir()
        self.path = folder
        mine = os.geteuid() == 0
        unshare = ["unshare", "--mount", *([] if mine else ["--map-root-user"])]
        mount = f'mount -t tmpfs -o size={DISK_MIB}m none "$0" && echo mounted && exec cat'
        self._holder = subprocess.Popen(
            [*unshare, "sh", "-c", mount, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if not self._holder.stdout.readline():
            _, words = self._holder.communicate()
            raise NoSmallDisk(words.decode().strip())
        user = [] if mine else ["--user", "--preserve-credentials"]
        self.under = ("nsenter", "--mount", *user, f"--target={self._holder.pid}", f"--wd={ROOT}")
        self.outside = Path(f"/proc/{self._holder.pid}/root{folder}")
        """The same folder for us; not for SQLite, which resolves links by itself and ends up beside it."""

    def fill(self) -> None:
        """Not a byte is left."""
        with (self.outside / "filler").open("wb", buffering=0) as file:
            for size in (1024 * 1024, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def make_room(self) -> None:
        (self.outside / "filler").unlink()

    def close(self) -> None:
        self._holder.communicate()


class Sender(Account):
    """Says numbered lines one after the other, and notes what becomes of each."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__("sender", (ROOM,), sees_all=True)
        self.refused: dict[str, Message] = {}
        self.answered = 0
        """Questions."""
        self._wire = Wire(address)
        self._wire.send(form("hello", v=1, alias=self.name, rooms=self.rooms))
        self.read_until(lambda message: message["t"] == "welcome")

    @property
    def unanswered(self) -> int:
        return self.said - len(self.acked) - len(self.refused)

    def say(self, count: int) -> None:
        """So many lines, without waiting."""
        for _ in range(count):
            self.said += 1
            line = f"{self.name}-{self.said}"
            self._wire.send(form("say", id=line, room=ROOM, text=f"{line} {WORDS}"))

    def ask(self, questions: tuple[Message, ...]) -> None:
        """Returns when all are answered."""
        for number, question in enumerate(questions):
            self._wire.send(form(**question, re=number))
        awaited = set(range(len(questions)))

        def was_last(message: Message) -> bool:
            awaited.discard(message.get("re", -1))
            return not awaited

        self.read_until(was_last)
        self.answered += len(questions)

    def read_until(self, wanted: Callable[[Message], object]) -> None:
        """Read what comes, up to a message for which it holds."""
        end, found = time.monotonic() + DEADLINE_S, False
        while not found:
            if time.monotonic() > end:
                raise Failed(f"{self.unanswered} lines of {self.said} without an answer")
            for message in self._wire.messages():
                self._note(message)
                found = found or bool(wanted(message))

    def _note(self, message: Message) -> None:
        if message["t"] == "say":
            line = message["text"].partition(" ")[0]
            self.seen.append((message["seq"], line))
            self.acked[line] = message["seq"]
        elif message["t"] == "refused":
            self.refused[message["id"]] = message

    def close(self) -> None:
        self._wire.close()


def full_round(folder: Path) -> Verdict:
    """Raises NoSmallDisk where there can be none."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as opened:
        disk = opened.enter_context(closing(SmallDisk(folder / "disk")))
        data = disk.path / "data"
        server = opened.enter_context(closing(Server(folder, data=data, under=disk.under)))
        sender = opened.enter_context(closing(Sender(server.address)))
        notes, faults = _break(disk, server, sender)
        checked = tool("check", "--data", str(data), under=disk.under)
        server.kill()
        again = Server(folder, server.address[1], data=data, under=disk.under)
        opened.enter_context(closing(again))
        asker = opened.enter_context(closing(Asker(again.address, "Asker", (ROOM,))))
        history = History({ROOM: asker.history(ROOM)})
    verdict = judge(history, [sender])
    verdict.notes += notes
    verdict.faults += faults
    verdict.faults += [
        f"{line} was refused and stored" for line in sender.refused if line in history.place
    ]
    if checked.returncode:
        verdict.faults.append(f"chatcore check: {checked.stderr.strip()}")
    return verdict


def _break(disk: SmallDisk, server: Server, sender: Sender) -> tuple[list[str], list[str]]:
    """Fill the disk, look what becomes of what is said and asked, make room. What was measured, and what is wrong."""
    faults = []
    sender.say(BEFORE)
    sender.read_until(lambda _: not sender.unanswered)
    before_kib = server.rss_kib
    disk.fill()
    while not sender.refused and sender.said < TO_FILL:
        sender.say(1)
        sender.ask(PING)
    stored, unanswered = len(sender.acked), sender.unanswered
    for _ in range(DURING):
        sender.say(1)
        sender.ask(QUESTIONS)
    if len(sender.acked) != stored:
        faults.append("acknowledged while the disk was full")
    if len(sender.refused) <= DURING or any(
        each["code"] != "storage_full" or "full" not in each["words"]
        for each in sender.refused.values()
    ):
        faults.append(f"{len(sender.refused)} refused, not all as storage_full with a reason")
    grown_mib = (server.rss_kib - before_kib) / 1024
    if grown_mib > MOST_MIB:
        faults.append(f"memory grew by more than {MOST_MIB} MiB")
    disk.make_room()
    refused, pause, end = len(sender.refused), threading.Event(), time.monotonic() + DEADLINE_S
    sender.read_until(lambda _: sender.unanswered == 0)
    while len(sender.acked) == stored + unanswered and time.monotonic() < end:
        sender.say(1)
        sender.read_until(lambda _: not sender.unanswered)
        pause.wait(0.01)
    sender.say(AFTER)
    sender.read_until(lambda _: not sender.unanswered)
    notes = [f"acknowledged {len(sender.acked):,}, refused {refused:,}"]
    notes.append(
        f"{sender.answered:,} questions answered meanwhile, server memory +{grown_mib:.1f} MiB"
    )
    return notes, faults
