"""The settings: where they come from, what they mean, and every mistake in them at once.

Precedence: flag > environment > file > default. One row of `ROWS` is one setting, and nothing about it stands
anywhere else. Nothing here is done, only read: the same arguments, environment and file give the same settings.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chatcore import __version__
from chatcore.config_values import (
    MOST,
    MOST_PORT,
    Wrong,
    addresses,
    amount,
    one_of,
    some_text,
    whole,
    yes_or_no,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_STORAGE = 74
EXIT_CONFIG = 78
"""As in BSD's sysexits.h: usage, service unavailable, input/output error, configuration."""

LEVELS = ("debug", "info", "warning", "error")
SHOWN_CHARS = 60
"""Of a wrong value: a line of the terminal."""

NO_FOLDER = "there is no home folder to keep the history in: name one with --data DIR, or say --ephemeral to keep nothing"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server runs with; see `ROWS` for units and reasons."""

    host: str
    port: int
    listen: tuple[tuple[str, int], ...]
    log_level: str
    data: str | None
    """The folder, as an absolute path; None only with `ephemeral`."""
    ephemeral: bool
    flood_enabled: bool
    flood_burst: int
    flood_per_second: float
    connections_per_address: int
    grace_s: float
    durability: str
    keep_days: int
    keep_records: int
    history_on_join: int


class ConfigError(Exception):
    """All mistakes that were found, one sentence each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: its key in the file, its field, its default, what it takes, and what it is for."""

    key: str
    field: str
    default: Any
    check: Callable[[object], Any]
    help: str
    flag: str | None = None
    """Its flag; the environment name is made from it."""

    @property
    def variable(self) -> str | None:
        if self.flag is None:
            return None
        return "CHATCORE_" + self.flag.strip("-").replace("-", "_").upper()


ROWS = (
    Row(
        "server.host",
        "host",
        "127.0.0.1",
        some_text,
        "address to listen on; 0.0.0.0 opens it to the network",
        "--host",
    ),
    Row(
        "server.port",
        "port",
        59000,
        whole(0, MOST_PORT),
        "port to listen on; 0 takes a free one",
        "--port",
    ),
    Row(
        "server.listen",
        "listen",
        (),
        addresses,
        "one more HOST:PORT to listen on; may be repeated",
        "--listen",
    ),
    Row(
        "server.data",
        "data",
        None,
        some_text,
        "folder for history and sessions (default: ~/.local/state/chatcore)",
        "--data",
    ),
    Row(
        "server.ephemeral",
        "ephemeral",
        False,
        yes_or_no,
        "keep nothing: all is in memory and gone with the server",
        "--ephemeral",
    ),
    Row(
        "server.log_level",
        "log_level",
        "info",
        one_of(*LEVELS),
        f"how much to log: {', '.join(LEVELS)}",
        "--log-level",
    ),
    Row("flood.enabled", "flood_enabled", True, yes_or_no, "hold back who says too much at once"),
    Row(
        "flood.burst",
        "flood_burst",
        20,
        whole(1),
        "lines that go through at once: a pasted paragraph",
    ),
    Row(
        "flood.per_second",
        "flood_per_second",
        5.0,
        amount("a number above 0", zero=False),
        "lines a second after that: more than anybody reads",
    ),
    Row(
        "limits.connections_per_address",
        "connections_per_address",
        32,
        whole(0),
        "connections one address may have, loopback exempt; 0 for any number",
    ),
    Row(
        "presence.grace_s",
        "grace_s",
        15.0,
        amount("a number of seconds, 0 or more,", zero=True),
        "seconds for which the alias of a lost connection is held",
    ),
    Row(
        "storage.durability",
        "durability",
        "full",
        one_of("full", "fast"),
        "full: survives a power cut; fast: survives a crash",
    ),
    Row(
        "history.keep_days",
        "keep_days",
        0,
        whole(0),
        "days for which history is kept; 0 for ever",
    ),
    Row(
        "history.keep_records",
        "keep_records",
        0,
        whole(0),
        "records that are kept; 0 for all",
    ),
    Row("history.on_join", "history_on_join", 20, whole(0, 500), "lines shown to those who join"),
)

BY_KEY = {row.key: row for row in ROWS}


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """argparse exits with 2; usage errors of this program are 64."""
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}. See {self.prog} --help.\n")


def parser(prog: str = "server_1.py") -> argparse.ArgumentParser:
    """The command line of the server."""
    made = Parser(
        prog=prog,
        description="A chat room of one's own: join with the bundled clients, nc or telnet.",
        epilog="Every flag can also be given in the environment as CHATCORE_… (CHATCORE_PORT=59000), and every "
        "setting in the file of --config. Flags win over the environment, and that over the file.",
        allow_abbrev=False,
    )
    where_kept = made.add_mutually_exclusive_group()
    for row in ROWS:
        if row.flag is None:
            continue
        group = where_kept if row.field in ("data", "ephemeral") else made
        options: dict[str, Any] = {"dest": row.key, "default": None, "help": row.help}
        if row.check is yes_or_no:
            options["action"] = "store_true"
        elif row.check is addresses:
            options |= {"action": "append", "metavar": "HOST:PORT"}
        else:
            options["metavar"] = row.flag.strip("-").upper().replace("-", "_")
        group.add_argument(row.flag, **options)
    made.add_argument("--config", metavar="FILE", help="a TOML file with settings")
    made.add_argument(
        "--check-config",
        action="store_true",
        help="print every setting and where it comes from, and leave",
    )
    made.add_argument("--version", action="version", version=f"chatcore {__version__}")
    return made


def load(
    arguments: argparse.Namespace, environment: Mapping[str, str]
) -> tuple[Settings, dict[str, str]]:
    """The settings, and for each key where its value comes from. Raises ConfigError with every mistake."""
    mistakes: list[str] = []
    path = arguments.config or environment.get("CHATCORE_CONFIG")
    in_file = _read(path, mistakes) if path else {}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for row in ROWS:
        value, origin = _found(row, arguments, environment, in_file, str(path))
        try:
            values[row.field] = row.check(value) if value is not row.default else value
        except Wrong as wrong:
            mistakes.append(f"{_shown(origin)}: {row.key} must be {wrong}, not {_short(value)}")
            values[row.field] = row.default
        origins[row.key] = origin
    _choose_folder(values, origins, environment, mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    return Settings(**values), origins


def _choose_folder(
    values: dict[str, Any],
    origins: dict[str, str],
    environment: Mapping[str, str],
    mistakes: list[str],
) -> None:
    """Where things are kept, or that nothing is: of a folder and `ephemeral`, the one from the stronger origin."""
    folder, ephemeral = origins["server.data"], origins["server.ephemeral"]
    if values["ephemeral"] and _strength(folder) == _strength(ephemeral):
        mistakes.append(
            f"{_shown(folder)}: server.data and server.ephemeral exclude each other; leave one of them out"
        )
    elif values["ephemeral"] and _strength(folder) < _strength(ephemeral):
        values["data"] = None
        return
    values["ephemeral"] = False
    try:
        if values["data"] is None:
            values["data"], origins["server.data"] = _default_folder(environment)
        values["data"] = str(Path(values["data"]).expanduser().absolute())
    except RuntimeError:  # what pathlib raises when it finds no home folder
        mistakes.append(NO_FOLDER)


def _default_folder(environment: Mapping[str, str]) -> tuple[Path, str]:
    """Where state belongs, and which rule says so: systemd's, the XDG base directories, or the home folder."""
    # systemd.exec(5): several folders of a unit are joined by colons.
    if of_service := environment.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(of_service), "STATE_DIRECTORY"
    # XDG Base Directory Specification: "If an implementation encounters a relative path … ignore it."
    if (of_person := environment.get("XDG_STATE_HOME", "")).startswith("/"):
        return Path(of_person, "chatcore"), "XDG_STATE_HOME"
    home = environment.get("HOME")
    return Path(home or Path.home(), ".local", "state", "chatcore"), "default"


