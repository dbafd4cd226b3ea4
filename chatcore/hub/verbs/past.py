"""Asking for what was said before: pages of a room, somebody's last lines, and search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub import names
from chatcore.hub.decision import Decision
from chatcore.hub.moments import at_ms
from chatcore.hub.pages import page_after, page_before
from chatcore.hub.reply import HistoryPage, Refusal, SearchPage, Wanted
from chatcore.hub.verbs.query import parse
from chatcore.hub.verbs.talk import member_room
from chatcore.log import archive

if TYPE_CHECKING:
    from chatcore.hub.command import History, Last, Search
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session

HISTORY_DEFAULT = 100
"""Lines of a page when nobody says how many: some screens full."""

HISTORY_MOST = 500
"""Lines of the longest page: at 4 KiB a line, 2 MiB that one request can make us render."""

LAST_DEFAULT = 10
"""Lines of `/last` when nobody says how many: what somebody just said, and what it was about."""

SEARCH_DEFAULT = 20
"""Lines found when nobody says how many: a screen, with the best one, the newest, at its top."""

SEARCH_MOST = 100
"""Lines of the longest answer to a search: each may stand in another corner of the disk."""


def decide_history(world: World, session: Session, command: History) -> Decision | Refusal:
    name = member_room(world, session, command.room)
    if type(name) is Refusal:
        return name
    if sum(each is not None for each in (command.before, command.after, command.since)) > 1:
        return Refusal("bad_field", "Give one of before, after and since, not several.")
    lines = _lines(command.limit, HISTORY_DEFAULT, HISTORY_MOST)
    if type(lines) is Refusal:
        return lines
    page = HistoryPage(name, (), False, world.now_ms, command.re)
    if command.after is not None:
        return _told(page_after(world, page, lines, after=command.after))
    if command.since is not None:
        since_ms = at_ms(command.since, world.now_ms)
        return _told(page_after(world, page, lines, since_ms=since_ms))
    before = world.past_seq + 1
    if command.before is not None:
        before = min(before, command.before)
    return _told(page_before(world, page, lines, before))


def decide_last(world: World, session: Session, command: Last) -> Decision | Refusal:
    """Whoever has that alias now: the lines are those that were said under it."""
    name = member_room(world, session, command.room)
    if type(name) is Refusal:
        return name
    lines = _lines(command.limit, LAST_DEFAULT, HISTORY_MOST)
    if type(lines) is Refusal:
        return lines
    page = HistoryPage(name, (), False, world.now_ms, command.re, by=command.alias)
    before = world.past_seq + 1
    return _told(page_before(world, page, lines, before, alias=names.fold(command.alias)))


def decide_search(world: World, session: Session, command: Search) -> Decision | Refusal:
    if not world.log.archived:
        return Refusal(
            "no_history",
            "This server keeps nothing on disk (--ephemeral), so there is nothing to search. "
            "/history shows what it remembers.",
        )
    query = parse(command)
    if type(query) is Refusal:
        return query
    lines = _lines(command.limit, SEARCH_DEFAULT, SEARCH_MOST)
    if type(lines) is Refusal:
        return lines
    streams = (*session.rooms, session.sid)
    if query.room is not None:
        room = member_room(world, session, query.room)
        if type(room) is Refusal:
            return room
        streams = (room,)
    head = world.past_seq
    question = archive.Search(
        query.words,
        streams,
        lines,
        head + 1,
        None if query.alias is None else names.fold(query.alias),
        None if query.since is None else at_ms(query.since, world.now_ms),
        None if query.before is None else at_ms(query.before, world.now_ms),
    )
    return _told(Wanted(question, SearchPage((), False, command.re), lines, head))


def _lines(limit: int | None, usual: int, most: int) -> int | Refusal:
    if limit is None:
        return usual
    if limit < 1:
        return Refusal("bad_field", f"The limit is a number from 1 to {most}.")
    return min(limit, most)


def _told(answer: HistoryPage | Wanted) -> Decision:
    return Decision(replies=(answer,))
