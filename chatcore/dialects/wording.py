"""Sentences that several dialects speak."""

from __future__ import annotations

from chatcore.hub.reply import Refusal
from chatcore.hub.text import shown

__all__ = [
    "LINE_BYTES",
    "TEXT_LINES",
    "TRIES",
    "and_others",
    "missed_words",
    "notice",
    "shown",
    "too_long",
]
"""`shown` for the client, which knows dialects and no hub: the same stand-ins on both sides of the wire."""

LINE_BYTES = 4_096
"""Bytes of the longest line: IRCv3's and Ergo's limit with tags is as long, and no screen shows more of one line."""

TEXT_LINES = 256
"""Lines of the longest text: with the longest alias before each, it still renders to less than a page of 64 KiB."""

TRIES = 64
"""Aliases, or messages before an accepted hello, that one connection may try: a person needs a handful, a program
that guesses should stop."""


def too_long(what: str, limit: str) -> Refusal:
    return Refusal(
        "too_long", f"{what} is longer than {limit}; nothing of it was sent. Send it in parts."
    )


def notice(words: str) -> bytes:
    """`-- words`, a line to one person in plain text."""
    return f"-- {words}\n".encode()


def and_others(names: tuple[str, ...], count: int) -> str:
    """`Ann`, `Ann and Bob`, `Ann, Bob and 62 others`; `count` counts all of them."""
    others = count - len(names)
    if others > 0:
        return f"{', '.join(names)} and {others:,} other{'s' if others > 1 else ''}"
    return " and ".join(names) if len(names) <= 2 else f"{', '.join(names[:-1])} and {names[-1]}"


def missed_words(lines: int) -> str:
    """The notice in the place of lines that a reader will not get; 0: how many there were, nobody knows any more."""
    if not lines:
        return "— what was said before this is no longer kept —"
    return f"— {lines:,} line{'s' if lines > 1 else ''} missed —"