def _found(
    row: Row,
    arguments: argparse.Namespace,
    environment: Mapping[str, str],
    in_file: Mapping[str, Any],
    path: str,
) -> tuple[Any, str]:
    given = getattr(arguments, row.key, None)
    if given not in (None, False):
        return given, str(row.flag)
    # An empty variable is how compose files and service units say "not set".
    if row.variable is not None and environment.get(row.variable):
        return environment[row.variable], row.variable
    if row.key in in_file:
        return in_file[row.key], path
    return row.default, "default"


def _strength(origin: str) -> int:
    """Of two settings that exclude each other, the one from the stronger origin counts."""
    if origin == "default":
        return 0
    return 3 if origin.startswith("--") else 2 if origin.startswith("CHATCORE_") else 1


def _shown(text: str) -> str:
    """What stands in a file must not reach the terminal raw."""
    return text if text.isprintable() else ascii(text)


def _short(value: object) -> str:
    """A wrong value, as far as it helps to find it; a number may have more digits than Python is willing to print."""
    text = hex(value) if isinstance(value, int) and abs(value) > MOST else ascii(value)
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"


def _read(path: str, mistakes: list[str]) -> dict[str, Any]:
    """The file's settings by dotted key; what it should not hold goes to the mistakes."""
    import tomllib
    from difflib import get_close_matches

    where = _shown(path)
    try:
        content = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        mistakes.append(f"{where}: cannot be read: {error.strerror}")
        return {}
    except (ValueError, RecursionError) as error:
        mistakes.append(f"{where}: is not valid TOML: {_shown(str(error))}")
        return {}
    found: dict[str, Any] = {}
    for section, entries in content.items():
        pairs = entries.items() if isinstance(entries, dict) else [(None, entries)]
        for name, value in pairs:
            key = section if name is None else f"{section}.{name}"
            if key in BY_KEY:
                found[key] = value
            else:
                near = get_close_matches(key, BY_KEY, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                mistakes.append(f"{where}: there is no setting {_shown(key)}{hint}")
    return found


def load_or_explain(argv: Sequence[str], environment: Mapping[str, str]) -> Settings | int:
    """The settings to run with, or the exit code when there is nothing to run. Explains itself on the terminal."""
    arguments = parser().parse_args(argv)
    try:
        settings, origins = load(arguments, environment)
    except ConfigError as error:
        for mistake in error.mistakes:
            sys.stderr.write(f"chatcore: {mistake}\n")
        return EXIT_CONFIG
    if not arguments.check_config:
        return settings
    for row in ROWS:
        value = getattr(settings, row.field)
        sys.stdout.write(f"{row.key} = {value!r}  ({origins[row.key]})\n")
    return 0
