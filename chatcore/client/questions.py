"""The prompt, and the questions that take its place: an alias, a password, and whether a paste is meant.

Invariants: while a question stands, the line that was being typed is kept aside, and put back after it; no key that
answers a question ends up in a message. A password is typed unseen, and kept nowhere here; and from the moment that
one is asked for until it is known to be right, nothing that is typed is said: it may be the password, once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from chatcore.client import events
from chatcore.client.messages import Request
from chatcore.client.safe import safe, safe_lines
from chatcore.client.standing import PASSWORD_CODES, State

if TYPE_CHECKING:
    from chatcore.client.console import Console
    from chatcore.client.events import Event
    from chatcore.client.link import Link

ALIAS_QUESTION = "Choose an alias:"
CHECKING = "Checking the password …"
EARLY = "Not sent: the password is still being checked. /quit leaves."
REST = "Not sent: what you typed unseen. Enter goes on: "
PASTE_SHOWN_LINES = 12
"""Of a paste under review: half a small console."""
PENDING_CHARACTERS = 24
"""Of the line that waits: enough to know it by, and the prompt stays short."""


class Alias(NamedTuple):
    alias: str


class Password(NamedTuple):
    """The server's."""

    password: str


class Pasted(NamedTuple):
    """A paste that was looked at, and is meant."""

    text: str


class Early(NamedTuple):
    """Typed while a password is being checked."""


class Unsaid(NamedTuple):
    """It was an answer, and there is nothing more to do."""


Answer: TypeAlias = Alias | Password | Request | Pasted | Early | Unsaid
"""A request is one that waited for a password, which it has now."""


