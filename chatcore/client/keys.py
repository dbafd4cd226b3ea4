"""The bytes that a terminal sends → typed text, keys and pastes.

Invariants: any split of the bytes gives the same (typed text apart, which may come in more pieces); nothing raises;
an escape sequence that is not known is swallowed whole; nothing inside a bracketed paste is a key. Bytes that are
not UTF-8 become U+FFFD. Memory is bounded: of a sequence or a paste that goes on and on, the rest is swallowed
without being kept. There is no clock: ESC and a letter are Alt and that letter, however far apart. Pure.
"""

from __future__ import annotations

import codecs
import enum
import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SEQUENCE_BYTES = 32
"""Of an escape sequence; the longest that a key makes has about 12."""
MAX_PASTE_BYTES = 4 * 1024 * 1024
"""A thousand times what can be sent as one message."""

ESC, PASTE_BEGIN, PASTE_END = b"\x1b", b"[200~", b"\x1b[201~"


class Key(enum.Enum):
    ENTER = enum.auto()
    NEWLINE = enum.auto()
    TAB = enum.auto()
    SHIFT_TAB = enum.auto()
    INTERRUPT = enum.auto()
    DELETE_OR_END = enum.auto()
    SUSPEND = enum.auto()
    HOME = enum.auto()
    END = enum.auto()
    LEFT = enum.auto()
    RIGHT = enum.auto()
    WORD_LEFT = enum.auto()
    WORD_RIGHT = enum.auto()
    UP = enum.auto()
    DOWN = enum.auto()
    BACKSPACE = enum.auto()
    DELETE = enum.auto()
    KILL_TO_END = enum.auto()
    KILL_TO_START = enum.auto()
    KILL_WHITE_WORD_LEFT = enum.auto()
    KILL_WORD_LEFT = enum.auto()
    KILL_WORD_RIGHT = enum.auto()
    YANK = enum.auto()
    TRANSPOSE = enum.auto()
    UNDO = enum.auto()
    RECALL = enum.auto()
    CLEAR_SCREEN = enum.auto()


class Typed(NamedTuple):
    text: str


class Pasted(NamedTuple):
    text: str
    is_whole: bool
    """False: it was longer than `MAX_PASTE_BYTES` and is not here."""


Stroke: TypeAlias = Key | Typed | Pasted

CONTROLS = {
    b"\x01": Key.HOME,
    b"\x02": Key.LEFT,
    b"\x03": Key.INTERRUPT,
    b"\x04": Key.DELETE_OR_END,
    b"\x05": Key.END,
    b"\x06": Key.RIGHT,
    b"\x08": Key.BACKSPACE,
    b"\t": Key.TAB,
    b"\n": Key.ENTER,
    b"\x0b": Key.KILL_TO_END,
    b"\x0c": Key.CLEAR_SCREEN,
    b"\r": Key.ENTER,
    b"\x0e": Key.DOWN,
    b"\x10": Key.UP,
    b"\x12": Key.RECALL,
    b"\x14": Key.TRANSPOSE,
    b"\x15": Key.KILL_TO_START,
    b"\x17": Key.KILL_WHITE_WORD_LEFT,
    b"\x19": Key.YANK,
    b"\x1a": Key.SUSPEND,
    b"\x1f": Key.UNDO,
    b"\x7f": Key.BACKSPACE,
}
ALT = {
    b"b": Key.WORD_LEFT,
    b"f": Key.WORD_RIGHT,
    b"d": Key.KILL_WORD_RIGHT,
    b"\x7f": Key.KILL_WORD_LEFT,
    b"\x08": Key.KILL_WORD_LEFT,
    b"\r": Key.NEWLINE,
    b"\n": Key.NEWLINE,
}
ARROWS = {b"A": Key.UP, b"B": Key.DOWN, b"C": Key.RIGHT, b"D": Key.LEFT}
SEQUENCES = {
    **{b"[" + letter: key for letter, key in ARROWS.items()},
    **{b"O" + letter: key for letter, key in ARROWS.items()},  # with "application cursor keys"
    **{
        b"[" + form + b"C": Key.WORD_RIGHT for form in (b"1;5", b"1;3", b"5")
    },  # Ctrl, Alt, old Ctrl
    **{b"[" + form + b"D": Key.WORD_LEFT for form in (b"1;5", b"1;3", b"5")},
    **{b"[1;2" + letter: key for letter, key in ARROWS.items()},  # Shift
    **dict.fromkeys((b"[H", b"OH", b"[1~", b"[7~"), Key.HOME),  # xterm, …, Linux, rxvt
    **dict.fromkeys((b"[F", b"OF", b"[4~", b"[8~"), Key.END),
    b"Oc": Key.WORD_RIGHT,  # rxvt
    b"Od": Key.WORD_LEFT,
    b"[3~": Key.DELETE,
    b"[3;5~": Key.KILL_WORD_RIGHT,
    b"[3;3~": Key.KILL_WORD_RIGHT,
    b"[Z": Key.SHIFT_TAB,
    b"OM": Key.ENTER,  # of the keypad
}

CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
SEQUENCE_BODY = re.compile(rb"[\x20-\x3f]*")
"""ECMA-48 5.4: parameters and intermediates; the next byte in 0x40–0x7e ends the sequence."""


class KeyReader:
    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sequence: bytes | None = None
        """What came after an ESC, until it is known where it ends."""
        self._paste: bytearray | None = None
        self._is_paste_whole = True

    def feed(self, data: bytes) -> Iterator[Stroke]:
        at = 0
        while at < len(data):
            if self._paste is not None:
                stroke, at = self._read_paste(self._paste, data, at)
            elif self._sequence is not None:
                stroke, at = self._read_sequence(self._sequence, data, at)
            else:
                stroke, at = self._read_plain(data, at)
            if stroke is not None:
                yield stroke

    def _read_plain(self, data: bytes, at: int) -> tuple[Stroke | None, int]:
        control = CONTROL.search(data, at)
        end = control.start() if control else len(data)
        # a control ends a character cut short; the end of the data does not
        text = self._decoder.decode(data[at:end], final=control is not None)
        if text:
            return Typed(text), end
        if control is None:
            return None, end
        if control[0] == ESC:
            self._sequence = b""
            return None, end + 1
        return CONTROLS.get(control[0]), end + 1

    def _read_sequence(self, seen: bytes, data: bytes, at: int) -> tuple[Stroke | None, int]:
        byte = data[at : at + 1]
        if (
            byte == ESC
        ):  # ESC ESC [ A is Alt-Up of some terminals; and a sequence cut short ends here
            self._sequence = b""
            return None, at + 1
        if not seen:
            return self._read_after_escape(byte, data, at)
        if seen == b"[" and byte == b"[":  # F1 of the Linux console: ESC [ [ A
            self._sequence = b"[["
            return None, at + 1
        body = SEQUENCE_BODY.match(data, at)
        end = body.end() if body else at
        seen = (seen + data[at:end])[:MAX_SEQUENCE_BYTES]
        if end == len(data):
            self._sequence = seen
            return None, end
        self._sequence = None
        final = data[end : end + 1]
        if (
            not b"\x40" <= final <= b"\x7e"
        ):  # not a sequence after all: this byte means what it always does
            return None, end
        if seen + final == PASTE_BEGIN:
            self._paste, self._is_paste_whole = bytearray(), True
        return SEQUENCES.get(seen + final), end + 1

    def _read_after_escape(self, byte: bytes, data: bytes, at: int) -> tuple[Stroke | None, int]:
        if byte in {b"[", b"O"}:
            self._sequence = byte
            return None, at + 1
        self._sequence = None
        if byte in ALT:
            return ALT[byte], at + 1
        if CONTROL.match(byte) or byte >= b"\x80":
            return None, at  # an idle ESC, then Ctrl-C: that must work; and no letter is lost
        return None, at + 1

    def _read_paste(self, paste: bytearray, data: bytes, at: int) -> tuple[Stroke | None, int]:
        # the end may have begun in what came before; only the new bytes are searched
        search_from = max(0, len(paste) - len(PASTE_END) + 1)
        before = len(paste)
        paste += data[at:]
        end = paste.find(PASTE_END, search_from)
        if end < 0:
            if len(paste) > MAX_PASTE_BYTES:
                self._is_paste_whole = False
                del paste[: -len(PASTE_END)]
            return None, len(data)
        self._paste = None
        text = paste[:end].decode("utf-8", "replace") if self._is_paste_whole else ""
        return Pasted(text, self._is_paste_whole), at + end + len(PASTE_END) - before
