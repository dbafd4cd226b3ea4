"""The hub: takes commands one at a time, decides, numbers, appends, applies. The only writer of log and state.

Invariant: state == fold(apply, log). A command is decided against the state that the command before it left.
No I/O, no clock, no randomness: time and fresh secrets come with the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from chatcore.hub.apply import apply, apply_said
from chatcore.hub.command import Away, Dm, Mistake, Quit, Say
from chatcore.hub.reply import STORAGE_FULL, Ack, Refusal, Refused, Welcome
from chatcore.hub.verbs import DECIDE
from chatcore.hub.verbs.oper import decide_rise
from chatcore.hub.verbs.people import decide_arrival, decide_lapse, decide_quit
from chatcore.hub.verbs.rooms import decide_gather
from chatcore.hub.verbs.talk import repeats
from chatcore.log.record import Closed, Direct, Opened, Said

if TYPE_CHECKING:
    from chatcore.hub.command import Arrival, Command, Gather, Run, Tag
    from chatcore.hub.decision import Decision, World
    from chatcore.hub.reply import Reply
    from chatcore.hub.session import Session
    from chatcore.log.order import LocalOrderer
    from chatcore.log.record import Record


RETRY_S = 1.0
"""When to try again what could not be stored: the writer itself tries that often."""


class Outcome(NamedTuple):
    """What came of a command: `replies` stand before the `records`, `then` after them."""

    replies: tuple[Reply, ...]
    records: tuple[Record, ...]
    then: tuple[Reply, ...]


class Hub:
    __slots__ = ("_orderer", "world")

    def __init__(self, world: World, orderer: LocalOrderer) -> None:
        self.world = world
        self._orderer = orderer

    def say(self, session: Session, run: Run) -> Outcome | None:
        """Carry out what people do most: say something. None when there is nobody to answer but the record.

        The hot path: what `execute` would do where nothing speaks against it, written out.
        """
        room, text, lines, ids, me, _, clean = run
        world = self.world
        if room is None:
            room = session.rooms[0]
        if (
            session.muted_ms
            or world.trouble
            or room not in session.rooms
            or (ids and repeats(session, ids))
        ):
            return self.execute(session, Say(*run))
        seq, time_ms = self._orderer.stamp(world.now_ms, lines)
        # As `Said(…)`, in half the time.
        record = _new(
            Said, (seq, time_ms, room, session.sid, session.alias, text, lines, ids, me, clean)
        )
        world.log.append(record)
        if ids or not world.state.named[room].history:
            apply_said(world.state, record)
        return None

    def execute(self, session: Session, command: Command) -> Outcome:
        """Carry out what a person in the house asks."""
        decision = DECIDE[type(command)](self.world, session, command)
        if type(decision) is Refusal:
            return Outcome(_refused(session, command, decision), (), ())
        if type(command) is Away:
            self.world.presence.set_away(session.sid, command.text or None)
        # Whoever leaves has left, whatever the disk does.
        if self.world.trouble and decision.drafts and type(command) is not Quit:
            return self._not_stored(session, command, decision)
        return self._carry_out(decision)

    def rise(self, session: Session, name: str, re: Tag) -> Outcome:
        """The session's person has said the password of the operator `name`."""
        if self.world.trouble:
            return Outcome((Refused(self._full(), None, re),), (), ())
        self.world.presence.make_operator(session.sid, name)
        return self._carry_out(decide_rise(session, name, re))

    def arrive(self, arrival: Arrival) -> Outcome:
        """Carry out a hello; `Outcome.replies[0]` is the welcome or the refusal."""
        decision = decide_arrival(self.world, arrival)
        if type(decision) is Refusal:
            return Outcome((Refused(decision, None, arrival.hello.re),), (), ())
        if self.world.trouble and decision.drafts:
            return Outcome((Refused(self._full(), None, arrival.hello.re),), (), ())
        outcome = self._carry_out(decision)
        welcome = outcome.replies[0]
        if type(welcome) is Welcome:
            self.world.presence.came(welcome.sid, arrival.address)
        return outcome

    def lapse(self, session: Session) -> Outcome:
        """The grace of a session is over."""
        return self._carry_out(decide_lapse(self.world, session))

    def gather(self, command: Gather) -> Outcome:
        """It is time to tell a big room who came and went."""
        return self._carry_out(decide_gather(self.world, command))

    def restart(self) -> tuple[tuple[Record, ...], list[Session]]:
        """The server begins again with the state of an earlier run, whose connections are all gone.

        Who cannot come back leaves now: those records. Who can keeps its alias and rooms for a while: those sessions,
        whose grace the caller is to begin.
        """
        state = self.world.state
        records: list[Record] = []
        for session in list(state.sessions.values()):
            if session.token_hash is None:
                decision = decide_quit(self.world, session, Quit("", "lost"))
                records += self._carry_out(decision).records
        return tuple(records), [each for each in state.sessions.values() if each.lapsed_ms is None]

    def _not_stored(self, session: Session, command: Command, decision: Decision) -> Outcome:
        """What would be stored is refused, a line at a time; lines that are stored already are still acknowledged."""
        if type(command) is Say:
            lines = [draft for draft in decision.drafts if isinstance(draft, Said)]
            command = command._replace(ids=lines[0].ids)
        acks = tuple(reply for reply in decision.replies if isinstance(reply, Ack))
        return Outcome((*acks, *_refused(session, command, self._full())), (), ())

    def _full(self) -> Refusal:
        why = self.world.trouble.rstrip(".")
        return Refusal(
            STORAGE_FULL, f"{why}. Nothing of this was stored: try again in a moment.", RETRY_S
        )

    def _carry_out(self, decision: Decision) -> Outcome:
        return Outcome(decision.replies, tuple(map(self._append, decision.drafts)), decision.then)

    def _append(self, draft: Record) -> Record:
        world = self.world
        record = self._orderer.number(draft, world.now_ms)
        world.log.append(record)
        apply(world.state, record)
        if type(record) is not Said and type(record) is not Direct:
            world.changed_seq = record.seq
        match record:
            case Closed():
                world.presence.gone(record.sid)
            case Opened():
                world.presence.back(record.sid)
            case _:
                pass
        return record


_new = tuple.__new__


def _refused(session: Session, command: Command, refusal: Refusal) -> tuple[Ack | Refused, ...]:
    """One answer for each line that the client gave a name to: a refusal, unless the line is stored.

    A retry may come when its sender has left the room, or was muted: what it asks is whether the line was said.
    """
    match command:
        case Say(ids=ids) if ids:
            return tuple(_refused_line(session, line_id, refusal, command.re) for line_id in ids)
        case Dm(id=line_id) | Mistake(id=line_id):
            return (Refused(refusal, line_id, command.re),)
        case _:
            return (Refused(refusal, None, command.re),)


def _refused_line(session: Session, line_id: str, refusal: Refusal, re: Tag) -> Ack | Refused:
    seq = session.ids.seq_of(line_id)
    return Refused(refusal, line_id, re) if seq is None else Ack(line_id, seq)
