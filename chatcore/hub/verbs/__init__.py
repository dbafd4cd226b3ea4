"""The table of commands: everything that a person can ask, one row each.

Rows of `TABLE` stand in the order in which `/help` and the README list them. `decide` finds the row of a command
by the command's type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub.command import (
    Announce,
    Away,
    Ban,
    Bans,
    Dm,
    Help,
    History,
    Invite,
    Join,
    Kick,
    Lag,
    Last,
    Lock,
    Mistake,
    Modlog,
    Mute,
    Nick,
    Op,
    Oper,
    Part,
    Ping,
    Quit,
    Rooms,
    Say,
    Search,
    Topic,
    Unban,
    Unmute,
    Who,
)
from chatcore.hub.decision import Decision
from chatcore.hub.reply import HelpPage, HelpRow, Refusal
from chatcore.hub.verbs.info import decide_lag, decide_mistake, decide_ping, unknown_command
from chatcore.hub.verbs.moderation import (
    decide_announce,
    decide_ban,
    decide_bans,
    decide_kick,
    decide_modlog,
    decide_mute,
    decide_unban,
    decide_unmute,
)
from chatcore.hub.verbs.oper import decide_oper
from chatcore.hub.verbs.past import decide_history, decide_last, decide_search
from chatcore.hub.verbs.people import decide_away, decide_nick, decide_quit
from chatcore.hub.verbs.room_moderation import decide_invite, decide_lock, decide_op
from chatcore.hub.verbs.rooms import (
    decide_join,
    decide_part,
    decide_rooms,
    decide_topic,
    decide_who,
)
from chatcore.hub.verbs.table import Kind, Param, Verb
from chatcore.hub.verbs.talk import decide_dm, decide_say

if TYPE_CHECKING:
    from chatcore.hub.command import Command
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session
    from chatcore.hub.verbs.table import Decide


def _say(text: str, room: str | None = None, id: str | None = None) -> Say:  # noqa: A002 - the wire's name
    return Say(room, text, 1, () if id is None else (id,))


def _me(text: str, room: str | None = None, id: str | None = None) -> Say:  # noqa: A002 - the wire's name
    return Say(room, text, 1, () if id is None else (id,), me=True)


def _op(name: str, room: str | None = None) -> Op:
    return Op(name, room)


def _deop(name: str, room: str | None = None) -> Op:
    return Op(name, room, take=True)


def _decide_help(world: World, session: Session, command: Help) -> Decision | Refusal:
    if command.command is None:
        rows = tuple(HelpRow(verb.name, verb.usage, verb.summary) for verb in TABLE)
        return Decision(replies=(HelpPage(rows, command.re),))
    name = command.command.removeprefix("/")
    verb = BY_NAME.get(name)
    if verb is None:
        return unknown_command(name, [*PLAIN], "/")
    return Decision(
        replies=(HelpPage((HelpRow(verb.name, verb.usage, verb.summary),), command.re),)
    )


_NAME, _WORDS, _ID, _NUMBER, _TIME = Kind.NAME, Kind.WORDS, Kind.ID, Kind.NUMBER, Kind.TIME
_ROOM_NATIVE = Param("room", _NAME, plain=False)
_ID_NATIVE = Param("id", _ID, plain=False)
_ROOM = Param("room", Kind.ROOM, required=False)
_FOR = Param("for", Kind.SPAN, required=False, field="for_ms")
_REASON = Param("text", _WORDS, required=False)

TABLE: tuple[Verb, ...] = (
    Verb(
        "help",
        (Param("command", _NAME, required=False),),
        Help,
        _decide_help,
        "/help [command]",
        "lists the commands, or explains one",
        tells_state=False,
    ),
    Verb(
        "join",
        (
            Param("room", _NAME),
            Param("topic", _WORDS, required=False),
            Param("key", _NAME, required=False, plain=False),
        ),
        Join,
        decide_join,
        "/join #room [topic]",
        "goes to another room, and makes it if it is new; a locked one: /join #room KEY",
    ),
    Verb("part", (Param("room", _NAME),), Part, decide_part, "", "leaves a room"),
    Verb("rooms", (), Rooms, decide_rooms, "/rooms", "lists the rooms, the fullest first"),
    Verb(
        "who",
        (Param("room", _NAME, required=False, plain=False),),
        Who,
        decide_who,
        "/who",
        "says who is in the room",
    ),
    Verb(
        "msg",
        (Param("to", _NAME), Param("text", _WORDS), Param("id", _ID, plain=False)),
        Dm,
        decide_dm,
        "/msg NAME text",
        "says something to one person only",
        native=False,
    ),
    Verb(
        "dm",
        (Param("to", _NAME), Param("text", _WORDS), _ID_NATIVE),
        Dm,
        decide_dm,
        "",
        "to one person only",
    ),
    Verb(
        "say",
        (_ROOM_NATIVE, _ID_NATIVE, Param("text", _WORDS)),
        _say,
        decide_say,
        "",
        "says a line in a room",
    ),
    Verb(
        "me",
        (_ROOM_NATIVE, _ID_NATIVE, Param("text", _WORDS)),
        _me,
        decide_say,
        "/me text",
        "says what you do: * Alice waves",
    ),
    Verb("nick", (Param("alias", _NAME),), Nick, decide_nick, "/nick NAME", "changes your alias"),
    Verb(
        "topic",
        (_ROOM_NATIVE, Param("text", _WORDS, required=False)),
        Topic,
        decide_topic,
        "/topic [text]",
        "sets the room's topic, or says what it is",
    ),
    Verb(
        "away",
        (Param("text", _WORDS, required=False),),
        Away,
        decide_away,
        "/away [text]",
        "says that you are away; without text: that you are back",
    ),
    Verb(
        "history",
        (
            Param("limit", _NUMBER, required=False),
            Param("room", _NAME, plain=False),
            Param("before", _NUMBER, required=False, keyed=True),
            Param("after", _NUMBER, required=False, keyed=True),
            Param("since", _TIME, required=False, keyed=True),
        ),
        History,
        decide_history,
        "/history [n] [since 2h]",
        "shows the last n lines of the room, or the first since then; also: before SEQ, after SEQ",
    ),
    Verb(
        "last",
        (
            Param("from", _NAME, field="alias"),
            Param("limit", _NUMBER, required=False),
            _ROOM_NATIVE,
        ),
        Last,
        decide_last,
        "/last NAME [n]",
        "shows the last n lines that somebody said in the room",
    ),
    Verb(
        "search",
        (
            Param("text", _WORDS, required=False),
            Param("room", _NAME, required=False, plain=False),
            Param("from", _NAME, required=False, plain=False, field="alias"),
            Param("since", _TIME, required=False, plain=False),
            Param("before", _TIME, required=False, plain=False),
            Param("limit", _NUMBER, required=False, plain=False),
        ),
        Search,
        decide_search,
        "/search words",
        'finds lines of your rooms; also: "a phrase" from:NAME in:#room since:2d before:2026-11-01',
    ),
    Verb(
        "invite",
        (Param("name", _NAME), _ROOM),
        Invite,
        decide_invite,
        "/invite NAME [#room]",
        "lets somebody into your room once, locked or not; whoever makes a room moderates it",
    ),
    Verb(
        "lock",
        (
            Param("room", _NAME, required=False, plain=False),
            Param("key", _NAME, required=False),
        ),
        Lock,
        decide_lock,
        "/lock [KEY]",
        "locks your room with a key; without one: opens it",
    ),
    Verb(
        "op",
        (Param("name", _NAME), _ROOM),
        _op,
        decide_op,
        "/op NAME [#room]",
        "makes somebody a moderator of your room",
    ),
    Verb(
        "deop",
        (Param("name", _NAME), _ROOM),
        _deop,
        decide_op,
        "/deop NAME [#room]",
        "takes the moderation back",
    ),
    Verb(
        "kick",
        (Param("name", _NAME), _ROOM, _REASON),
        Kick,
        decide_kick,
        "/kick NAME [#room] [reason]",
        "puts somebody out of your room; from operators, without a room: out of the server",
    ),
    Verb(
        "ban",
        (Param("name", _NAME), _ROOM, _FOR, _REASON),
        Ban,
        decide_ban,
        "/ban NAME [#room] [10m] [reason]",
        "keeps somebody out, likewise; operators may name an address or a network",
    ),
    Verb(
        "unban",
        (Param("name", _NAME), _ROOM),
        Unban,
        decide_unban,
        "/unban NAME [#room]",
        "takes a ban back",
    ),
    Verb("bans", (_ROOM,), Bans, decide_bans, "/bans [#room]", "lists who is banned, or muted"),
    Verb(
        "mute",
        (Param("name", _NAME), _FOR, _REASON),
        Mute,
        decide_mute,
        "/mute NAME [10m] [reason]",
        "keeps somebody from speaking, for operators",
    ),
    Verb(
        "unmute",
        (Param("name", _NAME),),
        Unmute,
        decide_unmute,
        "/unmute NAME",
        "lets somebody speak again, for operators",
    ),
    Verb(
        "announce",
        (Param("text", _WORDS),),
        Announce,
        decide_announce,
        "/announce text",
        "says something in all rooms, for operators",
    ),
    Verb(
        "modlog",
        (Param("limit", _NUMBER, required=False),),
        Modlog,
        decide_modlog,
        "/modlog [n]",
        "lists who was kicked, banned or muted, by whom and why, for operators",
    ),
    Verb(
        "oper",
        (Param("name", _NAME), Param("password", _WORDS)),
        Oper,
        decide_oper,
        "/oper NAME password",
        "makes you an operator of the server",
    ),
    Verb(
        "lag",
        (),
        Lag,
        decide_lag,
        "/lag",
        "says who is behind with reading, for operators",
    ),
    Verb("ping", (), Ping, decide_ping, "/ping", "asks for a sign of life", tells_state=False),
    Verb(
        "quit",
        (Param("text", _WORDS, required=False),),
        Quit,
        decide_quit,
        "/quit [text]",
        "leaves, with a last word if you like",
    ),
)

BY_NAME = {verb.name: verb for verb in TABLE}
PLAIN = {verb.name: verb for verb in TABLE if verb.plain}
NATIVE = {verb.name: verb for verb in TABLE if verb.native}

DECIDE: dict[type[Command], Decide] = {
    Say: decide_say,
    Dm: decide_dm,
    Join: decide_join,
    Part: decide_part,
    Nick: decide_nick,
    Topic: decide_topic,
    Away: decide_away,
    Who: decide_who,
    Rooms: decide_rooms,
    Help: _decide_help,
    History: decide_history,
    Last: decide_last,
    Search: decide_search,
    Ping: decide_ping,
    Oper: decide_oper,
    Lag: decide_lag,
    Kick: decide_kick,
    Ban: decide_ban,
    Unban: decide_unban,
    Bans: decide_bans,
    Mute: decide_mute,
    Unmute: decide_unmute,
    Announce: decide_announce,
    Modlog: decide_modlog,
    Op: decide_op,
    Lock: decide_lock,
    Invite: decide_invite,
    Quit: decide_quit,
    Mistake: decide_mistake,
}

TELLS_PAST: frozenset[type[Command]] = frozenset({History, Last, Search, Modlog})
"""Commands whose answers are pages of the past, whatever has changed since."""

TELLS_NOTHING: frozenset[type[Command]] = frozenset(
    {Mistake, *(type(verb.build()) for verb in TABLE if not verb.tells_state)}
)
"""Commands whose answers are the same whatever happened: they wait for no disk, and may overtake."""
