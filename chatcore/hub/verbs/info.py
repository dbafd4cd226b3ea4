"""Asking: for help, for what was said before, for a sign of life."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from chatcore.hub.decision import Decision, first_lines_after, last_lines
from chatcore.hub.reply import HistoryPage, Pong, Refusal
from chatcore.hub.verbs.talk import member_room
from chatcore.log.stream import Stream

if TYPE_CHECKING:
    from chatcore.hub.command import History, Mistake, Ping
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session

HISTORY_DEFAULT = 100
"""Lines of a page when nobody says how many: some screens full."""

HISTORY_MOST = 500
"""Lines of the longest page: at 4 KiB a line, 2 MiB that one request can make us render."""


def decide_history(world: World, session: Session, command: History) -> Decision | Refusal:
    name = member_room(world, session, command.room)
    if type(name) is Refusal:
        return name
    if sum(each is not None for each in (command.before, command.after, command.since)) > 1:
        return Refusal("bad_field", "Give one of before, after and since, not several.")
    lines = HISTORY_DEFAULT if command.limit is None else min(command.limit, HISTORY_MOST)
    if lines < 1:
        return Refusal("bad_field", f"The limit is a number from 1 to {HISTORY_MOST}.")
    stream = world.log.streams.get(name) or Stream(name)
    head = world.log.head_seq
    if command.after is not None or command.since is not None:
        after = (
            command.after if command.after is not None else _seq_before(stream, command.since or 0)
        )
        records, more = first_lines_after(stream, after, head, lines)
    else:
        before = head + 1 if command.before is None else command.before
        records, more = last_lines(stream, before, lines, talk_only=False)
    return Decision(replies=(HistoryPage(name, records, more, world.now_ms, command.re),))


def _seq_before(stream: Stream, time_ms: int) -> int:
    """The last `seq` of the stream before that time; times never decrease in it."""
    records = stream.records
    low, high = 0, len(records)
    while low < high:
        middle = (low + high) // 2
        if records[middle].time_ms < time_ms:
            low = middle + 1
        else:
            high = middle
    return records[low].seq - 1 if low < len(records) else stream.newest_seq()


def decide_ping(world: World, session: Session, command: Ping) -> Decision:
    return Decision(replies=(Pong(command.re),))


def decide_mistake(world: World, session: Session, command: Mistake) -> Refusal:
    return command.refusal


def unknown_command(name: str, known: list[str], sign: str) -> Refusal:
    """The refusal of a command that does not exist, with the one that was probably meant."""
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {sign}{near[0]}?" if near else f"{sign}help lists the commands."
    return Refusal("unknown_command", f"There is no command {sign}{name}. {hint}")