class Questions:
    def __init__(self, console: Console) -> None:
        self._wants_alias = False
        self._wants_password = False
        """The server's."""
        self._is_checking = False
        """The server's password was asked for, and one is not in yet."""
        self._has_rest = False
        """Somebody is in the middle of typing a password that nobody asks for any more: up to the next Enter."""
        self._secret: Request | None = None
        """It wants an operator's password before it can be sent."""
        self._rising: Request | None = None
        """It was sent with an operator's password, and is not answered yet."""
        self._console = console
        self._paste = ""
        self._kept = ""
        self._shown = ""

    @property
    def _is_unseen(self) -> bool:
        server = self._wants_password or self._is_checking or self._has_rest
        return server or self._secret is not None or self._rising is not None

    @property
    def _stands(self) -> bool:
        return self._wants_alias or self._is_unseen or bool(self._paste)

    def prompt(self, words: str) -> None:
        """`words`: the ordinary prompt, shown unless a question stands."""
        if self._has_rest:
            words = REST
        elif self._wants_alias:
            words = f"{ALIAS_QUESTION} "
        elif self._wants_password:
            words = "The server's password: "
        elif self._is_checking or self._rising:
            words = f"{CHECKING} "
        elif self._secret:
            words = f"The password of the operator {safe(self._secret.name)}: "
        elif self._paste:
            words = f"Send {len(self._paste.splitlines())} lines as one message? [y/N] "
        if words != self._shown:
            self._shown = words
            hidden = self._has_rest or (self._is_unseen and not self._wants_alias)
            self._console.prompt(words, asks=self._stands, hidden=hidden)

    def heed(self, event: Event, *, was_joined: bool) -> None:
        """What happened asks a question, or settles one. `was_joined`: before it happened."""
        match event:
            case events.AliasRefused():
                self.ask_alias()
            case events.PasswordRefused():
                self._ask_password(keeps_line=was_joined)
            case events.Welcomed():
                self._let_in()
            case events.Lost():
                self._risen()
            case events.Answer(request=request) if request.kind == "oper":
                self._risen()
            case events.Refusal(request=Request(kind="oper") as request):
                if event.code in PASSWORD_CODES:
                    self._ask_secret_again(request)
                else:
                    self._risen()
            case _:
                pass

    # What is asked

    def ask_alias(self) -> None:
        self._keep_line()
        if self._is_unseen:
            self._throw_away()  # neither the beginning of a password nor its rest is an alias
        self._wants_alias, self._shown = True, ""

    def _ask_password(self, *, keeps_line: bool) -> None:
        """`keeps_line`: what is being typed is a line; otherwise it may be the password, typed ahead."""
        if keeps_line:
            self._keep_line()
        elif not self._stands:
            self._console.take()
        self._wants_password = self._is_checking = True
        self._shown = ""

    def _let_in(self) -> None:
        """The password that was typed is right. The beginning of another one is thrown away, and its rest, too."""
        if self._is_checking:
            self._wants_password = self._is_checking = False
            self._throw_away()
            self._put_line_back()

    def ask_secret(self, request: Request) -> None:
        self._keep_line()
        self._secret, self._shown = request, ""

    def _ask_secret_again(self, request: Request) -> None:
        """Whoever was wrong types it again, and must not say it: the new question stands before the old one goes."""
        self.ask_secret(request._replace(password=""))
        self._rising = None

    def _risen(self) -> None:
        """The operator's password is known to be right or wrong."""
        if self._rising is not None:
            self._rising = None
            self._throw_away()
            self._put_line_back()

    def _throw_away(self) -> None:
        """What is being typed unseen; its rest, too, which would be seen."""
        is_begun = bool(self._console.take())
        self._has_rest = self._has_rest or is_begun

    def ask_paste(self, text: str) -> list[str]:
        """The lines to review."""
        self._keep_line()
        self._paste = text.rstrip("\r\n")
        lines = safe_lines(self._paste)
        shown = [f"  | {line}" for line in lines[:PASTE_SHOWN_LINES]]
        more = len(lines) - PASTE_SHOWN_LINES
        return [*shown, f"  | … and {more:,} more"] if more > 0 else shown

    def cancel(self) -> bool:
        """False: nothing was asked that one may leave open."""
        asked = bool(self._paste or self._secret or self._rising)
        self._paste, self._secret, self._rising = "", None, None
        if asked:
            self._put_line_back()
        return asked

    # What is answered

    def answer(self, text: str) -> Answer | None:
        """None: it answers nothing, it is a line. Enter alone is `no`, unless one cannot go on without an answer."""
        if self._has_rest:
            self._has_rest = False
            self._put_line_back()
            return Unsaid()
        if self._wants_alias:
            return self._named(text.strip())
        if self._is_unseen:
            return self._given(text)
        if self._paste:
            return self._decided(text)
        return None if text else Unsaid()

    def _named(self, alias: str) -> Answer:
        if not alias:
            return Unsaid()
        self._wants_alias = False
        self._put_line_back()
        return Alias(alias)

    def _given(self, password: str) -> Answer:
        if self._wants_password:
            self._wants_password = not password
            return Password(password) if password else Unsaid()
        if self._is_checking or self._rising:
            return Early() if password else Unsaid()
        request, self._secret = self._secret, None
        if request is not None and password:
            self._rising = request
            return request._replace(password=password)
        self._put_line_back()
        return Unsaid()

    def _decided(self, answer: str) -> Answer:
        """What is neither yes nor no is no, and perhaps a line: it is not thrown away."""
        paste, self._paste = self._paste, ""
        word = answer.strip().casefold()
        if word not in {"y", "yes", "n", "no"}:
            self._kept = self._kept or answer
        self._put_line_back()
        return Pasted(paste) if word in {"y", "yes"} else Unsaid()

    def _keep_line(self) -> None:
        if not self._stands:
            self._kept = self._console.take()

    def _put_line_back(self) -> None:
        if self._stands:
            return  # one question answered, another to go
        kept, self._kept = self._kept, ""
        if kept:
            self._console.restore(kept)


def prompt_words(room: str, link: Link, pending: bool, plain: bool) -> str:
    """`#lobby> `; with what waits, and whether one is in: `(… hi) #lobby (offline)> `. `plain`: not encrypted."""
    waiting = _waiting_words(link) if pending else ""
    here = " (plain)" if plain else ""
    state = here if link.state is State.JOINED else " (offline)"
    return f"{waiting}{safe(room) or '(no room)'}{state}> "


def _waiting_words(link: Link) -> str:
    first = next((each for each in link.outbox if each.is_line), None)
    if first is None:
        return ""
    text = safe((first.text or "").split("\n")[0])
    excerpt = text if len(text) <= PENDING_CHARACTERS else f"{text[:PENDING_CHARACTERS]}…"
    others = len(link.outbox) - 1
    return f"(… {excerpt}) " if not others else f"(… {excerpt} and {others:,} more) "
