"""Admission: passwords, from the moment somebody sends one until it is known whether it is right.

Checking one is slow by design, so a thread does it, one after the other, and the connection's next commands wait for
the answer; nobody else does. Invariants: at most `limits.logins_waiting` wait, others are refused at once; whoever has
been wrong too often lately is refused before the password is looked at, and what is being checked counts until it is
known; every connection that waits is answered, whatever becomes of the thread; and whoever has not said the server's
password learns nothing that is not told to everybody.

An address is as in `chatcore.connection.crowd`. Loopback is exempt from the count of an address, because who comes
through a tunnel or a proxy would pay for all others; an operator's name is not, wherever one asks from.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from chatcore.connection.connection import Pause
from chatcore.connection.crowd import site
from chatcore.connection.tries import Tries
from chatcore.hub import names
from chatcore.hub.command import Arrival, Hello, Oper
from chatcore.hub.reply import Refusal, Refused
from chatcore.hub.verbs.people import known
from chatcore.reactor.offload import Offload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.connection.connection import Connection
    from chatcore.connection.limits import Limits
    from chatcore.hub.command import Command
    from chatcore.hub.hub import Hub, Outcome
    from chatcore.hub.reply import Reply
    from chatcore.hub.session import Session
    from chatcore.reactor.loop import Reactor

BUSY_RETRY_S = 1.0
"""When to try again while others' passwords are being checked: some of them are done by then."""

SID_BYTES = 8
"""Random bytes of a sid: public, but never met twice. In base64, because it stands in each line that the page and programs
read: 11 characters, where hexadecimal would have 16."""

TOKEN_BYTES = 24
"""Random bytes of a token: 192 bits cannot be guessed."""

NEEDED = Refusal("password_needed", "This server has a password. Whoever runs it can tell you.")
WRONG = Refusal("password_wrong", "That is not the password.")
WRONG_LOGIN = Refusal("password_wrong", "There is no operator with that name and password.")
BUSY = Refusal(
    "too_many_tries", "Too many passwords are being checked. Try again in a moment.", BUSY_RETRY_S
)
FAILED = Refusal(
    "too_many_tries", "The password could not be checked. Try again in a moment.", BUSY_RETRY_S
)

log = logging.getLogger("chatcore.room")


class Operator(Protocol):
    """One of the settings' operators."""

    @property
    def name(self) -> str: ...
    @property
    def hash(self) -> str: ...


class Keys(Protocol):
    """What is known of passwords: a value, which a reload replaces. The last two are slow and run in a thread."""

    @property
    def guarded(self) -> bool:
        """Who arrives needs a password."""

    def updated(self, server: str | None, operators: Iterable[Operator]) -> Keys:
        """What these settings give; the same one if they have not changed."""

    def kept_of(self, name: str) -> object:
        """What is kept of an operator's password."""

    def remembers(self, password: str) -> bool:
        """It is the server's password, as far as can be told quickly."""

    def opens(self, password: str) -> bool:
        """It is the server's password."""

    def operator(self, name: str, password: str) -> str:
        """The operator's name as it is written, if this is the password; empty if it is not."""


class _Try(NamedTuple):
    connection: Connection
    session: Session | None
    command: Hello | Oper
    counted: tuple[tuple[str, str], ...]
    """On whose account it goes if it is wrong."""


