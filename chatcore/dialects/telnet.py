"""Telnet: takes the negotiation out of what a telnet client sends, and answers it. RFC 854, RFC 855.

We have no options, so every offer and request is refused; what is left is plain lines. Invariants: any split gives
the same, memory is O(1) (a subnegotiation is skipped, not kept), and an option is refused once, so that two
stubborn peers cannot talk for ever (RFC 1143).
"""

from __future__ import annotations

import enum

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
CR, LF, NUL = 13, 10, 0

_REFUSE = {DO: WONT, WILL: DONT}


class _State(enum.Enum):
    DATA = "text"
    CR = "after a carriage return"
    COMMAND = "after IAC"
    OPTION = "after DO, DONT, WILL or WONT"
    SUB = "in a subnegotiation"
    SUB_COMMAND = "after IAC in a subnegotiation"


class TelnetFilter:
    __slots__ = ("_refused", "_state", "_verb")

    def __init__(self) -> None:
        self._state = _State.DATA
        self._verb = 0
        self._refused: set[tuple[int, int]] = set()
        """What has been refused, at most 2 × 256 pairs."""

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """The text in it, and the bytes to answer with."""
        text, answers = bytearray(), bytearray()
        at = 0
        while at < len(data):
            match self._state:
                case _State.DATA:
                    at = self._text(data, at, text)
                case _State.SUB:
                    at = self._skip(data, at)
                case _:
                    self._step(data[at], text, answers)
                    at += 1
        return bytes(text), bytes(answers)

    def _text(self, data: bytes, at: int, text: bytearray) -> int:
        """Pass on what stands before the next IAC, in one piece; where to go on."""
        end = data.find(IAC, at)
        if end < 0:
            end, after = len(data), _State.DATA
        else:
            after = _State.COMMAND
        piece = data[at:end]
        if after is _State.DATA and piece.endswith(b"\r"):
            # What it means depends on the next byte, which has not come yet.
            piece, after = piece[:-1], _State.CR
        text += piece.replace(b"\r\0", b"\n")
        self._state = after
        return end + 1

    def _skip(self, data: bytes, at: int) -> int:
        """Leave out what stands before the next IAC; where to go on."""
        end = data.find(IAC, at)
        if end < 0:
            return len(data)
        self._state = _State.SUB_COMMAND
        return end + 1

    def _step(self, byte: int, text: bytearray, answers: bytearray) -> None:
        """One byte whose meaning depends on the one before."""
        match self._state:
            case _State.CR:
                self._after_cr(byte, text)
            case _State.COMMAND:
                self._command(byte, text)
            case _State.OPTION:
                self._refuse(byte, answers)
                self._state = _State.DATA
            case _:
                self._state = _State.DATA if byte == SE else _State.SUB

    def _after_cr(self, byte: int, text: bytearray) -> None:
        """RFC 854: CR LF is a line end; CR NUL is a carriage return, which people mean as one too."""
        self._state = _State.DATA
        if byte == NUL:
            text.append(LF)
            return
        text.append(CR)
        if byte == IAC:
            self._state = _State.COMMAND
        elif byte == CR:
            self._state = _State.CR
        else:
            text.append(byte)

    def _command(self, byte: int, text: bytearray) -> None:
        self._state = _State.DATA
        if byte == IAC:
            text.append(IAC)
        elif byte == SB:
            self._state = _State.SUB
        elif byte in (DO, DONT, WILL, WONT):
            self._verb = byte
            self._state = _State.OPTION

    def _refuse(self, option: int, answers: bytearray) -> None:
        answer = _REFUSE.get(self._verb)
        if answer is not None and (answer, option) not in self._refused:
            self._refused.add((answer, option))
            answers += bytes((IAC, answer, option))
