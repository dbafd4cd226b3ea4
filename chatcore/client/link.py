"""The client's side of the promise: no line lost, none doubled, none shown twice, whatever the network does.

A state machine that is told what happened (`connected`, `received`, `lost`, `ask`, `tick`) and is then drained:
`data_to_send()` for the network, `take_events()` for the person. It owns token, log, session, position and rooms; the
`Outbox` owns what is not acknowledged yet.

Invariants: a line stays in the outbox until its record, its `ack` or its refusal has been read; a record whose
`seq` is not above the position has been shown already and is dropped. Pure: time and randomness are arguments;
nothing that the server sends makes it raise.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from chatcore.client import events, messages, standing
from chatcore.client.messages import Direct, Request, Said
from chatcore.client.names import fold
from chatcore.client.outbox import Outbox
from chatcore.client.pulse import Pulse, backoff_s
from chatcore.client.reunion import MAX_GATHER_S, MAX_GATHERED, Reunion
from chatcore.client.standing import State
from chatcore.client.wire import VERSION, Inbox, encode, encode_request, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

STABLE_S = 10.0
"""A connection that held this long was a good one: the next loss begins again with the shortest wait."""
HELLO_TIMEOUT_S = 15.0
HELD_MIN_S = 1.0
MAX_SIDS = 8
"""Sessions of this process that are remembered as one's own; a new one begins when a server forgot the last."""


