"""A scripted conversation of all four clients, through the real programs: what was said, and who read it.

Ends with 0 only if everybody read every line that was meant for them, and nobody a line that was not.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).parent.parent
PEOPLE = ("Alice", "Bob", "Carol", "Dave")
PATIENCE_S = 15.0
"""How long any one line may take: a hundred times what it needs on a slow machine."""
LOOK_EVERY_S = 0.02


class Step(NamedTuple):
    """Somebody types `typed`; `readers` then read `read`."""

    who: str
    typed: str
    read: str
    readers: tuple[str, ...] = PEOPLE


CONVERSATION = (
    Step("Alice", "Hello, everyone!", "Alice: Hello, everyone!"),
    Step("Bob", "Hi Alice. Is this thing fast?", "Bob: Hi Alice. Is this thing fast?"),
    Step("Carol", "/me waves from the back row", "* Carol waves from the back row"),
    Step("Dave", "/topic What shall we build?", "Dave set the topic: What shall we build?"),
    Step(
        "Alice",
        "/msg Bob this is between us",
        "[Alice -> Bob] this is between us",
        ("Alice", "Bob"),
    ),
    Step("Carol", "/nick Caro", "Carol is now known as Caro"),
    Step("Dave", "ünïcödé, 漢字 and 👍 arrive whole", "Dave: ünïcödé, 漢字 and 👍 arrive whole"),
    Step("Bob", "/quit gone fishing", "Bob has left the chat room! (gone fishing)"),
    Step("Dave", "Bye, Bob", "Dave: Bye, Bob", ("Alice", "Carol", "Dave")),
)


class Failed(Exception):
    """Somebody did not read what they should have; says who and what."""


class Client:
    """One of the real client scripts, with what it printed so far."""

    def __init__(self, number: int, name: str, address: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [
                sys.executable,
                f"clients/client_{number}.py",
                address,
                "--color",
                "never",
                "--time",
                "none",
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        self.lines.extend(line.rstrip("\n") for line in iter(stream.readline, ""))

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_for(self, line: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while line not in self.lines:
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} did not read: {line}")
            time.sleep(LOOK_EVERY_S)

    def leave(self) -> int:
        """End its input and wait: a piped client leaves when everything is acknowledged."""
        assert self.process.stdin is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()
        return self.process.wait(PATIENCE_S)


def start_server() -> tuple[subprocess.Popen[str], str]:
    server = subprocess.Popen(
        [sys.executable, "server_1.py", "--ephemeral", "--port", "0", "--log-level", "warning"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert server.stdout is not None
    found = re.search(r"listening on (\S+)", server.stdout.readline())
    if found is None:
        server.kill()
        raise Failed("the server did not start")
    return server, found[1]


def converse(clients: dict[str, Client]) -> None:
    """Play the conversation, printing each line with a mark for everybody who read it."""
    width = max(len(step.read) for step in CONVERSATION)
    print(f"{'':{width}}  {'  '.join(PEOPLE)}")
    for step in CONVERSATION:
        clients[step.who].type(step.typed)
        for name in step.readers:
            clients[name].wait_for(step.read)
        marks = "  ".join(
            ("read" if name in step.readers else "-").center(len(name)) for name in PEOPLE
        )
        # What is wide on a screen counts as two columns here; near enough for a table.
        print(f"{step.read:{width}}  {marks}", flush=True)


def check_nobody_else_read(clients: dict[str, Client]) -> None:
    for step in CONVERSATION:
        for name in PEOPLE:
            times = clients[name].lines.count(step.read)
            wanted = 1 if name in step.readers else 0
            if times != wanted:
                raise Failed(f"{name} read {times} times instead of {wanted}: {step.read}")


def main() -> int:
    server, address = start_server()
    clients: dict[str, Client] = {}
    try:
        print(f"A server at {address}, and four clients: {', '.join(PEOPLE)}.\n")
        for number, name in enumerate(PEOPLE, 1):
            clients[name] = Client(number, name, address)
            for each in clients.values():
                each.wait_for(f"{name} has connected to the chat room")
        converse(clients)
        codes = [client.leave() for client in clients.values()]
        if any(codes):
            raise Failed(f"the clients ended with {codes} instead of zeros")
        check_nobody_else_read(clients)
    except (Failed, subprocess.TimeoutExpired, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        for process in [*(client.process for client in clients.values()), server]:
            if process.poll() is None:
                process.terminate()
                process.wait(PATIENCE_S)
    print(
        "\nEverybody read every line that was meant for them, once, and nobody a line that was not."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
