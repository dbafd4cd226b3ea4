"""Authorisation (RELIABILITY S11): each command by everybody from a stranger to an operator, against a table.

A room is locked and has secrets; `Sub` is one of eight kinds of people and sends one command. The table says what the
answer is, and whatever the answer is, no byte that Sub ever gets may hold what is not for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatcore.hub.verbs import NATIVE
from chatcore.log.archive import Found, Search
from chatcore.log.record import Direct, Said, streams_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.connection.conftest import House, ScriptedSocket

ROLES = ("stranger", "banned", "outsider", "kept out", "member", "muted", "moderator", "operator")
"""`banned`: from the server; `kept out`: banned from the room."""

IN_ROOM = {"member", "muted", "moderator"}

DEV = "#dev"
TOPIC, WORDS, LETTER, KEY, REASON = (
    "the-secret-topic",
    "the-secret-words",
    "the-secret-letter",
    "the-secret-key",
    "the-secret-reason",
)

FIRST = "hello_first"
NO_ROOM, NO_MOD, NO_OP = "not_in_room", "not_moderator", "not_operator"

# What is asked → what the answer is, in the order of ROLES.
TABLE: dict[str, tuple[dict[str, Any], str]] = {
    "hello": (
        {"t": "hello", "v": 1, "alias": "Sub"},
        "ok banned" + " already_joined" * 6,
    ),
    "help": ({"t": "help"}, "* * ok ok ok ok ok ok"),
    "ping": ({"t": "ping"}, "* * ok ok ok ok ok ok"),
    "quit": ({"t": "quit", "text": "bye"}, "* * ok ok ok ok ok ok"),
    "rooms": ({"t": "rooms"}, "* * ok ok ok ok ok ok"),
    "join": ({"t": "join", "room": DEV}, "* * room_locked banned ok ok ok ok"),
    "join, wrong key": (
        {"t": "join", "room": DEV, "key": "guess"},
        "* * room_locked banned ok ok ok ok",
    ),
    "join, no key": (
        {"t": "join", "room": DEV, "key": ""},
        "* * room_locked banned ok ok ok ok",
    ),
    "join, key": ({"t": "join", "room": DEV, "key": KEY}, "* * ok banned ok ok ok ok"),
    "part": ({"t": "part", "room": DEV}, f"* * {NO_ROOM} {NO_ROOM} ok ok ok {NO_ROOM}"),
    "who": ({"t": "who", "room": DEV}, f"* * {NO_ROOM} {NO_ROOM} ok ok ok {NO_ROOM}"),
    "who, anywhere": ({"t": "who"}, "* * ok ok ok ok ok ok"),
    "say": (
        {"t": "say", "room": DEV, "text": "hi"},
        f"* * {NO_ROOM} {NO_ROOM} ok muted ok {NO_ROOM}",
    ),
    "me": (
        {"t": "me", "room": DEV, "text": "hi"},
        f"* * {NO_ROOM} {NO_ROOM} ok muted ok {NO_ROOM}",
    ),
    "dm": ({"t": "dm", "to": "Mel", "text": "hi"}, "* * ok ok ok muted ok ok"),
    "dm, operator": ({"t": "dm", "to": "Root", "text": "help"}, "* * ok ok ok ok ok ok"),
    "nick": ({"t": "nick", "alias": "Sam"}, "* * ok ok ok muted ok ok"),
    "nick, banned": ({"t": "nick", "alias": "Zed"}, "* * banned banned banned muted banned banned"),
    "topic": (
        {"t": "topic", "room": DEV, "text": "tea"},
        f"* * {NO_ROOM} {NO_ROOM} ok muted ok {NO_ROOM}",
    ),
    "topic, asked": ({"t": "topic", "room": DEV}, f"* * {NO_ROOM} {NO_ROOM} ok ok ok {NO_ROOM}"),
    "join, topic": ({"t": "join", "room": "#new", "topic": "hi"}, "* * ok ok ok muted ok ok"),
    "away": ({"t": "away", "text": "tea"}, "* * ok ok ok muted ok ok"),
    "away, back": ({"t": "away"}, "* * ok ok ok ok ok ok"),
    "history": (
        {"t": "history", "room": DEV, "limit": 99},
        f"* * {NO_ROOM} {NO_ROOM} ok ok ok {NO_ROOM}",
    ),
    "history, of acts": ({"t": "history", "room": "moderation"}, "*" + " *" + " no_such_room" * 6),
    "last": (
        {"t": "last", "room": DEV, "from": "Mel"},
        f"* * {NO_ROOM} {NO_ROOM} ok ok ok {NO_ROOM}",
    ),
    "search": (
        {"t": "search", "room": DEV, "text": "the"},
        f"* * {NO_ROOM} {NO_ROOM} ok ok ok {NO_ROOM}",
    ),
    "search, anywhere": ({"t": "search", "text": "the"}, "* * ok ok ok ok ok ok"),
    "invite": (
        {"t": "invite", "room": DEV, "name": "Out"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok",
    ),
    "lock": (
        {"t": "lock", "room": DEV, "key": "mine"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok",
    ),
    "lock, open": ({"t": "lock", "room": DEV}, f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok"),
    "op": (
        {"t": "op", "room": DEV, "name": "Mel"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok",
    ),
    "deop": (
        {"t": "deop", "room": DEV, "name": "Mod"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok",
    ),
    "kick": (
        {"t": "kick", "room": DEV, "name": "Vic", "text": "out"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok",
    ),
    "kick, operator": (
        {"t": "kick", "room": DEV, "name": "Boss"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} {NO_OP} ok",
    ),
    "kick, anywhere": (
        {"t": "kick", "name": "Vic"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok",
    ),
    "kick, lobby": ({"t": "kick", "room": "#lobby", "name": "Out"}, "* *" + f" {NO_MOD}" * 6),
    "ban": (
        {"t": "ban", "room": DEV, "name": "Vic", "for": "10m"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok",
    ),
    "ban, operator": (
        {"t": "ban", "room": DEV, "name": "Boss"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} {NO_OP} ok",
    ),
    "ban, anywhere": (
        {"t": "ban", "name": "Vic"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok",
    ),
    "ban, address": (
        {"t": "ban", "name": "192.0.2.0/24"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} bad_field ok",
    ),
    "unban": (
        {"t": "unban", "room": DEV, "name": "Kim"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok",
    ),
    "unban, server": (
        {"t": "unban", "name": "Zed"},
        f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} not_banned ok",
    ),
    "bans": ({"t": "bans", "room": DEV}, f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok"),
    "bans, server": ({"t": "bans"}, f"* * {NO_MOD} {NO_MOD} {NO_MOD} {NO_MOD} ok ok"),
    "mute": ({"t": "mute", "name": "Vic"}, "* *" + f" {NO_OP}" * 5 + " ok"),
    "unmute": ({"t": "unmute", "name": "Hush"}, "* *" + f" {NO_OP}" * 5 + " ok"),
    "announce": ({"t": "announce", "text": "hi"}, "* *" + f" {NO_OP}" * 5 + " ok"),
    "modlog": ({"t": "modlog"}, "* *" + f" {NO_OP}" * 5 + " ok"),
    "lag": ({"t": "lag"}, "* *" + f" {NO_OP}" * 5 + " ok"),
    "oper": (
        {"t": "oper", "name": "root", "password": "guess"},
        "* *" + f" {NO_OP}" * 5 + " ok",
    ),
}


def expected(row: str) -> list[str]:
    """One outcome a role; `*` is what everybody hears who has not joined."""
    return [FIRST if each == "*" else each for each in TABLE[row][1].split()]


SECRETS_OF_ROOM = (TOPIC, WORDS)
SECRETS = (*SECRETS_OF_ROOM, LETTER, KEY, REASON)


class Scene:
    """A room with secrets, the people that the table names, and Sub."""

    def __init__(self, house: House, role: str) -> None:
        self.house = house
        self._people: dict[str, ScriptedSocket] = {}
        house.archive._found = self._found
        self.enter("Root")
        self.rise("Root")
        for alias in ("Mod", "Mel", "Vic", "Boss"):
            self.enter(alias, DEV)
        self.rise("Boss")
        self.enter("Out")
        self.enter("Hush")
        for who, message in (
            ("Mod", {"t": "topic", "room": DEV, "text": TOPIC}),
            ("Mel", {"t": "say", "room": DEV, "id": "i", "text": WORDS}),
            ("Mod", {"t": "dm", "id": "j", "to": "Mel", "text": LETTER}),
            ("Root", {"t": "mute", "name": "Hush", "text": REASON}),
            ("Root", {"t": "ban", "name": "Zed", "text": REASON}),
            ("Mod", {"t": "ban", "room": DEV, "name": "Kim", "text": REASON}),
        ):
            self.ask(who, message)
        self.sub, _ = house.connect("127.0.0.1")
        getattr(self, f"_{role.replace(' ', '_')}")()
        self.ask("Mod", {"t": "lock", "room": DEV, "key": KEY})
        house.settle()

    def enter(self, alias: str, *rooms: str) -> None:
        self._people[alias] = self.house.native(alias, rooms=rooms or ("#lobby",))

    def rise(self, alias: str) -> None:
        session = self.house.world.state.holder(alias)
        assert session is not None
        self.house.world.presence.make_operator(session.sid, "root")

    def ask(self, who: str, message: dict[str, Any]) -> None:
        self._people[who].say(message)
        self.house.settle()
        assert "refused" not in [each["t"] for each in self._people[who].messages]

    def _joins(self, *rooms: str) -> None:
        self.sub.say({"t": "hello", "v": 1, "alias": "Sub", "rooms": rooms})
        self.house.settle()
        self._people["Sub"] = self.sub

    def _stranger(self) -> None:
        pass

    def _banned(self) -> None:
        self.ask("Root", {"t": "ban", "name": "Sub"})
        self._joins()

    def _outsider(self) -> None:
        self._joins("#lobby")

    def _kept_out(self) -> None:
        self.ask("Mod", {"t": "ban", "room": DEV, "name": "Sub"})
        self._joins("#lobby")

    def _member(self) -> None:
        self._joins(DEV)

    def _muted(self) -> None:
        self._joins(DEV)
        self.ask("Root", {"t": "mute", "name": "Sub", "for": "10m"})

    def _moderator(self) -> None:
        self._joins(DEV)
        self.ask("Mod", {"t": "op", "room": DEV, "name": "Sub"})

    def _operator(self) -> None:
        self._joins("#lobby")
        self.rise("Sub")

    def _found(self, question: Any) -> Found:
        """A search that finds whatever stands in the streams that it is asked for."""
        assert isinstance(question, Search), question
        found = tuple(
            each
            for each in reversed(self.house.records)
            if isinstance(each, Said | Direct)
            and set(streams_of(each)) & set(question.streams)
            and all(word in each.text for word in question.words)
        )
        return Found(found[: question.lines], False)

    def outcome(self, message: dict[str, Any]) -> str:
        """The code of the refusal, or `ok`."""
        line_id = {"id": "asked"} if message["t"] in {"say", "me", "dm"} else {}
        self.sub.say(message | line_id | {"re": "asked"})
        self.house.settle()
        for answer in self.sub.messages:
            if answer.get("re") == "asked":
                return str(answer.get("code", "ok"))
            if answer.get("id") == "asked":
                return "ok"
        raise AssertionError(f"no answer: {self.sub.messages}")

    def leaks(self, role: str, row: str) -> list[str]:
        """Secrets in what Sub was ever sent that are not for them."""
        let_in = row == "join, key" and role == "outsider"
        allowed: set[str] = set()
        if role in IN_ROOM or let_in or (role == "operator" and row.startswith("join")):
            allowed |= {*SECRETS_OF_ROOM}
        if role == "operator" and row == "rooms":
            allowed |= {TOPIC}
        if (role == "operator" and row in {"modlog", "bans", "bans, server"}) or (
            role == "moderator" and row in {"bans", "bans, server"}
        ):
            allowed |= {REASON}
        if row == "nick, banned":  # whoever is refused for a ban is told why
            allowed |= {REASON}
        room = self.house.world.state.named[DEV]
        tokens = {each.token_hash for each in self.house.world.state.sessions.values()}
        hidden = {*SECRETS, room.key, *filter(None, tokens)} - allowed - {""}
        sent = self.sub.text
        return [secret for secret in hidden if secret in sent]


@pytest.fixture
def scene(make_house: Callable[..., House]) -> Callable[[str], Scene]:
    def make(role: str) -> Scene:
        house = make_house(archived=True)
        house.lag(lambda seq: seq)
        return Scene(house, role)

    return make


def test_the_table_has_every_command_and_every_role() -> None:
    assert {message["t"] for message, _ in TABLE.values()} == {"hello", *NATIVE}
    assert {row for row in TABLE if len(expected(row)) != len(ROLES)} == set()


def test_everybody_gets_what_the_table_says_and_no_secret(scene: Callable[[str], Scene]) -> None:
    wrong, leaked, tried = [], [], 0
    for row, (message, _) in TABLE.items():
        for role, outcome in zip(ROLES, expected(row), strict=True):
            there = scene(role)
            found = there.outcome(message)
            tried += 1
            if found != outcome:
                wrong.append((row, role, found, outcome))
            leaked += [(row, role, secret) for secret in there.leaks(role, row)]
    print(f"S11: {tried} cells tried, {len(wrong)} wrong, {len(leaked)} leaks")
    assert wrong == []
    assert leaked == []


RETURNS = {
    # What happens to Sub, a member of the room, while away → whether the hello is a return, the rooms it is in, and
    # what comes of the next line.
    "nothing": ((), ("ok", True, [DEV], "ok")),
    "put out of the room": (({"t": "kick", "room": DEV},), ("ok", True, [], "not_in_room")),
    "banned from the room": (({"t": "ban", "room": DEV},), ("ok", True, [], "not_in_room")),
    "muted": (({"t": "mute"},), ("ok", True, [DEV], "muted")),
    "kicked": (({"t": "kick"},), ("ok", False, ["#lobby"], "not_in_room")),
    "banned": (({"t": "ban"},), ("banned", None, None, FIRST)),
    "banned and let in": (
        ({"t": "ban"}, {"t": "unban"}),
        ("ok", False, ["#lobby"], "not_in_room"),
    ),
}

LAPSED = {
    # Somebody must be somewhere on a new arrival, and a ban of who is not there ends no session.
    "banned from the room": ("ok", True, ["#lobby"], "not_in_room"),
    "banned and let in": ("ok", True, [DEV], "ok"),
}


@pytest.mark.parametrize("how", ["grace", "lapsed", "guessed", "other log"])
def test_a_token_brings_back_no_more_than_is_left(scene: Callable[[str], Scene], how: str) -> None:
    wrong, leaked, tried = [], [], 0
    for case, (acts, expect) in RETURNS.items():
        there = scene("member")
        house = there.house
        welcome = next(each for each in there.sub.messages if each["t"] == "welcome")
        there.sub.reset()
        house.settle()
        if how == "lapsed" and case in {"kicked", "put out of the room"}:
            continue  # nobody is there to be put out
        if how == "lapsed":
            house.pass_time(3_600)
            expect = LAPSED.get(case, expect)
        for act in acts:
            there.ask("Root", act | {"name": "Sub"})
        there.ask("Mel", {"t": "say", "id": "later", "room": DEV, "text": f"{WORDS} of later"})
        token = "guessed" if how == "guessed" else welcome["token"]
        back, _ = house.connect()
        back.say(
            {"t": "hello", "v": 1, "alias": "Sub2", "token": token, "after": welcome["seq"]}
            | {"log": "another" if how == "other log" else welcome["log"]}
        )
        house.settle()
        there.sub, tried = back, tried + 1
        answer = back.messages[0]
        is_stranger = how in {"guessed", "other log"}
        if is_stranger and not (case == "banned" and how == "other log"):
            expect = ("ok", False, ["#lobby"], "not_in_room")
        if answer["t"] == "refused":
            found: Any = (answer["code"], None, None)
        else:
            rooms = [view["room"] for view in answer["rooms"]]
            found = ("ok", answer["resumed"], rooms)
        found = (*found, there.outcome({"t": "say", "room": DEV, "text": "hi"}))
        if found != expect:
            wrong.append((case, found, expect))
        if found[2] != [DEV] and (WORDS in back.text or TOPIC in back.text):
            leaked.append(case)
    print(f"S11 tokens, {how}: {tried} tried, {len(wrong)} wrong, {len(leaked)} leaks")
    assert wrong == []
    assert leaked == []
