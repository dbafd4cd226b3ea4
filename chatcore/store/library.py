"""The library: the older end of the log, read for the loop by a thread of its own.

The loop asks and goes on; the thread reads with a connection that cannot write, and the answer comes back as a
call in the loop. Questions are answered one after the other (`waiting` says whose turn it is), and each has a bound on
what it may read (`batches.QUESTION_BYTES`): whoever asks for much asks again, and others get their turn between.

Invariants: a page holds exactly the lines that the same page of an unbounded memory would hold, and the stretches
of a reader that is behind, put together, are the bytes that `chatcore.log.reader.Reader.pull` would have given it, with a
notice in the place of what is deleted (`history.keep_days`, `history.keep_records`).
Whatever the disk does, every question gets an answer and the thread goes on.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, assert_never

from chatcore.log.archive import Found, Past, Rest, Search, Stretch, Unreadable
from chatcore.log.journal import CLOSE_S
from chatcore.log.paging import first_page, last_page
from chatcore.log.record import Said, is_room
from chatcore.log.shelf import Pages, Shelf
from chatcore.log.stream import pages
from chatcore.store.batches import Allowance, Batches, Span
from chatcore.store.schema import StoreError
from chatcore.store.search import Finder
from chatcore.store.waiting import Request, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chatcore.log.archive import Answer, Question

SHELF_BYTES = 6 * 1024 * 1024
"""Of all pages on the library's shelf: some 80,000 lines of the usual length. Readers that a busy room has left behind by
up to 200,000 lines came back in 7 s with 4 MiB and in 4 s with 16; 6 leave the server's memory where it is promised."""

UNREADABLE = (
    StoreError,
    sqlite3.Error,
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    MemoryError,
)
"""What reading may raise when the files are gone, damaged, or hold other things than a server wrote there. All of it is
answered: whoever asks waits, and nothing that comes after would ever be sent."""

logger = logging.getLogger("chatcore.store")


class Library:
    """The `Archive` on disk; see the module.

    `call` has a function run in the loop and may be used from any thread. Begins at once: the log need not exist
    yet. Close it before the loop goes.
    """

    def __init__(
        self, path_log: Path, path_index: Path, call: Callable[[Callable[[], None]], None]
    ) -> None:
        self._path_log = path_log
        self._path_index = path_index
        self._call = call
        self._asked: SimpleQueue[Request | None] = SimpleQueue()
        self._waiting = Waiting()
        self._closing = False
        self._batches: Batches | None = None
        self._finder = Finder(path_index)
        self._pages = Pages(Shelf(SHELF_BYTES))
        self._thread = threading.Thread(target=self._run, name="library", daemon=True)
        self._thread.start()

    def ask(self, question: Question, then: Callable[[Answer], None]) -> None:
        """See `chatcore.log.archive.Archive`. What is asked after `close` is not answered."""
        self._asked.put(Request(question, then))

    def close(self, patience_s: float = CLOSE_S) -> None:
        """Let go. Waits for the question that is being answered; those behind it are not answered."""
        self._closing = True
        self._asked.put(None)
        self._thread.join(patience_s)

    def _run(self) -> None:
        with suppress(
            *UNREADABLE
        ):  # now, while there are descriptors; if not now, then with the first question
            self._batches = Batches(self._path_log)
        while (request := self._next()) is not None:
            self._call(partial(request.then, self._answer(request.question)))
        self._let_go()

    def _next(self) -> Request | None:
        """Whose turn it is, when there is somebody; None: it is time to let go."""
        waiting = self._waiting
        while not (waiting and self._asked.empty()):
            request = self._asked.get()
            if request is None or self._closing:
                return None
            waiting.add(request)
        return waiting.take()

    def _answer(self, question: Question) -> Answer:
        try:
            if self._batches is None:
                self._batches = Batches(self._path_log)
            return self._read(self._batches, question)
        except UNREADABLE as error:
            # Opened anew for the next question: what was wrong may be over, and the file another one.
            self._let_go()
            self._pages = Pages(Shelf(SHELF_BYTES))
            logger.warning("the history on disk cannot be read: %s", error)
            return Unreadable(
                f"The history on disk cannot be read: {str(error).rstrip('.')}. Try again later; "
                "`chatcore check` tells the administrator more."
            )

    def _let_go(self) -> None:
        self._finder.close()
        if self._batches is not None:
            self._batches.close()
            self._batches = None

    def _read(self, batches: Batches, question: Question) -> Answer:
        match question:
            case Past():
                return past(batches, question)
            case Rest():
                return rest(batches, question, self._pages)
            case Search():
                return self._finder.find(batches, question)
            case _:
                assert_never(question)


def past(batches: Batches, question: Past) -> Found:
    """A page of one stream. `more` may also mean that the search ended at its bound: a filter matched too rarely."""
    after = batches.kept_from - 1
    forwards = question.after is not None or question.since_ms is not None
    if question.after is not None:
        after = max(after, question.after)
    if question.since_ms is not None:
        after = max(after, batches.seq_at(question.since_ms) - 1)
    allowance = Allowance()
    span = Span(question.stream, after, question.before)
    records = batches.records([span], allowance, newest_first=not forwards)
    if forwards:
        if question.talk_only:
            records = (each for each in records if type(each) is Said)
        found, more = first_page(records, question.lines)
    else:
        found, more = last_page(records, question.lines, talk_only=question.talk_only)
    return Found(found, more or allowance.spent)


def rest(batches: Batches, question: Rest, pages_of_others: Pages) -> Stretch:
    """The next page of a reader that is behind, and where it ends; from the shelf, if another one has just read it."""
    position, until = question.position, question.until
    # What two readers must have in common to be given the same page: their streams, that each of them had joined those
    # before it begins, and where they left them.
    kind = (
        question.form,
        tuple((stream, max(after - position, 0), left) for stream, after, left in question.parts),
    )
    pages_of_others.drop(batches.kept_from - 1)
    data, last = pages_of_others.page(
        kind, position, until, lambda end: _page(batches, question, end)
    )
    # Asked last: what is deleted while this is read may be missing in it.
    kept_from = batches.kept_from
    if gaps := _gaps(question, kept_from):
        return Stretch(gaps, min(kept_from - 1, until))
    return Stretch(data, last)


def _page(batches: Batches, question: Rest, end: int) -> tuple[bytes, int]:
    """The page that the question is for, up to `end` at most, and where it ends."""
    spans = [
        Span(
            stream,
            max(question.position, after),
            1 + (end if left is None else min(left, end)),
        )
        for stream, after, left in question.parts
    ]
    allowance = Allowance()
    records = batches.records(spans, allowance)
    data, last = next(pages(records, question.form.record, end), (b"", end))
    # Only the last page ends at `end`: there is nothing left up to there, or we may not read on.
    return data, allowance.reached if last == end and allowance.spent else last


def _gaps(question: Rest, kept_from: int) -> bytes:
    """A notice in each room of which the reader did not come to what is deleted by now; how many lines that were, nobody
    knows any more."""
    position, until, form = question.position, question.until, question.form
    next_seq = min(kept_from, until + 1)
    return b"".join(
        form.gap(stream, 0, next_seq)
        for stream, after, left in question.parts
        if is_room(stream)
        and max(position, after) + 1 < min(next_seq, next_seq if left is None else left + 1)
    )
