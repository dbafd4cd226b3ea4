"""The forms of a log line: for a person at a terminal, as a JSON object, and for systemd's journal.

Invariants: one event is one line, except that a traceback has more where people read it, and none of its lines looks
like an event; what peers sent cannot move a cursor or begin another line; every JSON line is ASCII and valid,
whatever somebody calls himself.

Whoever logs names the values, `"%(alias)s connected from %(peer)s", {"alias": …}`, and they become fields.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

MESSAGE_CHARS = 4_096
"""Of an event or a field: a line of the room. Anything longer is a mistake or an attempt to fill the disk."""

TAIL_CHARS = 256
"""Of them, from the end of a longer one: there stands what the server says of it."""

EVENT_WORDS = 6
"""Of the words that name an event: enough to tell all of them apart."""

EVENTS_KEPT = 256
"""Names of events that are not made again: the server has some fifty."""

_UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-#0 +]*\d*(?:\.\d+)?[a-z]")
_WORD = re.compile(r"[a-z0-9]+")

_OWN = frozenset(("time", "level", "event", "message", "error", "trace"))
"""Keys of every object; a field of such a name gets a `_` behind it."""

_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
"""As in syslog.h, for `sd-daemon(3)`."""


class OneLine(logging.Formatter):
    """`14:02:11 Alice connected from 127.0.0.1:51234`; the level only from warnings on."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%H:%M:%S", time.localtime(record.created))
        return f"{when} {_words(record)}{self._trace(record)}"

    def _trace(self, record: logging.LogRecord) -> str:
        """Indented, because an exception's own text may hold a line that looks like one of the log's."""
        if not record.exc_info:
            return ""
        trace = self.formatException(record.exc_info).replace("\n", "\n  ")
        return "\n  " + _UNSAFE.sub(_escape, trace)


class ForJournal(OneLine):
    """`<6>Alice connected from 127.0.0.1:51234`: the journal knows the time, and each line needs its priority."""

    def format(self, record: logging.LogRecord) -> str:
        priority = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        text = message(record) + self._trace(record)
        return priority + text.replace("\n", f"\n{priority}")


class OneObject(logging.Formatter):
    """`{"time": "2026-11-20T13:02:11.123Z", "level": "info", "event": "connected_from", "alias": "Alice", …}`."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, Any] = {
            "time": f"{seconds}.{int(record.created * 1000) % 1000:03}Z",
            "level": record.levelname.lower(),
            "event": event(str(record.msg)),
        }
        if isinstance(record.args, dict):
            for name, value in record.args.items():
                entry[f"{name}_" if name in _OWN else name] = _plain(value)
        entry["message"] = message(record)
        if record.exc_info and record.exc_info[1] is not None:
            fault = record.exc_info[1]
            entry["error"] = safe(f"{type(fault).__name__}: {fault}")
            trace = self.formatException(record.exc_info)
            entry["trace"] = _UNSAFE.sub(_escape, trace)
        return json.dumps(entry)


@lru_cache(EVENTS_KEPT)
def event(template: str) -> str:
    """What happened, without to whom: the same name for the same kind of event, for whoever filters."""
    words = _WORD.findall(_PLACEHOLDER.sub(" ", template).replace("'", "").lower())
    return "_".join(words[:EVENT_WORDS]) or "message"


def message(record: logging.LogRecord) -> str:
    """The words of the event, on one line."""
    try:
        return safe(record.getMessage())
    except (TypeError, ValueError, KeyError):
        # A mistake in the call: it must not end what it wanted to tell of.
        return safe(str(record.msg))


def safe(text: str) -> str:
    """What peers sent does nothing to a terminal, stays on its line, and has an end."""
    if len(text) > MESSAGE_CHARS:
        text = text[: MESSAGE_CHARS - TAIL_CHARS] + "…" + text[-TAIL_CHARS:]
    return _UNSAFE.sub(_escape, text.replace("\n", "\\n"))


def form(name: str, stream: TextIO, environment: Mapping[str, str]) -> logging.Formatter:
    """The form of that name; with `auto`, the one that fits what reads the stream."""
    if name == "auto":
        if _is_journal(stream, environment.get("JOURNAL_STREAM", "")):
            return ForJournal()
        name = "human" if stream.isatty() else "json"
    return OneObject() if name == "json" else OneLine()


def _is_journal(stream: TextIO, named: str) -> bool:
    """`systemd.exec(5)`: the variable names device and inode of the journal's socket; a child may write elsewhere."""
    if not named:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{found.st_dev}:{found.st_ino}"


def _words(record: logging.LogRecord) -> str:
    level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
    return level + message(record)


def _plain(value: object) -> object:
    """A value as JSON has it."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        # JSON has no NaN and no infinity.
        return value if abs(value) < float("inf") else str(value)
    return safe(str(value))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
