"""`chatcore status`: asks a running server how it does, by way of its admin listener, and shows the answer.

Exit codes: 0 all is well; 1 the server answers and is not ready (it stops, or cannot store); 64 wrong usage; 69 nobody
answers; 78 as for the server.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatcore import config
from chatcore.admin import address_of, place_of
from chatcore.printing import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

EXIT_NOT_READY = 1

PATIENCE_S = 5.0
"""For the answer: the server's own deadline. A loop that does not turn for so long is not well."""

READ_BYTES = 64 * 1024
ANSWER_BYTES_MOST = 1024 * 1024
"""Of what something else than a server of ours may send."""

REQUEST = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"

UNITS_S = ((86_400, "d"), (3_600, "h"), (60, "min"))

NOBODY = "Is the server running, with this data folder, and with admin.listen not off?"


class NoAnswer(Exception):
    """Nobody answers there, or not as a server of ours."""


def parser() -> argparse.ArgumentParser:
    made = config.Parser(
        prog="chatcore status",
        description="Ask a running server how it does: people, connections, the loop, the disk, and who is behind.",
        epilog="exit status: 0 all is well; 1 the server stops, or cannot store; 64 wrong usage; 69 nobody answers.",
        allow_abbrev=False,
    )
    where = "the server's folder; by default, the one that a server started here would take"
    made.add_argument("--data", dest="server.data", metavar="DIR", help=where)
    made.add_argument("--config", metavar="FILE", help="the server's settings")
    made.add_argument(
        "--admin", metavar="PLACE", help="a path or HOST:PORT, as in the setting admin.listen"
    )
    made.add_argument("--json", action="store_true", help="the answer as it is, one JSON object")
    return made


def run(argv: list[str]) -> int:
    """Ask and show; returns the exit code."""
    arguments = parser().parse_args(argv)
    try:
        place = arguments.admin or place_of(config.load(arguments, os.environ)[0])
    except config.ConfigError as error:
        for mistake in error.mistakes:
            sys.stderr.write(f"chatcore: {mistake}\n")
        return config.EXIT_CONFIG
    if not place:
        sys.stderr.write("chatcore: the settings say that the server answers nowhere: --admin\n")
        return config.EXIT_USAGE
    try:
        status = ask(place)
    except (OSError, ValueError, NoAnswer) as error:
        words = (error.strerror if isinstance(error, OSError) else "") or str(error)
        sys.stderr.write(f"chatcore: no answer at {place}: {words}. {NOBODY}\n")
        return config.EXIT_UNAVAILABLE
    text = json.dumps(status) + "\n" if arguments.json else shown(status)
    return say(text, 0 if status.get("ready") else EXIT_NOT_READY)


def ask(place: str) -> dict[str, Any]:
    """The status of the server that answers there. Raises OSError, ValueError or NoAnswer."""
    with _connected(place) as sock:
        sock.sendall(REQUEST)
        answer = b""
        while data := sock.recv(READ_BYTES):
            answer += data
            if len(answer) > ANSWER_BYTES_MOST:
                raise NoAnswer("it is no server of ours")
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise NoAnswer("it is no server of ours, or too many ask at once")
    status = json.loads(body)
    if not isinstance(status, dict):
        raise NoAnswer("it is no server of ours")
    return status


@contextmanager
def _connected(place: str) -> Iterator[socket.socket]:
    if "/" in place:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE_S)
            with address_of(Path(place)) as address:
                sock.connect(address)
            yield sock
    else:
        host, _, port = place.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S) as sock:
            yield sock


def shown(status: dict[str, Any]) -> str:
    """For people, one line a subject; then the readers that are behind."""
    loop, storage, behind = status["loop"], status["storage"], status["behind"]
    ready = "ready" if status["ready"] else f"not ready: {status['reason']}"
    kinds = ", ".join(_connections(row) for row in status["connections"]) or "none"
    lines = [
        f"chatcore {status['version']}, up for {_since(status['uptime_s'])}, {ready}",
        f"  people:       {status['people']:,} in {_count(status['rooms'], 'room')}; "
        f"{_count(status['messages'], 'line')} said",
        f"  connections:  {kinds}",
        f"  loop:         longest turn {_ms(loop['longest_turn_s'])}; busy for {_share(loop['busy_s'], status['uptime_s'])}",
        f"  storage:      {_storage(storage)}",
        f"  behind:       {_count(behind['readers'], 'reader')}; waiting for the disk: {behind['parked']:,}",
    ]
    if loop["internal_errors"]:
        lines.append(f"  faults:       {loop['internal_errors']:,}: see the log, and report them")
    lines += [
        f"    {row['alias'] or '(not joined)'}: {_count(row['lines'], 'line')}, {row['seconds']:,.1f} s ({row['dialect']})"
        for row in behind.get("worst", ())
    ]
    return "\n".join(lines) + "\n"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _connections(row: dict[str, Any]) -> str:
    return f"{row['count']:,} {row['dialect']}{' encrypted' if row['encrypted'] else ''}"


def _storage(storage: dict[str, Any]) -> str:
    if not storage["kept"]:
        return "nothing is kept"
    if not storage["commits"]:
        return "no commit yet"
    return (
        f"{_count(storage['commits'], 'commit')}, half within {_ms(storage['commit_p50_s'])}, 99 % within "
        f"{_ms(storage['commit_p99_s'])}, the longest {_ms(storage['commit_longest_s'])}"
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"


def _share(busy_s: float, uptime_s: float) -> str:
    return f"{busy_s:,.1f} s, {busy_s / max(busy_s, uptime_s, 1):.1%} of the time"


def _since(seconds: float) -> str:
    for size, unit in UNITS_S:
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s"
