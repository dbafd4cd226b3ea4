"""The plain dialect, from the wire: what somebody with `nc` or `telnet` types.

The first line is the alias, and the next ones too until one is accepted; where the server has a password, the next
line is that, and the alias is remembered. Then a line is said, or is a command when it begins with `/`. Consecutive
said lines stay together as one run, because each separate one costs a decision, a record and a rendering. What the
server writes to the wire is in `plain_form`.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, ClassVar

from chatcore.dialects.dialect import Event, Hangup
from chatcore.dialects.lines import OVERLONG, Lines
from chatcore.dialects.plain_form import PlainForm, plain_reply
from chatcore.dialects.telnet import ECHO, WONT_ECHO, TelnetFilter
from chatcore.dialects.wording import LINE_BYTES, TRIES, notice, too_long
from chatcore.hub.command import Hello, Join, Mistake, Say
from chatcore.hub.reply import Refusal, Refused, Reply, Welcome
from chatcore.hub.verbs import PLAIN
from chatcore.hub.verbs.info import unknown_command
from chatcore.hub.verbs.table import parse_words

if TYPE_CHECKING:
    from chatcore.hub.command import Run
    from chatcore.log.reader import Form

LF = 0x0A

_OTHER_CHANGED = bytes(
    byte if byte == LF or (0x20 <= byte < 0x7F and byte != 0x2F) else byte ^ 0xFF
    for byte in range(256)
)
"""For `bytes.translate`: keeps line ends and printable ASCII without `/`, and makes something else of all others."""

_AFTER_SPACE = b"!"
"""Lines that are empty or begin with a space sort before it."""

_SPACES = [
    space.encode()
    for space in "\t\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
]
"""What `str.isspace` calls so, but for the line end: to ask for every character would take each start 4 ms."""

_NARROW = b"[\n" + b"".join(re.escape(space) for space in _SPACES if len(space) == 1) + b"]*"
_WIDE = b"(?:" + b"|".join(space for space in _SPACES if len(space) > 1) + b")"
_BLANK = re.compile(b"(?:" + _NARROW + b"+" + _WIDE + b")*" + _NARROW + b"\n")
"""Lines of nothing but white space, which nobody says (see `_events`): all white space there is, up to the last line end
in it. A group is not repeated possessively: CPython before 3.11.5 then goes on from where the last try ended
(gh-106052), and a line behind an empty one lost its indentation."""

PASSWORD_TRIES = 3
"""Wrong passwords after which a connection is closed, as login does; `TRIES` bounds everything else."""

_ABOUT_PASSWORD = frozenset(("password_needed", "password_wrong", "too_many_tries"))
"""`Refusal.code`s after which the next line is a password, for the alias that was sent already."""

_TOO_LONG = Mistake(too_long("Your line", f"{LINE_BYTES:,} bytes"))
_BAD_ALIAS = Mistake(
    Refusal("alias_not_allowed", "An alias must be valid UTF-8. Choose another alias.")
)


class Plain(Lines):
    """It *is* its framing: the way of a line is too hot for one more object between them."""

    __slots__ = ("_alias", "_asking", "_joined", "_password", "_todo", "_tries", "_wrong")

    name: ClassVar[str] = "plain"
    form: ClassVar[Form] = PlainForm()
    returns: ClassVar[bool] = False
    negotiates: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(LINE_BYTES)
        self._joined = False
        self._tries = 0
        self._alias = ""
        """The alias that was sent last."""
        self._password: str | None = None
        """The password that was sent last: nobody is asked for it again because the alias was taken."""
        self._asking = False
        """The next line is the password."""
        self._wrong = 0
        """Passwords that were wrong."""
        self._todo: deque[Event | str] | None = None
        """Not yet asked for, from a block that held more than one run; lines that are commands are not parsed yet, as
        a read may hold thousands, and the answers to the first hundreds may end the asking."""

    def answers(self) -> bytes:
        return b""

    def run(self, data: bytes) -> Run | None:
        """The short cut for what arrives nearly always, whole lines that are all said; it keeps nothing back.

        None if it is anything else: then `feed` and `next` do it, and they would give the same.
        """
        if not self.idle or len(data) > LINE_BYTES or data[-1] != LF:
            return None
        # Two passes in C over the bytes: nothing but printable ASCII, no `/`, and no line that may be blank.
        text = data[:-1]
        if text.translate(_OTHER_CHANGED) != text:
            return None
        lines = text.split(b"\n")
        if min(lines) < _AFTER_SPACE:
            return None
        return None, text.decode(), len(lines), (), False, None, True

    def next(self, most: int) -> Event | None:
        while not self._todo:
            block = self.take(most if self._joined else 1)
            if block is None:
                self.idle = self._joined and self.empty
                return None
            if block is OVERLONG:
                return _TOO_LONG
            if b"\r" in block:
                block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
            if not self._joined:
                return self._hello(block)
            self._todo = _events(block.decode(errors="replace"))
            if not self._todo:
                self.skip_blank(_BLANK)
        event = self._todo.popleft()
        return _command(event) if isinstance(event, str) else event

    def _hello(self, line: bytes) -> Event:
        self._tries += 1
        if self._tries > TRIES:
            return Hangup("too many aliases tried", notice("Too many tries. Connect again."))
        if self._asking:
            self._password = line.decode(errors="replace")
        else:
            try:
                self._alias = line.decode()
            except UnicodeDecodeError:
                return _BAD_ALIAS
        return Hello(self._alias, password=self._password)

    def rest(self) -> bytes:
        if not (self._joined and self.unfinished):
            return b""
        return notice(
            "Your last line had no line end, so it was not sent: it may have been cut short."
        )

    def reply(self, reply: Reply) -> bytes:
        if type(reply) is Welcome:
            self._joined = True
            self._password, self._asking = None, False
        elif not self._joined and type(reply) is Refused:
            return self._ask_again(reply)
        return plain_reply(reply)

    def _ask_again(self, reply: Refused) -> bytes:
        """What somebody is told who has not joined yet; it says which line is expected next."""
        code = reply.refusal.code
        if code == "too_long":
            if self._asking:
                return notice("That is too long for a password. Type it:")
            return notice("An alias has at most 32 characters. Choose an alias:")
        self._asking = code in _ABOUT_PASSWORD
        if code == "password_needed":
            return notice("This server has a password. Type it:")
        if code == "password_wrong":
            self._wrong += 1
            if self._wrong < PASSWORD_TRIES:
                return notice("That is not the password. Try again:")
            farewell = notice("That is not the password. Connect again to try once more.")
            self._todo = deque((Hangup(f"{PASSWORD_TRIES} wrong passwords", farewell),))
            return b""
        return plain_reply(reply)


class TelnetPlain(Plain):
    """The same for a telnet client, whose negotiation is taken out first."""

    __slots__ = ("_answers", "_hidden", "_telnet")

    negotiates: ClassVar[bool] = True

    def run(self, data: bytes) -> Run | None:
        return None

    def __init__(self) -> None:
        super().__init__()
        self._telnet = TelnetFilter()
        self._answers = b""
        self._hidden = False
        """Their client shows nothing of what they type: it believes that we do."""

    def feed(self, data: bytes) -> None:
        text, answers = self._telnet.feed(data)
        self._answers += answers
        super().feed(text)

    def answers(self) -> bytes:
        answers, self._answers = self._answers, b""
        return answers

    def reply(self, reply: Reply) -> bytes:
        """A password is not shown: RFC 857, whoever says WILL ECHO shows what is typed, and we do not."""
        data = super().reply(reply)
        if self._asking is self._hidden:
            # The line end that they typed was not shown either.
            return b"\r\n" + data if self._hidden else data
        self._hidden = self._asking
        if self._asking:
            # What it asked before is refused before: a refusal of that echo would take back this offer.
            return self.answers() + data + self._telnet.offer(ECHO)
        return WONT_ECHO + b"\r\n" + data


def _events(text: str) -> deque[Event | str]:
    """The runs and the lines of commands of a block of lines, in order. Blank lines say nothing."""
    events: deque[Event | str] = deque()
    run: list[str] = []
    for line in text.split("\n"):
        if not line or line.isspace():
            continue
        if line[0] != "/" or line.startswith("//"):
            run.append(line[1:] if line[0] == "/" else line)
        else:
            if run:
                events.append(Say(None, "\n".join(run), len(run)))
                run = []
            events.append(line)
    if run:
        events.append(Say(None, "\n".join(run), len(run)))
    return events


def _command(line: str) -> Event:
    """A line that begins with `/`."""
    name, _, words = line[1:].partition(" ")
    verb = PLAIN.get(name.lower())
    if verb is None:
        return Mistake(unknown_command(name, [*PLAIN], "/"))
    command = parse_words(verb, words)
    if type(command) is Refusal:
        return Mistake(command)
    return command._replace(move=True) if type(command) is Join else command
