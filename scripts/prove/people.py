"""People who talk and read through whatever happens: when their connection breaks, they make a new one.

`Talker` speaks the native dialect as a good client does: it returns with its token and position, and says again,
with the same ids, what was not acknowledged. `Typist` is somebody with `nc`: nothing is said twice, so what was
under way when the connection broke was said or not. Each runs in a thread of its own; what it was told is read
when that has ended.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from itertools import islice
from typing import TYPE_CHECKING

from .process import DEADLINE_S, Failed
from .verdict import Account, word
from .wire import Ended, Wire, form

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .wire import Message

RETRY_S = 0.005
"""Between two tries to connect: the first after a restart should come while the server is hardly there."""

THE_END = "end-0"
"""The text that ends a round: whoever has read it in all rooms has read everything."""

LOOK_S = 0.01
"""Between two looks at whether something has happened."""

RECORDS = {"say", "me", "join", "leave", "nick", "topic", "crowd"}


class Person(Account, ABC):
    """One who talks, or only reads when `window` is 0."""

    entitled = False
    """`sees_all` of this kind of people."""

    def __init__(
        self,
        name: str,
        address: tuple[str, int],
        rooms: tuple[str, ...],
        *,
        window: int = 0,
        most: int | None = None,
        padding: int = 0,
        receive_buffer: int = 0,
        wire: Callable[[tuple[str, int], int], Wire] = Wire,
    ) -> None:
        """`window`: lines said and not acknowledged at a time. `most`: lines to say in all; None: until `hush`.
        `padding`: characters behind the word of each line. `receive_buffer`: as for `Wire`.
        `wire`: makes a connection."""
        super().__init__(name, rooms, self.entitled)
        self.returns = 0
        self.joined = threading.Event()
        self.quiet = False
        """Has nothing to say any more, and waits for no acknowledgement. Its thread says so, and it stays so."""
        self._address = address
        self._window = window
        self._most = most
        self._padding = f" {'x' * padding}" if padding else ""
        self._receive_buffer = receive_buffer
        self._wire = wire
        self._hushed = threading.Event()
        self._awake = threading.Event()
        self._awake.set()
        self._ends: set[str] = set()
        self._under_way: dict[str, bytes] = {}
        """What is said and not acknowledged, as it was sent, in order."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hush(self) -> None:
        """Say nothing new from now on."""
        self._hushed.set()

    def nap(self) -> None:
        """Read nothing from now on, until `wake`; but for what is already on its way."""
        self._awake.clear()

    def wake(self) -> None:
        self._awake.set()

    def join(self) -> None:
        """Wait until it has read the end."""
        self._thread.join(DEADLINE_S * 4)
        if self._thread.is_alive():
            self.faults.append(f"{self.name} still reads")

    def _run(self) -> None:
        try:
            while self._ends != set(self.rooms):
                try:
                    wire = self._connect()
                    try:
                        self._live(wire)
                    finally:
                        wire.close()
                except Ended:
                    self._gone()
        except Failed as failure:
            self.faults.append(f"{self.name}: {failure}")

    def _connect(self) -> Wire:
        end, pause = time.monotonic() + DEADLINE_S, threading.Event()
        while True:
            try:
                return self._wire(self._address, self._receive_buffer)
            except Ended as error:
                if time.monotonic() > end:
                    raise Failed(f"cannot connect: {error}") from error
                pause.wait(RETRY_S)

    @abstractmethod
    def _live(self, wire: Wire) -> None:
        """One connection: join, then `_talk`. Returns when the end has been read."""

    def _gone(self) -> None:
        """The connection is over."""

    def _talk(self, wire: Wire, take: Callable[[], None]) -> None:
        """Say what may be said, have the next lines taken, and so on."""
        while self._ends != set(self.rooms):
            before = len(self._under_way)
            while self._wants_to_say and len(self._under_way) < self._window:
                self.said += 1
                line = f"{self.name}-{self.said}"
                self._under_way[line] = self._form(line, line + self._padding)
            wire.send(b"".join(islice(self._under_way.values(), before, None)))
            self.quiet = not (self._wants_to_say or self._under_way)
            self._awake.wait()
            take()

    @property
    def _wants_to_say(self) -> bool:
        if self._hushed.is_set() or not self._window:
            return False
        return self._most is None or self.said < self._most

    @abstractmethod
    def _form(self, line: str, text: str) -> bytes:
        """How it is said."""


