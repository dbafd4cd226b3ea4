"""The prompt, and the questions that take its place: an alias, a password, and whether a paste is meant.

Invariant: while a question stands, the line that was being typed is kept aside, and put back after it; no key that
answers a question ends up in a message. A password is typed unseen, and kept nowhere here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.client.safe import safe, safe_lines
from chatcore.client.standing import State

if TYPE_CHECKING:
    from chatcore.client.console import Console
    from chatcore.client.link import Link
    from chatcore.client.messages import Request

ALIAS_QUESTION = "Choose an alias:"
PASTE_SHOWN_LINES = 12
"""Of a paste under review: half a small console."""
PENDING_CHARACTERS = 24
"""Of the line that waits: enough to know it by, and the prompt stays short."""


class Questions:
    def __init__(self, console: Console) -> None:
        self.wants_alias = False
        self.wants_password = False
        """The server's."""
        self._secret: Request | None = None
        """It wants an operator's password before it can be sent."""
        self._console = console
        self._paste = ""
        self._kept = ""
        self._shown = ""

    @property
    def wants_yes(self) -> bool:
        return bool(self._paste)

    @property
    def _stands(self) -> bool:
        return bool(self.wants_alias or self.wants_password or self._secret or self._paste)

    def prompt(self, words: str) -> None:
        """`words`: the ordinary prompt, shown unless a question stands."""
        if self.wants_alias:
            words = f"{ALIAS_QUESTION} "
        elif self.wants_password:
            words = "The server's password: "
        elif self._secret:
            words = f"The password of the operator {safe(self._secret.name)}: "
        elif self._paste:
            words = f"Send {len(self._paste.splitlines())} lines as one message? [y/N] "
        if words != self._shown:
            self._shown = words
            hidden = not self.wants_alias and bool(self.wants_password or self._secret)
            self._console.prompt(words, asks=self._stands, hidden=hidden)

    def ask_alias(self) -> None:
        self._keep_line()
        self.wants_alias, self._shown = True, ""

    def ask_password(self) -> None:
        self._keep_line()
        self.wants_password, self._shown = True, ""

    def answered_password(self) -> None:
        self.wants_password = False
        self._put_line_back()

    def ask_secret(self, request: Request) -> None:
        self._keep_line()
        self._secret, self._shown = request, ""

    def answered_secret(self) -> Request | None:
        """What was to be sent with the password that has been typed now; None: no password was asked for."""
        request, self._secret = self._secret, None
        if request is not None:
            self._put_line_back()
        return request

    def ask_paste(self, text: str) -> list[str]:
        """The lines to review."""
        self._keep_line()
        self._paste = text.rstrip("\r\n")
        lines = safe_lines(self._paste)
        shown = [f"  | {line}" for line in lines[:PASTE_SHOWN_LINES]]
        more = len(lines) - PASTE_SHOWN_LINES
        return [*shown, f"  | … and {more:,} more"] if more > 0 else shown

    def answer_paste(self, answer: str) -> str:
        """What to send. An answer that is neither yes nor no is no, and perhaps a line: it is not thrown away."""
        paste, self._paste = self._paste, ""
        word = answer.strip().casefold()
        if word not in {"y", "yes", "n", "no"}:
            self._kept = self._kept or answer
        self._put_line_back()
        return paste if word in {"y", "yes"} else ""

    def cancel(self) -> bool:
        """False: nothing was asked that one may leave open."""
        asked = bool(self._paste or self._secret)
        self._paste, self._secret = "", None
        if asked:
            self._put_line_back()
        return asked

    def answered(self) -> None:
        self.wants_alias = False
        self._put_line_back()

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
