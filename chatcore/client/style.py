"""Lines as text: the words, colours and times that a person reads.

Invariants: without colours and times a line is exactly the text that docs/PROTOCOL.md shows; meaning is never in
the colour alone; everything that came from elsewhere has been made safe; the only escape sequences are the SGR ones
made here. The clock and the time zone are arguments.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chatcore.client.answers import and_others
from chatcore.client.lines import Kind, Line
from chatcore.client.names import fold
from chatcore.client.safe import safe, safe_lines
from chatcore.dialects.wording import missed_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date, tzinfo

PALETTE = (28, 30, 31, 63, 64, 97, 99, 130, 131, 132, 133, 163)
"""Of the 256 colours: twelve hues with a contrast of at least 4:1 on black and on white (WCAG asks 3:1 of large
text); none is the grey of notices. A test computes it."""
HASH_SEED = 6
"""So that the four bundled aliases get colours that nobody mixes up."""
BOLD, DIM, HIGHLIGHT, RESET = "\x1b[1m", "\x1b[2m", "\x1b[1;7m", "\x1b[0m"

HAVE_LEFT = "have left the chat room!"
HAVE_CONNECTED = "have connected to the chat room"


def wants_color(choice: str, environ: Mapping[str, str], is_tty: bool) -> bool:
    """A non-empty NO_COLOR wins (no-color.org), then `--color`, then what the output is."""
    if environ.get("NO_COLOR"):
        return False
    if choice == "auto":
        return is_tty and environ.get("TERM", "dumb") != "dumb"
    return choice == "always"


@dataclass(frozen=True, slots=True)
class Looks:
    color: bool = False
    time: str = "none"
    """`hm`, `iso` or `none`."""
    words: bool = False
    """Words instead of glyphs, for who listens to the screen."""


class Style:
    """`now` tells the local time; `zone` None is the machine's. Remembers one thing: the day last shown."""

    def __init__(
        self, looks: Looks, now: Callable[[], datetime], zone: tzinfo | None = None
    ) -> None:
        self._looks, self._now, self._zone = looks, now, zone
        self._day: date = now().date()

    def render(self, line: Line) -> list[str]:
        then = self._local(line.time)
        stamp = self._stamp(then, line.past)
        room = f"{safe(line.room)} " if line.room else ""
        texts = self._texts(line)
        if line.mention and self._looks.color:
            texts = [f"{HIGHLIGHT}{text}{RESET}" for text in texts]
        texts = [stamp + room + text for text in texts]
        return self._new_day(then) + texts

    # Times

    def _local(self, time: str) -> datetime | None:
        try:
            return datetime.fromisoformat(time).astimezone(self._zone) if time else None
        except (ValueError, OverflowError, OSError):  # not a time, or none of this calendar
            return None

    def _stamp(self, then: datetime | None, past: bool) -> str:
        if then is None:
            return ""
        if self._looks.time == "iso":
            return self._dim(f"[{then.isoformat(timespec='seconds')}]") + " "
        if self._looks.time == "hm":
            return self._dim(f"[{then:%H:%M}]") + " "
        if not past:
            return ""
        today = then.date() == self._now().date()
        return f"[{then:%H:%M}] " if today else f"[{then:%Y-%m-%d %H:%M}] "

    def _new_day(self, then: datetime | None) -> list[str]:
        """With short times, the day is said when it is another one than that of the line before."""
        if then is None or self._looks.time != "hm" or then.date() == self._day:
            return []
        self._day = then.date()
        day = f"{then:%A} {then.date().isoformat()}"
        return [f"-- {day}" if self._looks.words else self._dim(f"── {day} ──")]

    # Words

    def _texts(self, line: Line) -> list[str]:  # noqa: C901, PLR0911, PLR0912 - one arm a kind of line
        name, other = self._name(line.name, line, own=line.own), self._name(line.other, line)
        match line.kind:
            case Kind.SAID:
                return [f"{name}: {text}" for text in safe_lines(line.text)]
            case Kind.ACTION:
                return [f"* {name} {text}" for text in safe_lines(line.text)]
            case Kind.DIRECT:
                return [f"[{name} -> {other}] {text}" for text in safe_lines(line.text)]
            case Kind.JOINED:
                return [f"{name} has connected to the chat room"]
            case Kind.LEFT:
                words = f" ({safe(line.text)})" if line.text else ""
                return [f"{name} has left the chat room!{words}"]
            case Kind.RENAMED:
                return [f"{name} is now known as {self._name(line.other, line, own=line.own)}"]
            case Kind.TOPIC:
                text = f"set the topic: {safe(line.text)}" if line.text else "cleared the topic"
                return [f"{name} {text}"]
            case Kind.ACT:
                return [self._act(text) for text in line.text.split("\n")]
            case Kind.CROWD_JOINED | Kind.CROWD_LEFT:
                return [self._crowd(line)]
            case Kind.MISSED:
                return [self._dim(missed_words(line.count))]
            case Kind.CONNECTED:
                return ["Connected to the server!"]
            case Kind.NOTICE | Kind.REFUSED:
                return [self._dim(f"-- {text}") for text in safe_lines(line.text)]
            case Kind.LOST | Kind.BACK:
                return [self._break(line)]

    def _crowd(self, line: Line) -> str:
        names = safe(and_others(line.parts, line.count))
        words = HAVE_CONNECTED if line.kind is Kind.CROWD_JOINED else HAVE_LEFT
        one = len(line.parts) + line.count == 1
        return f"{names} {words.replace('have', 'has', 1) if one else words}"

    def _act(self, text: str) -> str:
        """As the server puts it to one person, with a `--`, or to the room."""
        return self._dim(safe(text)) if text.startswith("--") else safe(text)

    def _break(self, line: Line) -> str:
        """A break in the flow: the connection went, or came back."""
        parts = [*line.parts]
        if line.kind is Kind.LOST:
            at = f" {self._now():%H:%M:%S}" if line.own else ""
            parts.insert(0, f"{line.name}{at} ({line.text})")
        parts = [safe(part) for part in parts]
        if not self._looks.words:
            return self._dim(f"── {' · '.join(parts)} ──")
        return "-- " + " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts)

    # Colours

    def _name(self, name: str, line: Line, own: bool = False) -> str:
        shown = safe(name)
        if not self._looks.color or not shown or line.mention:  # a colour would end the highlight
            return shown
        if own:
            return f"{BOLD}{shown}{RESET}"
        # crc32 and not hash(): the same in every process
        number = zlib.crc32(fold(name).encode("utf-8", "replace"), HASH_SEED)
        return f"\x1b[38;5;{PALETTE[number % len(PALETTE)]}m{shown}{RESET}"

    def _dim(self, text: str) -> str:
        return f"{DIM}{text}{RESET}" if self._looks.color else text
