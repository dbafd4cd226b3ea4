"""The loop of the client: one thread that waits for the server, the person and the clock, and brings them together.

It decides nothing about the protocol (`Link`), about words (`Model`, `Style`) or about the terminal (`Console`); it
decides when to connect, when to read the input, when to leave, and with which exit code.
Invariant: `run` returns an exit code after every kind of end; input is not read while too much of it waits.
"""

from __future__ import annotations

import random
import secrets
import selectors
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from chatcore import __version__
from chatcore.client import events, exits, messages, questions
from chatcore.client.answers import left_behind, left_behind_words
from chatcore.client.commands import (
    Mistake,
    Quit,
    Reconnect,
    Retry,
    Switch,
    Tell,
    interpret,
    is_about_connection,
    is_without_password,
)
from chatcore.client.completion import Completer
from chatcore.client.console import OutputLostError
from chatcore.client.editor import EndOfInput, Interrupt, Paste, Submit, Suspend
from chatcore.client.lines import Kind, Line, notice
from chatcore.client.link import Link
from chatcore.client.model import Model
from chatcore.client.network import Failed, Happening, Network, Noted, Opened, Received
from chatcore.client.patience import Patience
from chatcore.client.safe import safe
from chatcore.client.standing import State
from chatcore.client.teller import Teller

if TYPE_CHECKING:
    from chatcore.client.console import Console
    from chatcore.client.editor import Input
    from chatcore.client.messages import Request
    from chatcore.client.options import Options
    from chatcore.client.signals import Signals
    from chatcore.client.style import Style
    from chatcore.client.trust import Distrusted, Trust

MAX_WAITING = 256
"""Piped lines that wait for the server; beyond it standard input is not read, so that 10 MB of it stay outside."""
LEAVE_S = 5.0
"""How long leaving waits for what is still to be acknowledged; a second Ctrl-C waits no longer."""
MAX_WAIT_S = 60.0
PASSWORD_HINT = "Give it with --password-file FILE, or in the variable CHATCORE_PASSWORD."

ENDING_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
SIGNALS = (*ENDING_SIGNALS, signal.SIGWINCH)


