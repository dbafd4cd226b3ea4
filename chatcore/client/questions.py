"""The prompt, and the two questions that take its place: another alias, and whether a paste is meant.

Invariant: while a question stands, the line that was being typed is kept aside, and put back after it; no key that
answers a question ends up in a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.client.link import State
from chatcore.client.safe import safe, safe_lines

if TYPE_CHECKING:
    from chatcore.client.console import Console
    from chatcore.client.link import Link

ALIAS_QUESTION = "Choose an alias:"
PASTE_SHOWN_LINES = 12
"""Of a paste under review: half a small console."""
PENDING_CHARACTERS = 24
"""Of the line that waits: enough to know it by, and the prompt stays short."""


class Questions:
    def __init__(self, console: Console) -> None:
        self.wants_alias = False
        self._console = console
        self._paste = ""
        self._kept = ""
        self._shown = ""

    @property
    def wants_yes(self) -> bool:
        return bool(self._paste)

    def prompt(self, words: str) -> None:
        """`words`: the ordinary prompt, shown unless a question stands."""
        if self.wants_alias:
            words = f"{ALIAS_QUESTION} "
        elif self._paste:
            words = f"Send {len(self._paste.splitlines())} lines as one message? [y/N] "
        if words != self._shown:
            self._shown = words
            self._console.prompt(words, asks=self.wants_alias or self.wants_yes)

    def ask_alias(self) -> None:
        self._keep_line()
        self.wants_alias, self._shown = True, ""

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

    def cancel_paste(self) -> bool:
        """False: none was under review."""
        asked, self._paste = bool(self._paste), ""
        if asked:
            self._put_line_back()
        return asked

    def answered(self) -> None:
        self.wants_alias = False
        self._put_line_back()

    def _keep_line(self) -> None:
        if not self.wants_alias and not self._paste:
            self._kept = self._console.take()

    def _put_line_back(self) -> None:
        kept, self._kept = self._kept, ""
        if kept:
            self._console.restore(kept)


def prompt_words(room: str, link: Link, pending: bool) -> str:
    """`#lobby> `; with what waits, and whether one is in: `(… hi) #lobby (offline)> `."""
    waiting = _waiting_words(link) if pending else ""
    state = "" if link.state is State.JOINED else " (offline)"
    return f"{waiting}{safe(room) or '(no room)'}{state}> "


def _waiting_words(link: Link) -> str:
    first = next((each for each in link.outbox if each.is_line), None)
    if first is None:
        return ""
    text = safe((first.text or "").split("\n")[0])
    excerpt = text if len(text) <= PENDING_CHARACTERS else f"{text[:PENDING_CHARACTERS]}…"
    others = len(link.outbox) - 1
    return f"(… {excerpt}) " if not others else f"(… {excerpt} and {others:,} more) "
