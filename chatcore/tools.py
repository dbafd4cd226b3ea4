"""The command lines of those who run a server: `chatcore backup`, `check`, `export` and `modlog`.

They find the folder as the server does, and work beside it while it runs; `chatcore.store.tools` and `check` do the work.
Exit codes: 0 done; 64 wrong usage; 74 the storage cannot be read or written, or has faults; 78 as for the server.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from chatcore import config
from chatcore.dialects.act_form import listed
from chatcore.dialects.native_form import record_lines
from chatcore.dialects.plain_form import PlainForm
from chatcore.printing import printing
from chatcore.store import tools
from chatcore.store.check import Fault, check
from chatcore.store.schema import StoreError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from chatcore.log.record import Act, Crowd, Joined, Left, Renamed, Said, TopicSet

FAULTS_NAMED = 100
"""Of one check, then they are only counted: one damaged table can give a million."""


def run(tool: str, argv: list[str]) -> int:
    """Run one of the tools; returns its exit code."""
    arguments = parser(tool).parse_args(argv)
    try:
        settings, _ = config.load(arguments, os.environ)
    except config.ConfigError as error:
        return _failed(config.EXIT_CONFIG, *error.mistakes)
    if settings.data is None:
        return _failed(
            config.EXIT_USAGE, "the settings say that nothing is kept; name a folder: --data DIR"
        )
    work: Callable[[argparse.Namespace, Path], int] = TOOLS[tool]
    folder = Path(settings.data)
    try:
        return printing(lambda: work(arguments, folder))
    except StoreError as error:
        return _failed(config.EXIT_STORAGE, str(error))
    except OSError as error:
        return _failed(config.EXIT_STORAGE, f"{error.filename or 'output'}: {error.strerror}")


def _failed(code: int, *words: str) -> int:
    for each in words:
        sys.stderr.write(f"chatcore: {each}\n")
    return code


def parser(tool: str) -> argparse.ArgumentParser:
    """The command line of one of the tools."""
    about, epilog = ABOUT[tool]
    made = config.Parser(
        prog=f"chatcore {tool}", description=about, epilog=epilog, allow_abbrev=False
    )
    if tool == "backup":
        made.add_argument("file", metavar="FILE", type=Path, help="where the copy goes")
    if tool == "export":
        made.add_argument("--room", metavar="R", help="only this room; without, all of them")
    if tool in {"export", "modlog"}:
        made.add_argument(
            "--json", action="store_true", help="one JSON object a line, as in docs/PROTOCOL.md"
        )
    where = "the server's folder; by default, the one that a server started here would take"
    made.add_argument("--data", dest="server.data", metavar="DIR", help=where)
    made.add_argument("--config", metavar="FILE", help="the server's settings")
    return made


ABOUT = {
    "backup": (
        "Copy the log to FILE, also while the server runs. All lines up to some number are in it, without a gap.",
        "To restore: stop the server, put FILE as chatcore.db into an empty folder, start the server with that "
        "folder. Do not copy chatcore.db itself while a server runs. exit status: 0 saved; 64 wrong usage, or there is "
        "such a FILE; 74 the log cannot be read or the copy not be written.",
    ),
    "check": (
        "Read all that is kept, also while the server runs, and say what is wrong with it. Changes nothing.",
        "exit status: 0 all is well; 64 wrong usage; 74 each fault is named.",
    ),
    "export": (
        "Print what was said in the rooms, the oldest first, also while the server runs. Direct messages never.",
        "exit status: 0 done; 64 wrong usage, or no such room; 74 the log cannot be read.",
    ),
    "modlog": (
        "Print what moderators and operators did, the oldest first, also while the server runs: who, what, to whom, for "
        "how long, and why.",
        "exit status: 0 done; 64 wrong usage; 74 the log cannot be read.",
    ),
}


def _backup(arguments: argparse.Namespace, folder: Path) -> int:
    try:
        saved = tools.backup(folder, arguments.file)
    except FileExistsError as error:
        return _failed(config.EXIT_USAGE, f"{error.filename}: {error.strerror}. Name another FILE.")
    lines = f"lines up to number {saved.last_seq:,}" if saved.last_seq else "no lines yet"
    sys.stdout.write(f"saved to {arguments.file}: {lines}, {saved.size:,} bytes\n")
    return 0


def _check(arguments: argparse.Namespace, folder: Path) -> int:
    faults = of_this = 0
    for finding in check(folder):
        if isinstance(finding, Fault):
            of_this += 1
            if of_this <= FAULTS_NAMED:
                sys.stderr.write(f"chatcore: {_shown(finding.words)}\n")
            continue
        found = f"{of_this:,} fault{'s' if of_this > 1 else ''}" if of_this else "no fault"
        sys.stdout.write(f"{finding.words}: {found}\n")
        faults, of_this = faults + of_this, 0
    return config.EXIT_STORAGE if faults + of_this else 0


def _shown(words: str) -> str:
    """What stands in a damaged file must not reach the terminal raw."""
    return words if words.isprintable() else ascii(words)


def _export(arguments: argparse.Namespace, folder: Path) -> int:
    room = arguments.room
    if room is not None and not room.startswith("#"):
        room = f"#{room}"
    found = False
    for record in tools.said_in_rooms(folder, room):
        found = True
        if arguments.json:
            text = record_lines(record)
        else:
            text = "".join(_plain_lines(record, name_room=room is None))
        sys.stdout.buffer.write(text.encode())
    if not found and room is not None:
        return _failed(config.EXIT_USAGE, f"nothing is kept of a room {_shown(room)}")
    return 0


def _modlog(arguments: argparse.Namespace, folder: Path) -> int:
    for act in tools.acts(folder):
        text = record_lines(act) if arguments.json else f"{listed(act)}\n"
        sys.stdout.buffer.write(text.encode())
    return 0


def _plain_lines(
    record: Said | Joined | Left | Renamed | TopicSet | Crowd | Act, *, name_room: bool
) -> Iterator[str]:
    """As `/history` shows them of another day; the local time."""
    then = datetime.fromtimestamp(record.time_ms / 1000).astimezone()
    head = f"{record.room} " if name_room else ""
    for line in PlainForm.record(record).decode().split("\n"):
        if line:
            yield f"{head}[{then:%Y-%m-%d %H:%M}] {line}\n"


TOOLS = {"backup": _backup, "check": _check, "export": _export, "modlog": _modlog}