class Link:
    """`alias` may be empty: nothing happens before `choose`. `prefix`: see `Outbox`. `password`: the server's, if known."""

    def __init__(
        self, alias: str, rooms: Iterable[str], prefix: str, client: str, password: str = ""
    ) -> None:
        self.alias = alias
        self.rooms = {fold(room): room for room in rooms}
        """Folded → shown: where one is, and where a hello asks to be."""
        self.state = State.OFFLINE if alias else State.NEEDS_ALIAS
        self.retry_at = 0.0
        """When OFFLINE: the moment to connect."""
        self.hangup: str | None = None
        """Set: close the connection and report it `lost` with this reason."""
        self.outbox = Outbox(prefix)
        self.position = 0
        self._client, self._password = client, password
        self._log = self._token = ""
        self._sids: deque[str] = deque(maxlen=MAX_SIDS)
        self._out = bytearray()
        self._events: list[events.Event] = []
        self._inbox = Inbox()
        self._pulse = Pulse(0.0)
        self._reunion: Reunion | None = None
        self._last_barrier: str | None = None
        self._unseen: dict[str, tuple[int, int]] = {}
        self._connected = False
        self._attempt = 0
        self._lost_at: float | None = None
        self._joined_at = 0.0
        self._due_at = 0.0  # of HELLO and HELD
        self._quit: str | None = None
        self._quit_sent = False

    # What the person does

    def ask(self, request: Request, now: float) -> None:
        """Say a line, or send a command; its `Stored`, `Answer` or `Refusal` will come, over any number of losses."""
        if words := self.outbox.add(request):
            self._emit(events.Refusal(request, "too_long", words))
        self._pump(now)

    def choose(self, alias: str, now: float) -> None:
        """An alias, the first one or after the one before was refused."""
        self.alias = alias
        self._introduce(now)

    def unlock(self, password: str, now: float) -> None:
        """The password that the server wants."""
        self._password = password
        self._introduce(now)

    def _introduce(self, now: float) -> None:
        if self._connected:
            self._hello(now)
        else:
            self.state, self.retry_at = State.OFFLINE, now

    def retry_now(self, now: float) -> None:
        if self.state is State.OFFLINE:
            self.retry_at = now

    def quit(self, words: str, now: float, *, waits: bool = True) -> None:
        """Leave when all that waits is answered, or behind it with nobody to hear that; at once when one is not in."""
        self._quit = self._quit or words
        if self.state is State.JOINED and waits:
            self._pump(now)
            return
        if self.state in {State.HELLO, State.JOINED} and not self._quit_sent:
            # also while the welcome is on its way: an alias that is not given back is held for a while
            self._send_quit(now)
        self._end("quit", "")

    # What the network tells

    def connected(self, now: float) -> None:
        self._connected = True
        self._inbox = Inbox()
        self._pulse = Pulse(now)
        self._hello(now)

    def received(self, data: bytes, now: float) -> None:
        if not self._connected:
            return
        self._pulse.heard(now)
        for fields in self._inbox.feed(data):
            message = parse(fields)
            if message is not None and self.hangup is None and self.state is not State.ENDED:
                self._handle(message, now)
        if self._inbox.broken is not None and self.state is not State.ENDED:
            self._end("protocol", self._inbox.broken)
        self._pump(now)

    def lost(self, reason: str, now: float, roll: float) -> None:
        """The connection ended, or could not be made. `roll`: a random number in [0, 1)."""
        foreign = self._connected and self._inbox.foreign
        was, self.state = self.state, State.OFFLINE
        self._connected, self.hangup = False, None
        self._release(more=False)
        self.outbox.requeue()
        self._out.clear()
        if was in {State.ENDED, State.NEEDS_ALIAS, State.NEEDS_PASSWORD}:
            self.state = was
        elif self._quit is not None:
            self._end("quit", "")
        elif foreign:
            self._end("protocol", "this is no chat server of ours")
        else:
            self._await_retry(reason, was is State.JOINED, now, roll)

    def tick(self, now: float) -> None:
        """Call when `deadline` has come; earlier does no harm."""
        if self.state is State.HELLO and now >= self._due_at:
            self.hangup = "no answer"
        elif self.state is State.HELD and now >= self._due_at:
            self._hello(now)
        elif self.state is State.JOINED:
            if self._reunion is not None and now >= self._reunion.due_at:
                self._release(more=True)
            if self._pulse.is_gone(now):
                self.hangup = "no answer"
            elif self._pulse.is_due(now):
                self._pulse.pinged(now)
                self._send(encode({"t": "ping"}), now)
            self._pump(now)

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do; None: never."""
        if self.state in {State.HELLO, State.HELD}:
            return self._due_at
        if self.state is not State.JOINED:
            return None
        due_at = self._pulse.deadline
        return due_at if self._reunion is None else min(due_at, self._reunion.due_at)

    def data_to_send(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data

    def take_events(self) -> list[events.Event]:
        drained, self._events = self._events, []
        return drained

    def is_own(self, sid: str) -> bool:
        return sid in self._sids

    # Joining, and returning after a loss

    def _hello(self, now: float) -> None:
        fields: dict[str, Any] = {"t": "hello", "v": VERSION, "alias": self.alias}
        fields["rooms"] = [*self.rooms.values()]
        if self._token:
            fields |= {"token": self._token, "log": self._log, "after": self.position}
        if self._password:
            fields["password"] = self._password
        self._send(encode(fields | {"client": self._client}), now)
        self.state, self._due_at = State.HELLO, now + HELLO_TIMEOUT_S

    def _handle(self, message: messages.Message, now: float) -> None:
        if isinstance(message, messages.Bye):
            self._on_bye(message)
        elif self.state is State.JOINED:
            self._on_news(message, now)
        elif self.state is State.HELLO and isinstance(message, messages.Welcome):
            self._on_welcome(message, now)
        elif self.state is State.HELLO and isinstance(message, messages.Refused):
            self._on_hello_refused(message, now)

    def _on_welcome(self, welcome: messages.Welcome, now: float) -> None:
        returning, self._lost_at, lost_at = bool(self._sids), None, self._lost_at
        # The last lines that a welcome brings along: not those shown before, nor those that follow as records.
        shown = self.position if welcome.log == self._log else 0
        self._unseen = {fold(each.room): (shown, welcome.seq) for each in welcome.rooms}
        # Resumed, the position never rises here: what was missed comes next and must not look seen.
        self.position = min(self.position, welcome.seq) if welcome.resumed else welcome.seq
        self._log, self._token, self.alias = welcome.log, welcome.token, welcome.alias
        if welcome.sid not in self._sids:
            self._sids.append(welcome.sid)
        self.rooms = {fold(each.room): each.room for each in welcome.rooms}
        self.state, self._joined_at = State.JOINED, now
        self._emit(events.Welcomed(welcome, returning))
        if returning:
            away_s = now - (lost_at if lost_at is not None else now)
            self._gather(away_s, now, fresh=not welcome.resumed)

    def _gather(self, away_s: float, now: float, *, fresh: bool) -> None:
        barrier = self._last_barrier = self.outbox.new_key()
        self._reunion = Reunion(barrier, away_s, now + MAX_GATHER_S, fresh)
        if self.rooms:
            request = Request("history", room=next(iter(self.rooms.values())), limit=1)
            self._send(encode_request(request, barrier), now)
        else:
            self._release(more=False)

    def _release(self, *, more: bool) -> None:
        if self._reunion is not None:
            self._events += self._reunion.ended(more=more)
            self._reunion = None

    def _on_hello_refused(self, refused: messages.Refused, now: float) -> None:
        words = refused.words or refused.code
        if refused.code in standing.WAITING_CODES:
            wait_s = max(refused.retry_s, HELD_MIN_S)
            self.state, self._due_at = State.HELD, now + wait_s
            alias = self.alias if refused.code == "alias_in_grace" else ""
            self._emit(events.Held(words, wait_s, alias))
        elif refused.code in standing.ALIAS_CODES:
            self.state = State.NEEDS_ALIAS
            self._emit(events.AliasRefused(self.alias, refused.code, words))
        elif refused.code in standing.PASSWORD_CODES:
            self.state = State.NEEDS_PASSWORD
            self._emit(events.PasswordRefused(refused.code, words))
        elif refused.code in standing.PASSING_CODES:
            self.hangup = words
        else:
            self._end("protocol" if refused.code == "bad_version" else "refused", words)

    def _on_bye(self, bye: messages.Bye) -> None:
        if self._quit_sent:
            self._end("quit", "")
        elif bye.reason in standing.REMOVED:
            self._end("removed", bye.words or f"You were {bye.reason}.")
        else:
            self.hangup = "the server is stopping" if bye.reason == "stopping" else "server closed"

    def _await_retry(self, reason: str, joined: bool, now: float, roll: float) -> None:
        if joined and now - self._joined_at >= STABLE_S:
            self._attempt = 0
        self._attempt += 1
        again = self._lost_at is not None
        if self._lost_at is None:
            self._lost_at = now
        wait_s = backoff_s(self._attempt, roll)
        self.retry_at = now + wait_s
        self._emit(events.Lost(reason, wait_s, len(self.outbox), again, joined))

    # While joined

    def _on_news(self, message: messages.Message, now: float) -> None:
        match message:
            case messages.Ack():
                self._acknowledged(message.id)
            case messages.Ok() | messages.Pong():
                self._on_answer(message, now)
            case messages.Refused():
                self._on_refused(message)
            case messages.History():
                self._on_history(message)
            case messages.Presence():
                self._emit(message)
            case messages.Lag() | messages.Modlog():
                if self.outbox.answered(message.re):
                    self._emit(message)
            case messages.Gap():
                self.position = max(self.position, message.next - 1)
                self._emit(message)
            case messages.Welcome() | messages.Bye():
                pass  # not now
            case _:
                self._on_record(message)

    def _on_record(self, record: messages.Record) -> None:
        own = not isinstance(record, messages.Crowd) and self.is_own(record.sid)
        if own and isinstance(record, Said | Direct):
            self._acknowledged(record.id)
        if record.seq <= self.position:
            return
        self.position = record.seq
        if own:
            self._follow(record)
        if self._reunion is not None:
            self._reunion.missed += isinstance(record, Said | Direct) and not own
        self._emit(record)

    def _follow(self, record: messages.Record) -> None:
        """What one did oneself, perhaps from another connection of the session, changes what a hello asks for."""
        match record:
            case messages.Joined():
                self.rooms[fold(record.room)] = record.room
            case messages.Left():
                self.rooms.pop(fold(record.room), None)
            case messages.Renamed():
                self.alias = record.to
            case _:
                pass

    def _acknowledged(self, key: str) -> None:
        if key and self.outbox.stored(key):
            self._attempt = 0  # a connection that did its work was a good one, however short
            self._emit(events.Stored(key))

    def _on_answer(self, answer: messages.Ok | messages.Pong, now: float) -> None:
        outgoing = self.outbox.answered(answer.re)
        if outgoing is None:
            return
        request = outgoing.request
        ok = answer if isinstance(answer, messages.Ok) else None
        if ok is not None and request.kind == "join":
            room = ok.room or request.room
            self.rooms[fold(room)] = room
        elif ok is not None and request.kind == "part":
            self.rooms.pop(fold(ok.room or request.room), None)
        elif ok is not None and request.kind == "nick":
            self.alias = ok.alias or request.alias
        self._emit(events.Answer(request, ok, now - outgoing.sent_at))

    def _on_refused(self, refused: messages.Refused) -> None:
        if refused.key and refused.key == self._last_barrier:
            self._release(more=False)
            return
        outgoing = self.outbox.answered(refused.key)
        request = outgoing.request if outgoing else None
        self._emit(events.Refusal(request, refused.code, refused.words or refused.code))

    def _on_history(self, history: messages.History) -> None:
        if history.re and history.re == self._last_barrier:
            self._release(more=False)
            return
        if self.outbox.answered(history.re):
            self._emit(history)
            return
        shown, head = self._unseen.pop(fold(history.room), (0, messages.MAX_SEQ))
        for record in history.records:
            if isinstance(record, Said) and self.is_own(record.sid):
                self._acknowledged(record.id)
        records = tuple(each for each in history.records if shown < each.seq <= head)
        if records:
            self._emit(history._replace(records=records))

    # Sending

    def _pump(self, now: float) -> None:
        if self.state is not State.JOINED:
            return
        if self._reunion is not None and self._reunion.fresh:
            # An own record of the old session may still come, and be the acknowledgement of what waits.
            return
        while (data := self.outbox.next(now)) is not None:
            self._send(data, now)
        if self._quit is not None and not self._quit_sent and not self.outbox:
            self._send_quit(now)

    def _send_quit(self, now: float) -> None:
        self._quit_sent = True
        self._send(encode({"t": "quit"} | ({"text": self._quit} if self._quit else {})), now)

    def _send(self, data: bytes, now: float) -> None:
        self._out += data
        self._pulse.spoke(now)

    def _emit(self, event: events.Event) -> None:
        if self._reunion is None:
            self._events.append(event)
            return
        self._reunion.events.append(event)
        if len(self._reunion.events) >= MAX_GATHERED:
            self._release(more=True)

    def _end(self, how: str, words: str) -> None:
        self.state = State.ENDED
        self._release(more=False)
        self._events.append(events.Ended(how, words))