class Chat:
    """`interactive`: there is somebody to ask. If there is not, the end of the input is the end of the visit."""

    def __init__(
        self,
        options: Options,
        console: Console,
        style: Style,
        signals: Signals,
        *,
        interactive: bool,
        trust: Trust | None = None,
    ) -> None:
        self.last_words: list[str] = []
        """For standard error, when the console is closed."""
        self._options, self._console, self._style = options, console, style
        self._signals, self._interactive = signals, interactive
        self._code: int | None = None
        prefix = secrets.token_hex(4)
        self._link = Link(
            options.alias, [options.room], prefix, f"chatcore/{__version__}", options.password
        )
        self._model = Model(options.alias, options.room, options.address, self._link.is_own)
        self._model.reconnect = options.reconnect
        self._teller = Teller(
            console, style, self._model, json=options.json, interactive=interactive
        )
        console.completes(Completer(self._model))
        self._questions = questions.Questions(self._console)
        self._selector = selectors.SelectSelector()  # epoll takes no files: `client < lines.txt`
        self._network = Network(
            options.host, options.port, self._selector, self._on_network, signals.wake, trust
        )
        self._selector.register(signals, selectors.EVENT_READ, self._on_signals)
        self._reading, self._input_fd = False, -1
        self._input_ended, self._goodbye = False, ""
        self._leaving: int | None = None  # the exit code to leave with
        self._leave_by: float | None = None
        self._refused = 0
        self._reason = "no answer"
        self._now = time.monotonic()
        self._patience = Patience(options.timeout_s, self._now, forever=interactive)

    def run(self) -> int:
        if not self._options.alias:
            self._questions.ask_alias()
        try:
            while self._code is None:
                self._now = time.monotonic()
                self._settle()
                if self._code is None:
                    self._wait()
            return self._code
        finally:
            # Also after an exception: an alias that is not given back is held for a while.
            with suppress(OutputLostError):
                self._console.prompt("", asks=False, hidden=False)
            self._link.quit("", self._now, waits=False)
            self._network.send(self._link.data_to_send())
            self._network.close()
            self._selector.close()

    # One turn

    def _wait(self) -> None:
        ready = self._selector.select(self._seconds_to_wait())
        self._now = time.monotonic()
        for key, mask in ready:
            key.data(mask, self._now)
        self._take(self._network.overdue(self._now))
        self._link.tick(self._now)

    def _settle(self) -> None:
        """Bring everybody up to date with what this turn changed."""
        if self._link.hangup is not None:
            reason = self._link.hangup
            self._network.close()
            self._link.lost(reason, self._now, random.random())
        if self._is_time_to_dial():
            self._take(self._network.dial(self._now))
        self._note_progress()
        self._check_deadlines()
        self._network.send(self._link.data_to_send())
        self._tell(self._link.take_events())
        self._read_or_not()
        if self._code is None:
            pending, plain = self._patience.is_pending_shown(self._now), self._options.is_plainly
            words = questions.prompt_words(self._model.current, self._link, pending, plain)
            self._questions.prompt(words)

    def _is_time_to_dial(self) -> bool:
        offline = self._link.state is State.OFFLINE and self._now >= self._link.retry_at
        return offline and self._network.is_idle

    def _seconds_to_wait(self) -> float:
        times = [self._link.deadline, self._network.deadline, self._leave_by]
        times += self._patience.deadlines(self._now)
        if self._link.state is State.OFFLINE and self._network.is_idle:
            times.append(self._link.retry_at)
        soonest = min((each for each in times if each is not None), default=self._now + MAX_WAIT_S)
        return max(0.0, min(soonest - self._now, MAX_WAIT_S))

    def _note_progress(self) -> None:
        state = self._link.state
        joined, offline = state is State.JOINED, state is State.OFFLINE
        self._patience.note(len(self._link.outbox), self._now, joined=joined, offline=offline)

    # Ends

    def _check_deadlines(self) -> None:
        patience = self._patience
        if patience.connect_by is not None and self._now >= patience.connect_by:
            held = self._link.state is State.HELD
            words = f"Cannot connect to {self._options.address} ({self._reason})."
            self._end(
                exits.EXIT_REFUSED if held else exits.EXIT_UNAVAILABLE,
                self._reason if held else words,
            )
        elif patience.acknowledge_by is not None and self._now >= patience.acknowledge_by:
            lines = f"{patience.waiting:,} line{'s' if patience.waiting > 1 else ''}"
            self._end(
                exits.EXIT_UNSENT, f"{lines} not acknowledged within {self._options.timeout_s:g} s."
            )
        elif self._leave_by is not None and self._now >= self._leave_by:
            self._left()
        elif self._is_done:
            self._leave(self._goodbye, exits.EXIT_OK)

    @property
    def _is_done(self) -> bool:
        """The input has ended, and all of it is answered; the last thing is a goodbye, if one is in."""
        if not self._input_ended or self._patience.waiting or self._leaving is not None:
            return False
        lost = self._link.state is State.OFFLINE and self._patience.was_joined
        return lost or self._link.state is State.JOINED

    def _leave(self, words: str, code: int) -> None:
        """Say goodbye when all is acknowledged; the second time, or without a connection, at once."""
        if self._leaving is not None:
            self._leaving = code
            self._left()
            return
        self._leaving, self._leave_by = code, self._now + LEAVE_S
        self._model.leaving = True
        self._link.quit(words, self._now)

    def _left(self, *words: str) -> None:
        code = self._leaving or exits.EXIT_OK
        waiting = self._link.outbox.unanswered()
        if waiting or (self._refused and not self._interactive):
            code = code or exits.EXIT_UNSENT
        if self._interactive:
            with suppress(OutputLostError):  # the exit code says it as well
                for line, was_sent in waiting:
                    self._teller.complain(self._model.show(left_behind(line, was_sent)))
        else:
            sent = sum(was_sent for _, was_sent in waiting)
            self.last_words += left_behind_words(sent, len(waiting) - sent)
        self._end(code, *words)

    def _end(self, code: int, *words: str) -> None:
        """`words` may be the server's."""
        if self._code is None:
            self._code = code
            self.last_words += map(safe, words)

    # What the server and the network say

    def _on_network(self, mask: int, now: float) -> None:
        self._take(self._network.ready(mask, now))

    def _take(self, happenings: list[Happening]) -> None:
        for each in happenings:
            match each:
                case Opened():
                    self._link.connected(self._now)
                case Received(data):
                    self._link.received(data, self._now)
                case Failed(reason):
                    self._link.lost(reason, self._now, random.random())
                case Noted(words):
                    self._teller.complain(notice(*words))
                case _:
                    self._on_distrusted(each)

    def _on_distrusted(self, distrusted: Distrusted) -> None:
        """Nothing was said to that server, and nothing will be: coming back is for the person to decide."""
        self._leaving = exits.EXIT_CHANGED if distrusted.changed else exits.EXIT_PROTOCOL
        self._left(*distrusted.words)

    def _tell(self, told: list[events.Event]) -> None:
        if self._interactive:
            # Before anybody sees it: what is typed from then on is no answer to the question before.
            for event in told:
                self._questions.heed(event, was_joined=self._patience.was_joined)
        self._teller.tell(told)
        for event in told:
            self._heed(event)

    def _heed(self, event: events.Event) -> None:
        match event:
            case events.Lost():
                self._reason = event.reason
                if not self._options.reconnect:
                    words = f"No connection to {self._options.address} ({event.reason})."
                    self._end(exits.EXIT_UNAVAILABLE, *([] if self._interactive else [words]))
            case events.Held():
                self._reason = event.words
            case events.AliasRefused() if not self._interactive:
                self._end(exits.EXIT_REFUSED)
            case events.PasswordRefused() if not self._interactive:
                self._end(exits.EXIT_REFUSED, PASSWORD_HINT)
            case events.PasswordRefused():
                # Typed before one could know that a password is wanted, it may be that: it is not said unasked.
                self._teller.here(self._model.withdrawn(self._link.outbox.withdraw()))
            case events.Refusal():
                self._refused += 1
            case events.Ended():
                self._on_ended(event)
            case _:
                pass

    def _on_ended(self, ended: events.Ended) -> None:
        if ended.how == "quit":
            self._left()
        elif ended.how == "protocol":
            self._end(exits.EXIT_PROTOCOL, f"{self._options.address}: {ended.words}")
        elif ended.how == "removed":
            self._leaving = exits.EXIT_REFUSED
            self._left(ended.words)
        else:
            self._end(exits.EXIT_REFUSED, ended.words)

    # What the person does

    def _read_or_not(self) -> None:
        fd = self._console.input_fd
        few = self._interactive or (self._patience.waiting <= MAX_WAITING and not self._input_ended)
        wanted = fd is not None and few
        if self._reading and not wanted:
            self._selector.unregister(self._input_fd)
        elif wanted and not self._reading and fd is not None:
            self._input_fd = fd
            self._selector.register(fd, selectors.EVENT_READ, self._on_input)
        self._reading = wanted

    def _on_input(self, mask: int, now: float) -> None:
        for each in self._console.read():
            if self._code is None:
                self._on_typed(each)

    def _on_typed(self, typed: Input) -> None:
        match typed:
            case Submit(text):
                self._on_submitted(text)
            case Paste(text):
                self._console.show(self._questions.ask_paste(text))
            case Interrupt():
                if not self._questions.cancel():
                    self._leave("", exits.EXIT_INTERRUPT)
            case EndOfInput():
                self._input_ended = True
                if self._interactive:
                    self._leave("", exits.EXIT_OK)
            case Suspend():
                self._console.suspend()

    def _on_submitted(self, text: str) -> None:
        if self._leaving is not None or (self._input_ended and not self._interactive):
            return
        match self._questions.answer(text):
            case questions.Alias(alias):
                self._link.choose(alias, self._now)
            case questions.Password(password):
                self._link.unlock(password, self._now)
            case messages.Request() as request:
                self._ask(request)
            case questions.Pasted(pasted):
                self._ask(messages.Request("say", room=self._model.current, text=pasted))
            case questions.Early() if not is_about_connection(text, self._model):
                self._teller.here(notice(questions.EARLY))
            case questions.Unsaid():
                pass
            case _:
                self._do(text)

    def _do(self, text: str) -> None:
        match interpret(text, self._model):
            case messages.Request() as request:
                self._ask(request)
            case Tell(lines):
                self._teller.here(notice(*lines))
            case Mistake(words):
                self._refused += 1
                self._teller.here([Line(Kind.REFUSED, words)])
            case Switch(room):
                self._teller.here(self._model.switch(room))
            case Quit(words):
                self._input_ended, self._goodbye = True, words
                if self._interactive:
                    self._leave(words, exits.EXIT_OK)
            case Retry():
                for request in self._model.take_refused():
                    self._ask(request)
            case Reconnect():
                self._reconnect()

    def _reconnect(self) -> None:
        if self._link.state is State.JOINED:
            self._teller.here(notice("You are connected."))
        else:
            self._model.is_called_back = True
            self._link.retry_now(self._now)

    def _ask(self, request: Request) -> None:
        if is_without_password(request) and self._interactive:
            self._questions.ask_secret(request)
            return
        self._model.asked(request)
        self._link.ask(request, self._now)

    def _on_signals(self, mask: int, now: float) -> None:
        numbers = self._signals.take()
        for number in ENDING_SIGNALS & numbers:
            self._leave("", exits.SIGNAL_EXIT + number)
            self._network.send(self._link.data_to_send())
            self._left()
        if self._code is not None:
            return  # a terminal that hangs up sends SIGCONT, too
        if signal.SIGCONT in numbers:
            self._console.resumed()
        elif signal.SIGTSTP in numbers:
            self._console.suspend()
        if signal.SIGWINCH in numbers:
            self._console.resized()