class Talker(Person):
    """See the module. Talks in all of its rooms in turn."""

    entitled = True
    _after = 0
    _welcome: Message | None = None

    def _live(self, wire: Wire) -> None:
        hello: dict[str, object] = {"v": 1, "alias": self.name, "rooms": self.rooms}
        if self._welcome is not None:
            hello |= {key: self._welcome[key] for key in ("token", "log")} | {"after": self._after}
        # In one piece, before anything is read: also what is stored already, and only its acknowledgement was lost.
        wire.send(form("hello", **hello) + b"".join(self._under_way.values()))
        self._take(wire.messages())
        self._talk(wire, lambda: self._take(wire.messages()))

    def _form(self, line: str, text: str) -> bytes:
        room = self.rooms[self.said % len(self.rooms)]
        return form("say", id=line, room=room, text=text)

    def _take(self, messages: Sequence[Message]) -> None:
        for message in messages:
            kind = message["t"]
            if kind in RECORDS:
                self._after = max(self._after, message["seq"])
            if kind == "say":
                self._hear(message)
            elif kind == "ack":
                self._is_stored(message["id"], message["seq"])
            elif kind == "welcome":
                self._arrive(message)
            elif kind in ("refused", "gap"):
                raise Failed(str(message))

    def _hear(self, message: Message) -> None:
        line = word(message["text"])
        if line == THE_END:
            self._ends.add(message["room"])
            return
        self.seen.append((message["seq"], line))
        assert self._welcome is not None
        if message["sid"] == self._welcome["sid"]:
            self._is_stored(message["id"], message["seq"])

    def _is_stored(self, line: str, seq: int) -> None:
        self._under_way.pop(line, None)
        if self.acked.setdefault(line, seq) != seq:
            self.faults.append(f"{line} was acknowledged as {self.acked[line]} and as {seq}")

    def _arrive(self, message: Message) -> None:
        if self._welcome is None:
            self._after = message["seq"]
        else:
            self.returns += 1
            if not message["resumed"]:
                self.faults.append(f"{self.name} came back as a stranger")
        self._welcome = message
        self.joined.set()


class Typist(Person):
    """See the module. In one room."""

    def _live(self, wire: Wire) -> None:
        wire.send(f"{self.name}\n".encode())
        rest = self._read_past_join(wire)
        if self.rooms != ("#lobby",):
            wire.send(f"/join {self.rooms[0]}\n".encode())
            rest = self._read_past_join(wire)
        self.joined.set()
        self._take(rest)
        self._talk(wire, lambda: self._take(wire.lines()))

    def _form(self, line: str, text: str) -> bytes:
        return f"{text}\n".encode()

    def _read_past_join(self, wire: Wire) -> list[str]:
        """The lines behind the one that tells everybody; in big rooms it names only some of those who came."""
        while True:
            lines = wire.lines()
            for at, line in enumerate(lines):
                if line.endswith(" connected to the chat room") and not line.startswith("["):
                    return lines[at + 1 :]
                if "taken" in line or "held" in line:
                    raise Failed(f"not let in: {line}")

    def _take(self, lines: Sequence[str]) -> None:
        for each in lines:
            name, colon, text = each.partition(": ")
            if "missed" in each:
                raise Failed(f"told of a gap: {each}")
            if not colon or each.startswith(("[", "-- ")):
                continue
            line = word(text)
            if line == THE_END:
                self._ends.add(self.rooms[0])
                continue
            self.seen.append((None, line))
            if name == self.name:
                self.acked[line] = None
                self._under_way.pop(line, None)

    def _gone(self) -> None:
        """What was under way was said or not; nobody can know, and nothing is said again."""
        self._under_way.clear()
        self.returns += 1


def wait_for(condition: Callable[[], object], accounts: Sequence[Account], what: str) -> None:
    """Look until it holds. Raises Failed when it does not, or when one of the people gave up."""
    end, pause = time.monotonic() + DEADLINE_S * 4, threading.Event()
    while not condition():
        for account in accounts:
            if account.faults:
                raise Failed(account.faults[0])
        if time.monotonic() > end:
            raise Failed(f"not in time: {what}")
        pause.wait(LOOK_S)
