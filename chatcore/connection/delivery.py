"""Delivery: what has become durable goes to everyone who reads it, with one `send` a reader and tick.

Theory of operation. A reader is *live* when it has been sent everything up to `delivered_seq`, has no reply due,
and its socket took all of it. Live readers have no cursor of their own: theirs is `delivered_seq`. A tick's news
of a room is rendered once a wire form, and `push` gives every live reader of the room the same bytes: no work and
no memory for a message and a reader, only one system call for a reader.

Everyone else has a cursor (`Reader.position`) and is *pumped*: `Reader.pull` merges its streams and replies page
by page. A reader stops being live when its socket takes less than all, when a reply is due, when it joins or leaves a
room (until that is durable), or when two of its streams have news in one tick (they must be merged); it is live again
as soon as it has caught up. So `pull` defines delivery, `push` is its short cut, and a property test holds them equal.

A reader that needs what memory has let go of is *parked*: its question is with the archive, and it costs nothing
until the answer comes back and is sent. Nobody else waits for the disk.

This is the one place that is allowed to look clever: the loop in `_push` is where the server spends its time.
"""

from __future__ import annotations

from functools import partial
from itertools import repeat
from operator import call
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

from chatcore.connection.shared_file import SharedFile
from chatcore.log.archive import Stretch
from chatcore.log.stream import PAGE_BYTES, pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.connection.connection import Connection
    from chatcore.log.archive import Answer, Archive
    from chatcore.log.log import Log, News
    from chatcore.log.reader import Due, Form
    from chatcore.log.record import Record

    Send: TypeAlias = Callable[[bytes | memoryview], int]
    Way: TypeAlias = tuple[Form, bool]
    """What readers are sent, and whether they can share it (`Connection.shares`)."""
    Live: TypeAlias = dict[Connection, Send]
    Table: TypeAlias = dict[str, dict[Way, Live]]
    Page: TypeAlias = tuple[bytes, int]
    """What is sent at once, and the number of the last record in it."""

PAGES_A_TURN = 4
"""Pages sent to one reader that catches up before the others have their turn; its socket holds about two."""


PUMPS_S = 0.01
"""How long those with a cursor of their own are served in one turn; the rest of them in the next ones. What news have
taken before counts too: a turn with a send to everybody in a big room is long enough."""

PUMPS_LEAST_S = 0.003
"""The least that is left to them: a hundred pages, so that nobody waits for the others' news for ever."""

CLOCK_EVERY = 8
"""Readers served between two looks at the clock."""


class Delivered:
    """What delivery counts: once a page, never once a reader."""

    __slots__ = ("lines", "page_bytes", "pages", "push_bytes", "pushes", "records")

    def __init__(self) -> None:
        self.records = 0
        """Records that became durable."""
        self.lines = 0
        """Lines that people said in them."""
        self.pushes = 0
        """Sends of news to readers that are up to date."""
        self.push_bytes = 0
        self.pages = 0
        """Sends to readers with a cursor of their own: they catch up, or are answered."""
        self.page_bytes = 0


