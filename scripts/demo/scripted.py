"""Four people talk through the four client scripts, and a table says who read what: `scripts/demo.sh --scripted`.

Each client is a process of its own, with pipes in the place of a keyboard and a screen. Every line is awaited where
it is due; at the end each person's lines are compared with those that were meant for them: once, in one order.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("Alice", "Bob", "Carol", "Dave")
DEADLINE_S = 10.0
"""For a step that takes milliseconds."""

END_S = 5.0
"""Until a process that was asked to end is killed."""

READ_BYTES = 64 * 1024
TEXT_COLUMNS = 50
SIGNS = {"read": "✓", "nothing": "·", "missing": "✗", "doubled": "‼"}
ASCII_SIGNS = {"read": "x", "nothing": ".", "missing": "MISSING", "doubled": "TWICE"}

LISTENING = re.compile(r"listening on (\S+:\d+)")
TO_ONE_PERSON = re.compile(r"-- |Connected to the server!$")
"""Answers and notices of the server to a person; everything else is of the room."""


class DemoError(Exception):
    """What did not happen, as a sentence."""


class Program:
    """A process, and the lines it has printed. Ended by `close`, whatever happened."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self.name = name
        self.lines: list[str] = []
        self.ended = False
        self._partial = b""
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if name == "server" else subprocess.STDOUT,
            bufsize=0,
        )
        assert self.process.stdout is not None
        self.fd = self.process.stdout.fileno()

    def take(self) -> None:
        """Read once; it is known that there is something, or the end."""
        data = os.read(self.fd, READ_BYTES)
        self.ended = not data
        *whole, self._partial = (self._partial + data).split(b"\n")
        self.lines += (line.decode(errors="replace") for line in whole)

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{line}\n".encode())
        except BrokenPipeError as error:
            raise DemoError(f"{self.name}'s client has ended before its time") from error

    def end_input(self) -> None:
        """As Ctrl-D on an empty line."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()

    def ends(self) -> None:
        """Wait for its end; anything but success is an error."""
        try:
            code = self.process.wait(END_S)
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"{self.name} does not end") from error
        if code:
            raise DemoError(f"{self.name} ended with the exit code {code}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.end_input()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Room:
    """The server and those who are there; `happens` waits for a line and tells who read it."""

    def __init__(self) -> None:
        self.people: dict[str, Program] = {}
        self.alias = {name: name for name in NAMES}
        """What each is called now."""
        self._there: list[str] = []
        self._due: dict[str, list[str]] = {name: [] for name in NAMES}
        self._signs = SIGNS if _can_print("".join(SIGNS.values())) else ASCII_SIGNS
        self._selector = selectors.DefaultSelector()
        self._server = Program("server", ["server_1.py", "--ephemeral", "--port", "0"])
        self._watch(self._server)

    def opens(self) -> str:
        """Wait until the server listens; its address."""

        def address() -> str:
            found = LISTENING.search("\n".join(self._server.lines))
            return found[1] if found else ""

        if not self._until(lambda: address() != ""):
            raise DemoError("the server does not say where it listens")
        return address()

    def comes(self, name: str, address: str) -> None:
        number = NAMES.index(name) + 1
        person = Program(name, [f"clients/client_{number}.py", address])
        self.people[name] = person
        self._watch(person)
        self._there.append(name)
        self.happens(f"{name} has connected to the chat room")

    def says(self, name: str, typed: str, line: str, readers: Sequence[str] = ()) -> None:
        self.people[name].type(typed)
        self.happens(line, readers)

    def sleeps_while(self, name: str, speaker: str, texts: Sequence[str]) -> None:
        """The program of one stands still while another speaks to all; then it reads what has waited for it."""
        sleeper = self.people[name]
        lines = [f"{speaker}: {text}" for text in texts]
        sleeper.process.send_signal(signal.SIGSTOP)
        for text in texts:
            self.people[speaker].type(text)
        awake = [self.people[each] for each in self._there if each != name]
        seen = self._until(lambda: all(lines[-1] in person.lines for person in awake))
        sleeper.process.send_signal(signal.SIGCONT)
        if not seen:
            raise DemoError(f"nobody read {lines[-1]} while {name} slept")
        print(
            f"  ({name}'s client stood still until the others had read the next {len(lines)} lines)"
        )
        for line in lines:
            self.happens(line)

    def leaves(self, name: str, typed: str | None = None) -> None:
        """By a command, or by the end of the input."""
        self._there.remove(name)
        if typed:
            self.people[name].type(typed)
        else:
            self.people[name].end_input()
        words = f" ({typed.partition(' ')[2]})" if typed else ""
        if self._there:
            self.happens(f"{self.alias[name]} has left the chat room!{words}")
        self.people[name].ends()

    def happens(self, line: str, readers: Sequence[str] = ()) -> None:
        """Wait until the readers (everybody who is there) have the line, and print its row."""
        readers = readers or self._there
        for name in readers:
            self._due[name].append(line)
        seen = self._until(lambda: all(line in self.people[name].lines for name in readers))
        signs = [self._sign(name, line, due=name in readers) for name in NAMES]
        print(f"  {line:<{TEXT_COLUMNS}}" + "".join(f"{sign:^7}" for sign in signs).rstrip())
        if not seen:
            missing = [name for name in readers if line not in self.people[name].lines]
            raise DemoError(f"{' and '.join(missing)} did not read: {line}")

    def check(self) -> int:
        """Everybody has read what was meant for them: nothing less, nothing else, once, in order. How many lines."""
        for name, person in self.people.items():
            self._until(lambda person=person: person.ended)
            own_end = f"{self.alias[name]} has left the chat room!"
            read = [
                line
                for line in person.lines
                if not TO_ONE_PERSON.match(line) and not line.startswith(own_end)
            ]
            if read != self._due[name]:
                raise DemoError(
                    f"{name} read other lines than were meant for {name}:\n  read   {read}\n  meant  {self._due[name]}"
                )
        return len({line for lines in self._due.values() for line in lines})

    def stops(self) -> None:
        self._server.process.terminate()
        self._server.ends()

    def close(self) -> None:
        for program in (*self.people.values(), self._server):
            program.close()
        self._selector.close()

    def _sign(self, name: str, line: str, *, due: bool) -> str:
        count = self.people[name].lines.count(line) if name in self._there else 0
        if count > 1:
            return self._signs["doubled"]
        if count:
            return self._signs["read"]
        return self._signs["missing" if due else "nothing"]

    def _watch(self, program: Program) -> None:
        self._selector.register(program.fd, selectors.EVENT_READ, program)

    def _until(self, condition: Callable[[], bool]) -> bool:
        """Read what comes until the condition holds; False after the deadline."""
        end = time.monotonic() + DEADLINE_S
        while not condition():
            left_s = end - time.monotonic()
            if left_s <= 0 or not self._selector.get_map():
                return False
            for key, _ in self._selector.select(left_s):
                key.data.take()
                if key.data.ended:
                    self._selector.unregister(key.fd)
        return True


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def conversation(room: Room, address: str) -> None:
    for name in NAMES:
        room.comes(name, address)
    say = room.says
    say("Bob", "Hello, everyone!", "Bob: Hello, everyone!")
    say("Alice", "Hi Bob! Tea at four?", "Alice: Hi Bob! Tea at four?")
    say("Carol", "/me puts the kettle on", "* Carol puts the kettle on")
    say("Dave", "/topic tea at four", "Dave set the topic: tea at four")
    say("Alice", "/msg Bob bring the cake", "[Alice -> Bob] bring the cake", ("Alice", "Bob"))
    say("Bob", "What cake?", "Bob: What cake?")
    say("Carol", "/nick Caz", "Carol is now known as Caz")
    room.alias["Carol"] = "Caz"
    say("Carol", "It is me, Carol", "Caz: It is me, Carol")
    room.sleeps_while("Dave", "Alice", ["Is Dave asleep?", "He will read this when he wakes"])
    say("Dave", "I am here, and missed nothing", "Dave: I am here, and missed nothing")
    room.leaves("Dave", "/quit off to the shop")
    for name in ("Carol", "Bob", "Alice"):
        room.leaves(name)


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    began = time.monotonic()
    room = Room()
    try:
        address = room.opens()
        print(f"A server on {address}, and the four scripts in clients/. Who read what:\n")
        print(" " * (TEXT_COLUMNS + 2) + "".join(f"{name:^7}" for name in NAMES).rstrip())
        conversation(room, address)
        lines = room.check()
        room.stops()
    except DemoError as error:
        print(f"\nThe demo failed: {error}", flush=True)
        return 1
    finally:
        room.close()
    seconds = time.monotonic() - began
    print(f"\n{lines} lines in {seconds:.1f} s.", end=" ")
    print("Everybody read every line meant for them: once, in the same order.")
    print("The direct message was read by its two people only.")
    return 0


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    try:
        code = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BrokenPipeError:
        # Its reader has seen enough (`| head`). Python would flush, and complain, once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    sys.exit(code)
