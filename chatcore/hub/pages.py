"""Pages of a room's history: made of what memory has, and below that of what the archive will find.

Invariant: a page is the same wherever its lines are kept. What memory can answer alone it answers; otherwise the
reply is a `Wanted`, with the newer part as it was when the question was decided. Without an archive, what memory has
let go of is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub.names import Folded, fold
from chatcore.hub.reply import HistoryPage, Refusal, Refused, SearchPage, Wanted
from chatcore.log.archive import Found, Past, Search, Unreadable
from chatcore.log.paging import SCANNED_ON_JOIN, first_page, last_page
from chatcore.log.record import Said, last_seq, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chatcore.hub.decision import World
    from chatcore.hub.reply import Reply
    from chatcore.log.archive import Answer
    from chatcore.log.record import Record
    from chatcore.log.stream import Stream


def recent(world: World, room: str) -> HistoryPage | Wanted | None:
    """The last lines said, for somebody who joins. None where nothing was said."""
    there = world.state.named.get(room)
    if there is None or not there.history or not world.history_on_join:
        return None
    page = HistoryPage(room, (), False, world.now_ms, asked=False)
    before = world.past_seq + 1
    found = page_before(world, page, world.history_on_join, before, talk_only=True)
    return found if isinstance(found, Wanted) or found.records else None


def page_before(
    world: World,
    page: HistoryPage,
    lines: int,
    before: int,
    *,
    talk_only: bool = False,
    alias: Folded | None = None,
) -> HistoryPage | Wanted:
    """The last `lines` before a `seq`: all, or only what was said, or what was said under an alias."""
    stream = world.log.peek(page.room)
    records: Iterable[Record] = stream.before(before)
    if alias is not None:
        records = _said_by(records, alias)
    found, more = last_page(records, lines, talk_only=talk_only)
    page = page._replace(records=found, more=more)
    before = min(before, _floor(world, stream) + 1)
    # A room with so many comings and goings was not looked through to the end of memory.
    is_cut = talk_only and len(stream.records) > SCANNED_ON_JOIN
    if more or before <= 1 or is_cut:
        return page
    # With the page full, one line more tells whether there are others.
    missing = max(1, lines - sum(map(lines_of, found)))
    # Lines of one alias are found by the index, however far back they are.
    question = (
        Past(page.room, missing, before, talk_only=talk_only)
        if alias is None
        else Search((), (page.room,), missing, before, alias)
    )
    return Wanted(question, page, lines, before - 1)


def page_after(
    world: World,
    page: HistoryPage,
    lines: int,
    *,
    after: int | None = None,
    since_ms: int | None = None,
) -> HistoryPage | Wanted:
    """The first `lines` after a `seq`, or from a time on; one of the two is given."""
    stream = world.log.peek(page.room)
    floor_seq = _floor(world, stream)
    begin = after if after is not None else _seq_before(stream, since_ms or 0)
    found, more = first_page(stream.after(max(begin, floor_seq), world.past_seq), lines)
    page = page._replace(records=found, more=more)
    if begin >= floor_seq:
        return page
    question = Past(page.room, lines, floor_seq + 1, after=after, since_ms=since_ms)
    return Wanted(question, page, lines, floor_seq)


def complete(wanted: Wanted, answer: Answer) -> Reply:
    """The page that was wanted, of what the archive found and what memory had."""
    page, question = wanted.page, wanted.question
    if isinstance(answer, Unreadable):
        return Refused(Refusal("history_unreadable", answer.words), None, page.re)
    assert isinstance(answer, Found)
    if isinstance(page, SearchPage):
        return page._replace(records=answer.records, more=answer.more)
    if isinstance(question, Search):  # the newest first
        answer = answer._replace(records=answer.records[::-1])
    records = answer.records + page.records
    if isinstance(question, Search) or (question.after is None and question.since_ms is None):
        records, more = last_page(reversed(records), wanted.lines)
        return page._replace(records=records, more=more or answer.more)
    if answer.more:
        # There are lines between those found and those in memory.
        return page._replace(records=answer.records, more=True)
    records, more = first_page(records, wanted.lines)
    return page._replace(records=records, more=more or page.more)


def _floor(world: World, stream: Stream) -> int:
    """The last `seq` that only the archive can tell of."""
    return stream.floor_seq if world.log.archived else 0


def _said_by(records: Iterable[Record], alias: Folded) -> Iterator[Record]:
    # Folding costs more than all the rest, and a room has few aliases.
    folded: dict[str, bool] = {}
    for record in records:
        if type(record) is Said:
            is_theirs = folded.get(record.alias)
            if is_theirs is None:
                is_theirs = folded[record.alias] = fold(record.alias) == alias
            if is_theirs:
                yield record


def _seq_before(stream: Stream, time_ms: int) -> int:
    """The last kept `seq` of the stream before that time, 0 if none is; times never decrease in it."""
    records = stream.records
    low, high = 0, len(records)
    while low < high:
        middle = (low + high) // 2
        if records[middle].time_ms < time_ms:
            low = middle + 1
        else:
            high = middle
    return last_seq(records[low - 1]) if low else 0