class Delivery:
    """See the module. `on_lost`, `on_done`, `on_finishing` tell of connections that broke, have finished, and are to."""

    def __init__(
        self,
        log: Log,
        archive: Archive | None,
        on_lost: Callable[[Connection, str], None],
        on_done: Callable[[Connection], None],
        on_finishing: Callable[[Connection], None],
    ) -> None:
        self._log = log
        self._archive = archive
        self._on_lost = on_lost
        self._on_done = on_done
        self._on_finishing = on_finishing
        self.delivered_seq = log.durable_seq
        self._single: Table = {}
        """Live readers that follow one stream, by stream and way: the dicts that `_push` runs over."""
        self._several: Table = {}
        """Live readers that follow more; each stands under all of its streams."""
        self._due: dict[Connection, None] = {}
        """Readers to pump at the end of this tick."""
        self._waiting: dict[Connection, None] = {}
        """Readers with a reply, an end, or an edge of a stream (`Reader.has_edge`) that waits for the disk."""
        self._parked: set[Connection] = set()
        """Readers whose next bytes the archive has been asked for."""
        self.behind: dict[Connection, float] = {}
        """Readers that have not caught up though they could, and since when (monotonic seconds)."""
        self._shared = SharedFile()
        self.delivered = Delivered()
        self.disk_failed = False
        """Nothing will become durable any more: who waits for it waits in vain."""

    # Who is live

    def detach(self, connection: Connection) -> None:
        """Give the reader a cursor of its own, and have it pumped at the end of the tick."""
        streams = connection.live_in
        if streams is not None:
            table = self._single if len(streams) == 1 else self._several
            way = (connection.reader.form, connection.shares)
            for name in streams:
                readers = table[name][way]
                del readers[connection]
                if not readers:
                    del table[name][way]
                    if not table[name]:
                        del table[name]
            connection.live_in = None
            connection.reader.position = self.delivered_seq
        if not connection.writing:
            self._due[connection] = None

    def _attach(self, connection: Connection) -> None:
        """It has caught up: from now on news are pushed to it."""
        reader = connection.reader
        streams = tuple(each.stream.name for each in reader.subscriptions)
        table = self._single if len(streams) == 1 else self._several
        way = (reader.form, connection.shares)
        for name in streams:
            table.setdefault(name, {}).setdefault(way, {})[connection] = connection.send
        connection.live_in = streams
        # Or it would be pumped from a position that no longer moves.
        self._due.pop(connection, None)
        self._waiting.pop(connection, None)

    def finish(self, connection: Connection) -> None:
        """To be closed when it has been sent everything decided until now, also what is not durable yet."""
        connection.finishing = True
        connection.due_seq = self._log.head_seq
        self.detach(connection)
        self._on_finishing(connection)

    def forget(self, connection: Connection) -> None:
        """It is being closed."""
        self.detach(connection)
        self._due.pop(connection, None)
        self._waiting.pop(connection, None)
        self._parked.discard(connection)
        self.behind.pop(connection, None)

    def fulfil(self, connection: Connection, due: Due, data: bytes) -> None:
        """A promised reply has its bytes."""
        connection.reader.fulfil(due, data)
        self._waiting.pop(connection, None)
        if not connection.writing:
            self._due[connection] = None

    # The tick

    def deliver(self, news: News) -> None:
        """Send what has just become durable, and whatever else is due."""
        end = monotonic() + PUMPS_S
        if news.records:
            self._deliver_news(news)
        if self._due:
            end = max(end, monotonic() + PUMPS_LEAST_S)
            for number, connection in enumerate(list(self._due), 1):
                # One by one: a fault that ends this here leaves the others due.
                self._due.pop(connection, None)
                if not (connection.writing or connection.closing):
                    self._pump(connection)
                if not number % CLOCK_EVERY and monotonic() >= end:
                    break

    def _deliver_news(self, news: News) -> None:
        """Push each stream's news to its live readers."""
        streams = news.streams
        if len(streams) > 1:
            self._detach_mergers(streams)
        durable = self._log.durable_seq
        self.delivered.records += len(news.records)
        self.delivered.lines += news.lines
        work = [
            (name, way, readers)
            for name in streams
            for table in (self._single, self._several)
            for way, readers in table.get(name, {}).items()
        ]
        rendered: dict[tuple[str, Form], tuple[Page, ...]] = {}
        try:
            while work:
                name, (form, share), readers = work[-1]
                if (name, form) not in rendered:
                    # All of them first: a fault in rendering the second would not know who has the first.
                    rendered[name, form] = tuple(_pages(form, streams[name], durable))
                self._push(rendered[name, form], readers, share=share)
                work.pop()
        finally:
            # Only a fault leaves any: those that it kept from their news go on with a cursor of their own.
            for _, _, readers in work:
                for connection in list(readers):
                    self.detach(connection)
            self.delivered_seq = durable
            self._due |= self._waiting
            self._waiting.clear()

    def has_due(self) -> bool:
        """A reader catches up and could go on at once."""
        return bool(self._due)

    def _detach_mergers(self, streams: dict[str, list[Record]]) -> None:
        """Readers with news in more than one stream get them merged by `seq`, which only `pull` does."""
        seen: set[Connection] = set()
        mergers: set[Connection] = set()
        for name in streams:
            for readers in self._several.get(name, {}).values():
                mergers |= seen & readers.keys()
                seen |= readers.keys()
        for connection in mergers:
            self.detach(connection)

    def _push(self, news: tuple[Page, ...], readers: Live, *, share: bool) -> None:
        """The same bytes to every live reader of a stream. Whoever does not take all of them is live no more."""
        before = self.delivered_seq
        counted = self.delivered
        for data, position in news:
            size = len(data)
            counted.pushes += len(readers)
            counted.push_bytes += len(readers) * size
            sent: list[int] = []
            broken: dict[int, str] = {}
            try:
                sends = self._shared.sends(data, readers) if share else None
                if sends is None:
                    sends = map(call, readers.values(), repeat(data))
                # One call in C for all; what it had appended before a send raises stays, and it goes on behind that.
                while len(sent) < len(readers):
                    try:
                        sent.extend(sends)
                    except BlockingIOError:
                        sent.append(0)
                    except OSError as error:
                        broken[len(sent)] = error.strerror or "connection error"
                        sent.append(0)
            finally:
                if sum(sent) < size * len(readers):
                    self._part(readers, sent, broken, data, before, position)
            before = position

    def _part(
        self,
        readers: Live,
        sent: list[int],
        broken: dict[int, str],
        data: bytes,
        before: int,
        after: int,
    ) -> None:
        """Not every reader took all of it: those that did not get a cursor of their own. After a fault in one send they
        all do, where they are: that reader, which it ends, and those behind it were not asked, or not to the end."""
        connections = list(readers)
        unasked = connections[len(sent) :]
        for index, (connection, count) in enumerate(zip(connections, sent, strict=False)):
            if count == len(data) and not unasked:
                continue
            self.detach(connection)
            connection.reader.position = after
            if index in broken:
                self._on_lost(connection, broken[index])
            else:
                self._hold(connection, memoryview(data)[count:])
        for connection in unasked:
            self.detach(connection)
            connection.reader.position = before
        if unasked:
            self._on_lost(unasked[0], "internal error")

    def _hold(self, connection: Connection, rest: memoryview | bytes) -> None:
        """The socket is full: keep what it did not take, and wait until it takes more."""
        connection.pending = rest
        if rest and not connection.closing:
            connection.writing = True
            self._note_behind(connection)
            self._due.pop(connection, None)
            connection.interest()

    def _note_behind(self, connection: Connection) -> None:
        if connection not in self.behind:
            self.behind[connection] = monotonic()

    @property
    def durable_seq(self) -> int:
        return self._log.durable_seq

    @property
    def parked(self) -> int:
        """Readers that wait for the archive."""
        return len(self._parked)

    def writable(self, connection: Connection) -> None:
        """A full socket takes bytes again."""
        connection.writing = False
        connection.interest()
        self._pump(connection)

    def _pump(self, connection: Connection) -> None:
        """Send what is due to a reader with a cursor of its own; one that cannot be served, by a fault, is closed."""
        if connection in self._parked:
            return
        served = False
        try:
            self._pump_pages(connection)
            served = True
        finally:
            if not served:
                self._on_lost(connection, "internal error")

    def _pump_pages(self, connection: Connection) -> None:
        """Page by page, until it has caught up, its socket is full, or others should have their turn."""
        reader = connection.reader
        for _ in range(PAGES_A_TURN):
            data = connection.pending or reader.pull(self._log.durable_seq)
            if not data:
                if reader.wants is not None and self._archive is not None:
                    self._parked.add(connection)
                    self._note_behind(connection)
                    self._archive.ask(reader.wants, partial(self._unpark, connection))
                else:
                    self._caught_up(connection)
                return
            try:
                sent = connection.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._on_lost(connection, error.strerror or "connection error")
                return
            self.delivered.pages += 1
            self.delivered.page_bytes += sent
            if sent != len(data):
                self._hold(connection, memoryview(data)[sent:])
                return
            connection.pending = b""
        self._note_behind(connection)
        self._due[connection] = None

    def _unpark(self, connection: Connection, answer: Answer) -> None:
        """The archive has answered; the reader may be gone, or finishing."""
        if connection not in self._parked:
            return
        self._parked.discard(connection)
        if type(answer) is not Stretch:
            self._on_lost(connection, f"its history cannot be read: {answer}")
            return
        connection.reader.take(answer)
        connection.pending = answer.data
        self._pump(connection)

    def _caught_up(self, connection: Connection) -> None:
        if self.behind:
            self.behind.pop(connection, None)
        waits = connection.reader.owed or connection.due_seq > self._log.durable_seq
        if waits and not self.disk_failed:
            self._waiting[connection] = None
        elif connection.finishing:
            self._on_done(connection)
        elif connection.reader.has_edge:
            # What is pushed goes to all who follow the stream: it would see what came before it did, or after it left.
            self._waiting[connection] = None
        else:
            self._attach(connection)


def _pages(form: Form, records: list[Record], until: int) -> Iterable[Page]:
    """A tick's news nearly always fit one page."""
    data = b"".join(map(form.record, records))
    if len(data) > PAGE_BYTES:
        return pages(records, form.record, until)
    return ((data, until),) if data else ()
