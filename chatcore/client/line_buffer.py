"""The line being typed: its text, the cursor, what was killed, and the way back.

Invariants: the text never exceeds `MAX_LINE_BYTES` of UTF-8; the cursor never stands inside a cluster; every change
can be undone, the last `UNDO_STEPS` of them. It knows words and clusters, no keys. Pure.
"""

from __future__ import annotations

import enum
import re
from collections import deque

from chatcore.client import width

MAX_LINE_BYTES = 4096
"""What the server takes as one text (docs/PROTOCOL.md, limits)."""
UNDO_STEPS = 100
"""A step is a word or a command; at most 1.6 MB are kept."""

WORD_TYPED = re.compile(r"\S*\s|\S+")


class Edit(enum.Enum):
    """What the last change was: typing goes on in the same undo step, kills add up to one text."""

    OTHER = enum.auto()
    TYPING = enum.auto()
    KILL = enum.auto()


class LineBuffer:
    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self._killed = ""
        self._last = Edit.OTHER
        self._undo: deque[tuple[str, int]] = deque(maxlen=UNDO_STEPS)

    def reset(self, text: str = "") -> None:
        """Another line; the way back begins here. Of one that is too long, what fits."""
        self._undo.clear()
        self._last = Edit.OTHER
        self.text = _fitting(text, MAX_LINE_BYTES)
        self.cursor = len(self.text)

    def type(self, text: str) -> bool:
        """False: not all of it fitted."""
        fitting = _fitting(text, self._room())
        for word in WORD_TYPED.findall(fitting):  # one by one, as if they had come in many pieces
            goes_on = self._last is Edit.TYPING and not self._is_after_word()
            self._replace(self.cursor, self.cursor, word, Edit.TYPING, is_new_step=not goes_on)
        return fitting == text

    def insert(self, text: str) -> bool:
        """All of it, as one step, or nothing (False)."""
        return self.replace(self.cursor, self.cursor, text)

    def replace(self, start: int, end: int, text: str) -> bool:
        """All of it, as one step, or nothing (False). The cursor stands after it."""
        room = self._room() + len(self.text[start:end].encode())
        if len(text.encode()) > room:
            return False
        self._replace(start, end, text, Edit.OTHER)
        return True

    def move(self, place: int) -> None:
        self._last = Edit.OTHER
        self.cursor = width.snap(self.text, max(place, 0))

    def delete(self, start: int, end: int) -> None:
        if start < end:
            self._replace(start, end, "", Edit.OTHER)

    def kill(self, start: int, end: int) -> None:
        """Delete what `yank` can bring back; kills without anything between them come back together."""
        if start >= end:
            return
        gone = self.text[start:end]
        if self._last is not Edit.KILL:
            self._killed = gone
        elif end == self.cursor:
            self._killed = gone + self._killed
        else:
            self._killed += gone
        self._replace(start, end, "", Edit.KILL)

    def yank(self) -> bool:
        return self.insert(self._killed) if self._killed else True

    def transpose(self) -> None:
        """The two clusters before the end of the line, or around the cursor, change places."""
        end = self.cursor if self.cursor == len(self.text) else self.right()
        middle = width.before(self.text, end)
        start = width.before(self.text, middle)
        if middle > 0:
            swapped = self.text[middle:end] + self.text[start:middle]
            self._replace(start, end, swapped, Edit.OTHER)

    def undo(self) -> bool:
        """False: there is nothing to undo."""
        if not self._undo:
            return False
        self.text, self.cursor = self._undo.pop()
        self._last = Edit.OTHER
        return True

    # places in the text, from the cursor

    def left(self) -> int:
        return width.before(self.text, self.cursor)

    def right(self) -> int:
        return width.after(self.text, self.cursor)

    def word_left(self) -> int:
        """Letters and digits are a word, as readline has it."""
        return self._skip_left(self._skip_left(self.cursor, is_word=False), is_word=True)

    def word_right(self) -> int:
        return self._skip_right(self._skip_right(self.cursor, is_word=False), is_word=True)

    def white_word_left(self) -> int:
        """What stands between white space is a word, as a terminal's own Ctrl-W has it."""
        return self._after_last_space(len(self.text[: self.cursor].rstrip()))

    def unfinished_word(self) -> int:
        """Where the word begins that ends at the cursor."""
        return self._after_last_space(self.cursor)

    def _after_last_space(self, end: int) -> int:
        start = next((at for at in range(end, 0, -1) if self.text[at - 1].isspace()), 0)
        # a space may carry a mark: then the two are one cluster
        return start if start == self.cursor else width.before(self.text, start + 1)

    def _skip_left(self, place: int, *, is_word: bool) -> int:
        while place > 0:
            start = width.before(self.text, place)
            if self.text[start].isalnum() is not is_word:
                break
            place = start
        return place

    def _skip_right(self, place: int, *, is_word: bool) -> int:
        while place < len(self.text) and self.text[place].isalnum() is is_word:
            place = width.after(self.text, place)
        return place

    def _room(self) -> int:
        return MAX_LINE_BYTES - len(self.text.encode())

    def _is_after_word(self) -> bool:
        return self.text[self.cursor - 1 : self.cursor].isspace()

    def _replace(
        self, start: int, end: int, text: str, edit: Edit, *, is_new_step: bool = True
    ) -> None:
        if is_new_step:
            self._undo.append((self.text, self.cursor))
        self._last = edit
        self.text = self.text[:start] + text + self.text[end:]
        # what now stand side by side may have become one cluster
        self.cursor = width.snap(self.text, start + len(text))


def _fitting(text: str, room_bytes: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= room_bytes else encoded[:room_bytes].decode("utf-8", "ignore")
