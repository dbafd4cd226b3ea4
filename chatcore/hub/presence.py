"""Presence: who is here, away, or lost and may return, and who is an operator. Told to those who look, not in the log.

Everybody with an alias is here unless this says otherwise, so only the exceptions cost anything. The reactor's
timer ends a grace; this only knows until when it runs. And it knows from where everybody comes, for bans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub.bans import network, place
from chatcore.hub.reply import Person

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.hub.bans import Network
    from chatcore.hub.session import Session

HERE = "here"
AWAY = "away"
GRACE = "grace"

_new = tuple.__new__


class Presence:
    __slots__ = ("_away", "_grace", "_places", "grace_s", "operators")

    def __init__(self, grace_s: float) -> None:
        self.grace_s = grace_s
        """Seconds for which the alias and the rooms of a lost connection are held."""
        self._away: dict[str, str] = {}
        self._grace: dict[str, float] = {}
        self._places: dict[str, tuple[int, ...]] = {}
        """Sid → the IP address of each of its connections, as a number (`bans.place`); in grace, of the last one."""
        self.operators: dict[str, str] = {}
        """Sid → the name of the operator whose password was said; gone when the grace is over, and with the process."""

    def set_away(self, sid: str, text: str | None) -> None:
        """Away with `text`, or back with None."""
        if text is None:
            self._away.pop(sid, None)
        else:
            self._away[sid] = text

    def lost(self, sid: str, now: float, grace_s: float | None = None) -> None:
        """The last connection is gone; the session is held for `grace_s`, or as long as is usual."""
        self._grace[sid] = now + (self.grace_s if grace_s is None else grace_s)

    def back(self, sid: str) -> bool:
        """A connection is there. True if the session was in grace."""
        return self._grace.pop(sid, None) is not None

    def gone(self, sid: str) -> None:
        """The session ended or lapsed."""
        self._away.pop(sid, None)
        self._grace.pop(sid, None)
        self.operators.pop(sid, None)
        self._places.pop(sid, None)

    def came(self, sid: str, address: str) -> None:
        """A connection of the session is there, from this address; to be told before `back`."""
        if (net := network(address)) is not None:
            others = () if sid in self._grace else self._places.get(sid, ())
            self._places[sid] = (*others, place(net))

    def went(self, sid: str, address: str) -> None:
        """One of several connections is gone; of the last one, the address stays until the grace is over."""
        net, places = network(address), list(self._places.get(sid, ()))
        if net is not None and place(net) in places:
            places.remove(place(net))
            self._places[sid] = tuple(places)

    def within(self, net: Network) -> dict[str, None]:
        """The sessions with a connection from an address of that network, by their sids, or whose last one was."""
        bits = net.max_prefixlen - net.prefixlen
        first = place(net) >> bits
        return {
            sid: None
            for sid, places in self._places.items()
            for each in places
            if each >> bits == first
        }

    def make_operator(self, sid: str, name: str) -> None:
        """The operator's password was said."""
        self.operators[sid] = name

    def is_operator(self, sid: str) -> bool:
        return sid in self.operators

    def grace_left_s(self, sid: str, now: float) -> float | None:
        """Seconds until the hold ends; None if the session is not in grace."""
        until = self._grace.get(sid)
        return None if until is None else max(0.0, until - now)

    def people(self, sessions: Iterable[Session]) -> tuple[Person, ...]:
        """As `person` says of each: nearly all are here, and a hundred are told to everybody who joins a big room."""
        grace, away, person = self._grace, self._away, self.person
        return tuple(
            [
                # As `Person(…)`, in half the time.
                _new(Person, (each.alias, HERE, ""))
                if each.sid not in grace and each.sid not in away
                else person(each)
                for each in sessions
            ]
        )

    def person(self, session: Session) -> Person:
        sid = session.sid
        if sid in self._grace:
            return Person(session.alias, GRACE, "")
        if sid in self._away:
            return Person(session.alias, AWAY, self._away[sid])
        return Person(session.alias, HERE, "")