class Admission:
    """See the module.

    `arrive` lets in who has said the server's password; `answer` tells what came of a command; `tell` sends a refusal;
    and `resume` lets a connection's commands go on.
    """

    def __init__(
        self,
        hub: Hub,
        reactor: Reactor,
        limits: Limits,
        keys: Keys,
        arrive: Callable[[Connection, Hello], None],
        answer: Callable[[Connection, Command, Outcome], None],
        tell: Callable[[Connection, Reply], None],
        resume: Callable[[Connection, Pause], None],
    ) -> None:
        self.keys = keys
        self._hub = hub
        self._world = hub.world
        self._reactor = reactor
        self._limits = limits
        self._arrive = arrive
        self._answer = answer
        self._tell = tell
        self._resume = resume
        self._offload = Offload(reactor.call_from_thread)
        self._tries = Tries()
        self._waiting: deque[_Try] = deque()
        self._under_way: Counter[tuple[str, str]] = Counter()
        """How many of each account wait or are being checked."""

    def configure(self, server: str | None, operators: Iterable[Operator]) -> None:
        """From now on these settings hold. Who is an operator by what has gone or changed is one no more."""
        keys = self.keys.updated(server, operators)
        risen = self._world.presence.operators
        for sid, name in list(risen.items()):
            if keys.kept_of(name) != self.keys.kept_of(name):
                del risen[sid]
                log.info("%(operator)s is no operator by the new settings", {"operator": name})
        self.keys = keys

    @property
    def waiting(self) -> int:
        """Passwords that wait, the one that is being checked among them."""
        return len(self._waiting) + self._offload.busy

    def arrival(self, connection: Connection, hello: Hello) -> Arrival:
        """The hello of somebody who is let in, with what is made for everybody who is new."""
        assert connection.dialect is not None
        token = secrets.token_urlsafe(TOKEN_BYTES) if connection.dialect.returns else None
        return Arrival(hello, secrets.token_urlsafe(SID_BYTES), token, connection.peer[0])

    def hello(self, connection: Connection, hello: Hello) -> None:
        """Somebody wants to come in: let them, tell them why not, or have them wait."""
        keys = self.keys
        if not keys.guarded or known(self._world, hello) is not None:
            self._arrive(connection, hello)
        elif type(wrong := names.alias(hello.alias)) is Refusal:
            # It tells of the name and of nobody here, so it need not wait for a password.
            self._tell(connection, Refused(wrong, None, hello.re))
        elif not hello.password:
            self._tell(connection, Refused(NEEDED, None, hello.re))
        elif trying := self._admitted(connection, hello):
            if keys.remembers(hello.password):
                self._arrive(connection, hello)
            else:
                self._wait(trying)

    def oper(self, connection: Connection, command: Oper) -> None:
        """Somebody in the house wants to be an operator."""
        if trying := self._admitted(connection, command):
            self._wait(trying)

    def _admitted(self, connection: Connection, command: Hello | Oper) -> _Try | None:
        """It may be tried now; otherwise it has been refused."""
        counted = _accounts(connection, command)
        refusal = self._too_many(counted)
        if refusal is None and self.waiting >= self._limits.logins_waiting:
            refusal = BUSY
        if refusal is not None:
            self._tell(connection, Refused(refusal, None, command.re))
            return None
        return _Try(connection, connection.session, command, counted)

    def _too_many(self, counted: tuple[tuple[str, str], ...]) -> Refusal | None:
        now, a_minute = self._reactor.now, self._limits.logins_per_minute
        for key in counted:
            left = self._tries.left(key, now, a_minute)
            if not left:
                wait_s = max(BUSY_RETRY_S, round(self._tries.wait_s(key, now, a_minute), 1))
                whose = "from your address" if key[0] == "address" else "for that name"
                words = f"Too many wrong passwords {whose}. Try again in {wait_s:.0f} s."
                return Refusal("too_many_tries", words, wait_s)
            if self._under_way[key] >= left:
                return BUSY
        return None

    def _wait(self, trying: _Try) -> None:
        self._waiting.append(trying)
        self._under_way.update(trying.counted)
        trying.connection.pause(Pause.PASSWORD)
        self._next()

    def _next(self) -> None:
        """Give the thread the next one, if it has none. Those who need it no more are done with here."""
        while self._waiting and not self._offload.busy:
            trying, keys = self._waiting.popleft(), self.keys
            command = trying.command
            if _gone(trying.connection):
                self._done(trying, None)
            elif type(command) is Oper:
                work: Callable[[], str | bool] = partial(
                    keys.operator, command.name, command.password
                )
                self._offload.do(work, partial(self._checked, trying, keys))
            elif keys.remembers(command.password or ""):
                # Somebody before it had the same.
                self._done(trying, True)
            else:
                work = partial(keys.opens, command.password or "")
                self._offload.do(work, partial(self._checked, trying, keys))

    def _checked(self, trying: _Try, keys: Keys, found: str | bool | None) -> None:
        if keys is self.keys:
            if found is not None and not found:
                self._count(trying)
            self._done(trying, found)
        else:
            # The settings have changed meanwhile, and the password may be right or wrong now.
            self._waiting.appendleft(trying)
        self._next()

    def _count(self, trying: _Try) -> None:
        """It was wrong; also when whoever tried did not wait for the answer."""
        for key in trying.counted:
            self._tries.wrong(key, self._reactor.now, self._limits.logins_per_minute)
        what = "the server"
        if type(trying.command) is Oper:
            # Never the name as it was sent: people send the password first.
            what = "an operator"
        fields = {"peer": trying.connection.address, "of": what}
        log.info("%(peer)s sent a wrong password of %(of)s", fields)

    def _done(self, trying: _Try, found: str | bool | None) -> None:
        """It counts no more. What it finds is told in a turn of its own, so that no answer can hold up the next."""
        self._under_way.subtract(trying.counted)
        self._under_way += Counter()  # lets go of those at 0
        self._reactor.call_soon(partial(self._tell_result, trying, found))

    def _tell_result(self, trying: _Try, found: str | bool | None) -> None:
        connection, session, command, _ = trying
        if _gone(connection):
            return
        self._reactor.call_soon(partial(self._resume, connection, Pause.PASSWORD))
        if found is None:
            self._tell(connection, Refused(FAILED, None, command.re))
        elif type(command) is Hello:
            if found:
                self._arrive(connection, command)
            else:
                self._tell(connection, Refused(WRONG, None, command.re))
        elif type(found) is str and session is not None and connection.session is session:
            if found:
                fields = {"peer": connection.address, "operator": found}
                log.info("%(peer)s is the operator %(operator)s now", fields)
                self._answer(connection, command, self._hub.rise(session, found, command.re))
            else:
                self._tell(connection, Refused(WRONG_LOGIN, None, command.re))


def _gone(connection: Connection) -> bool:
    return connection.closing or connection.finishing


def _accounts(connection: Connection, command: Hello | Oper) -> tuple[tuple[str, str], ...]:
    """On whose account it goes if it is wrong."""
    address = site(connection.peer[0])
    of_address = () if address is None else (("address", address),)
    if type(command) is Hello:
        return of_address
    # What is too long for a name is nobody's: those share one count.
    name = command.name if len(command.name) <= names.NAME_CHARACTERS else ""
    return (*of_address, ("account", names.fold(name)))
