"""Telnet: takes the negotiation out of what a telnet client sends, and answers it. RFC 854, RFC 855.

We have no options, so every offer and request is refused; what is left is plain lines. Invariants: any split gives
the same, memory is O(1) (a subnegotiation is skipped, not kept), work is linear and done by regular expressions, a
read of nothing but negotiation included, and an option is refused once, so that two stubborn peers cannot talk for
ever (RFC 1143).
"""

from __future__ import annotations

import re

IAC, DONT, DO, WONT, WILL, SB = 255, 254, 253, 252, 251, 250

_BEGIN_SUB = bytes((IAC, SB))
_ASK_DO, _ASK_WILL = bytes((IAC, DO)), bytes((IAC, WILL))

ECHO = 1
"""RFC 857: whoever has this option shows what is typed."""

WONT_ECHO = bytes((IAC, WONT, ECHO))

_REFUSE = {DO: WONT, WILL: DONT}


_IN_SUB = rb"(?:[^\xff]++|\xff[^\xf0])*"
"""What a subnegotiation holds. At each place one alternative at most fits, so nothing is looked at more than twice.
Repeats of a group are not possessive: CPython before 3.11.5 then goes on from where the last try ended (gh-106052), and
a command that came in two reads was taken for text."""

_SUB_AND_END = rb"\xfa" + _IN_SUB + rb"\xff\xf0"

_COMMAND = rb"\xff(?:[^\xfa-\xff]|[\xfb-\xfe].|" + _SUB_AND_END + rb")"

_SUB = re.compile(_IN_SUB)
_TO_LAST_COMMAND = re.compile(rb"(?:[^\xff]*+(?:\xff\xff|" + _COMMAND + rb"))*", re.DOTALL)
_TEXT = re.compile(rb"((?:[^\xff]++|\xff\xff)+)|(?:" + _COMMAND + rb")+", re.DOTALL)
_COMMANDS = re.compile(rb"(?:" + _COMMAND + rb")+", re.DOTALL)
_REQUESTS = re.compile(rb"[^\xff]++|\xff\xff|\xff([\xfb\xfd].)|" + _COMMAND, re.DOTALL)


class TelnetFilter:
    __slots__ = ("_in_sub", "_refused", "_start")

    def __init__(self) -> None:
        self._start = b""
        """The first one or two bytes of what is not yet clear."""
        self._in_sub = False
        """Within a subnegotiation, which is skipped."""
        self._refused: set[tuple[int, int]] = set()
        """What has been refused, at most 2 × 256 pairs."""

    def offer(self, option: int) -> bytes:
        """Offer an option of ours: that it is wanted needs no answer then. The bytes to send."""
        self._refused.add((WONT, option))
        return bytes((IAC, WILL, option))

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """The text in it, and the bytes to answer with."""
        if self._start:
            data, self._start = self._start + data, b""
        if self._in_sub:
            data = self._skip(data)
        if IAC not in data:
            data = self._keep_return(data)
            return data.replace(b"\r\0", b"\n"), b""
        whole = _TO_LAST_COMMAND.match(data)
        assert whole is not None
        end = data.find(IAC, whole.end())
        if end < 0:
            data = data[: whole.end()] + self._keep_return(data[whole.end() :])
        else:
            # Here begins what goes on in a read to come.
            data, self._start = data[:end], data[end:]
            if self._start.startswith(_BEGIN_SUB):
                self._in_sub = True
                self._skip(self._start[2:])
        return _text(data), self._answers(data)

    def _keep_return(self, text: bytes) -> bytes:
        """What a return at the end means depends on the next byte, which has not come yet."""
        if not text.endswith(b"\r"):
            return text
        self._start = b"\r"
        return text[:-1]

    def _skip(self, data: bytes) -> bytes:
        """What follows the subnegotiation; nothing while it goes on."""
        skipped = _SUB.match(data)
        assert skipped is not None
        rest = data[skipped.end() :]
        self._in_sub = len(rest) < 2
        self._start = rest if self._in_sub else b""
        return rest[2:]

    def _answers(self, data: bytes) -> bytes:
        """Refusals of what is asked for the first time."""
        answers = bytearray()
        if _ASK_DO not in data and _ASK_WILL not in data:
            return b""
        for verb, option in filter(None, dict.fromkeys(_REQUESTS.findall(data))):
            answer = _REFUSE[verb]
            if (answer, option) not in self._refused:
                self._refused.add((answer, option))
                answers += bytes((IAC, answer, option))
        return bytes(answers)


def _text(data: bytes) -> bytes:
    """RFC 854: CR LF is a line end; CR NUL is a carriage return, which people mean as one too."""
    if b"\r\0" not in data and b"\xff\xff" not in data:
        return _COMMANDS.sub(b"", data)
    # One by one: a return and a NUL with a command between them are no pair.
    pieces = [piece.replace(b"\r\0", b"\n") for piece in _TEXT.findall(data) if piece]
    return b"".join(pieces).replace(b"\xff\xff", b"\xff")
