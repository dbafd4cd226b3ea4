"""The settings: where they come from, what they mean, and every mistake in them at once.

Precedence: flag > environment > file > default. One row of `ROWS` is one setting, and nothing about it stands
anywhere else. Nothing here is done, only read: the same arguments, environment and file give the same settings.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chatcore import __version__
from chatcore.config.environment import strays
from chatcore.config.file import read
from chatcore.config.rows import ROWS
from chatcore.config.spelling import short, shown
from chatcore.config.values import Several, Wrong, a_path, addresses, yes_or_no
from chatcore.connection.limits import Limits
from chatcore.hub.flood import FloodLimits
from chatcore.printing import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from _typeshed import SupportsWrite

    from chatcore.config.operators import Operator
    from chatcore.config.rows import Row

EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_STORAGE = 74
EXIT_CONFIG = 78
"""As in BSD's sysexits.h: usage, service unavailable, input/output error, configuration."""

SCRIPT = "server_1.py"
CHECK_CONFIG = "chatcore check-config"
"""Programs whose command line this is; `chatcore serve` is another one."""

SERVES = "A chat room of one's own: join with the bundled clients, nc or telnet."
CHECKS = (
    "Print every setting and where it comes from, or all that is wrong with them. Takes what `chatcore serve` "
    "takes, and starts nothing."
)

NO_FOLDER = "there is no home folder to keep the history in: name one with --data DIR, or say --ephemeral to keep nothing"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server runs with; see `ROWS` for units and reasons."""

    host: str
    port: int
    listen: tuple[tuple[str, int], ...]
    log_level: str
    log_format: str
    data: str | None
    """The folder, as an absolute path; None only with `ephemeral`."""
    ephemeral: bool
    flood_enabled: bool
    flood_burst: int
    flood_per_second: float
    grace_s: float
    durability: str
    keep_days: int
    keep_records: int
    history_on_join: int
    password: str | None = field(repr=False)
    """Everybody needs it to come in: as it is typed, or an scrypt hash."""
    motd: str
    operators: tuple[Operator, ...]
    tls_enabled: bool
    tls_cert: str | None
    tls_key: str | None
    tls_required: bool
    web_enabled: bool
    web_names: tuple[str, ...]
    web_origins: tuple[str, ...]
    admin_listen: str
    """`""`: a socket in the data folder; `off`; a path; or HOST:PORT of loopback."""
    limits: Limits

    @property
    def flood(self) -> FloodLimits:
        return FloodLimits(self.flood_enabled, self.flood_burst, self.flood_per_second)


class ConfigError(Exception):
    """All mistakes that were found, one sentence each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """argparse exits with 2; usage errors of this program are 64."""
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}. See {self.prog} --help.\n")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """argparse ends in a traceback, or in silence, where nothing takes what --help and --version print."""
        if file is not sys.stdout:
            super()._print_message(message, file)
        elif code := say(message):
            self.exit(code)


def parser(prog: str = SCRIPT) -> argparse.ArgumentParser:
    """The command line of the server."""
    made = Parser(
        prog=prog,
        description=CHECKS if prog == CHECK_CONFIG else SERVES,
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
        elif row.check is a_path:
            options["metavar"] = "FILE"
        elif row.field == "data":
            options["metavar"] = "DIR"
        else:
            options["metavar"] = row.flag.strip("-").upper().replace("-", "_")
        group.add_argument(row.flag, **options)
    made.add_argument("--config", metavar="FILE", help="a TOML file with settings")
    if prog == CHECK_CONFIG:
        made.set_defaults(check_config=True)
    else:
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
    in_file = read(path, mistakes) if path else {}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for row in ROWS:
        values[row.key], origins[row.key] = row.default, "default"
        # What is overruled is looked at too: a file should be right whatever flags come with it.
        for value, origin in _given(row, arguments, environment, in_file, str(path)):
            try:
                values[row.key] = row.check(value)
            except Wrong as wrong:
                not_this = "" if row.secret else f", not {short(value)}"
                mistakes.append(f"{shown(origin)}: {row.key} must be {wrong}{not_this}")
            except Several as several:
                mistakes += [f"{shown(origin)}: {row.key} {each}" for each in several.mistakes]
            origins[row.key] = origin
    _choose_folder(values, origins, environment, mistakes)
    _look_at_pairs(values, origins, mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    limits = Limits(**{row.field: values[row.key] for row in ROWS if row.limit})
    fields = {row.field: values[row.key] for row in ROWS if not row.limit}
    return Settings(**fields, limits=limits), origins


def _look_at_pairs(values: dict[str, Any], origins: dict[str, str], mistakes: list[str]) -> None:
    """What is right by itself may be wrong with another."""
    for given, missing in (("tls.cert", "tls.key"), ("tls.key", "tls.cert")):
        if values[given] is not None and values[missing] is None and origins[missing] == "default":
            mistakes.append(
                f"{shown(origins[given])}: {given} is of no use without {missing}: name both, or neither"
            )
    if values["tls.required"] and not values["tls.enabled"]:
        mistakes.append(
            f"{shown(origins['tls.required'])}: tls.required wants what tls.enabled = false takes away; "
            "leave one of them out"
        )
    mistakes += [
        f"{shown(origins['timeouts.join_s'])}: timeouts.join_s must be more than {shorter}, "
        f"which is {values[shorter]:g}: nobody could join"
        for shorter in ("timeouts.greeting_s", "timeouts.handshake_s")
        if values[shorter] >= values["timeouts.join_s"]
    ]


def _choose_folder(
    values: dict[str, Any],
    origins: dict[str, str],
    environment: Mapping[str, str],
    mistakes: list[str],
) -> None:
    """Where things are kept, or that nothing is: of a folder and `ephemeral`, the one from the stronger origin."""
    folder, ephemeral = origins["server.data"], origins["server.ephemeral"]
    if values["server.ephemeral"] and _strength(folder) == _strength(ephemeral):
        mistakes.append(
            f"{shown(folder)}: server.data and server.ephemeral exclude each other; leave one of them out"
        )
    elif values["server.ephemeral"] and _strength(folder) < _strength(ephemeral):
        values["server.data"] = None
        return
    values["server.ephemeral"] = False
    try:
        if values["server.data"] is None:
            values["server.data"], origins["server.data"] = _default_folder(environment)
        values["server.data"] = str(Path(values["server.data"]).expanduser().absolute())
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


def _given(
    row: Row,
    arguments: argparse.Namespace,
    environment: Mapping[str, str],
    in_file: Mapping[str, Any],
    path: str,
) -> Iterator[tuple[Any, str]]:
    """The values that were given and where, the strongest last."""
    if row.key in in_file:
        yield in_file[row.key], path
    # An empty variable is how compose files and service units say "not set".
    if row.variable is not None and environment.get(row.variable):
        yield environment[row.variable], row.variable
    given = getattr(arguments, row.key, None)
    if given not in (None, False):
        # One that was repeated is what the environment writes with commas.
        yield ",".join(given) if isinstance(given, list) else given, str(row.flag)


def _strength(origin: str) -> int:
    """Of two settings that exclude each other, the one from the stronger origin counts."""
    if origin == "default":
        return 0
    return 3 if origin.startswith("--") else 2 if origin.startswith("CHATCORE_") else 1


def reread(argv: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings as they are now, for a server that runs. Raises ConfigError with every mistake."""
    return load(parser().parse_args(argv), environment)[0]


def waiting(running: Settings, wanted: Settings) -> list[str]:
    """The keys of what has changed and holds only after a restart."""
    changed = [row for row in ROWS if row.value(running) != row.value(wanted)]
    return [row.key for row in changed if row.restart]


def load_or_explain(
    argv: Sequence[str], environment: Mapping[str, str], prog: str = SCRIPT
) -> Settings | int:
    """The settings to run with, or the exit code when there is nothing to run. Explains itself on the terminal."""
    arguments = parser(prog).parse_args(argv)
    try:
        settings, origins = load(arguments, environment)
        if arguments.check_config:
            _look_at_certificate(settings, origins)
    except ConfigError as error:
        for mistake in error.mistakes:
            sys.stderr.write(f"chatcore: {mistake}\n")
        return EXIT_CONFIG
    if not arguments.check_config:
        return settings
    for stray in strays(environment):
        sys.stderr.write(f"chatcore: {stray}\n")
    return say(
        "".join(f"{row.key} = {row.shown(settings)}  ({shown(origins[row.key])})\n" for row in ROWS)
    )


def _look_at_certificate(settings: Settings, origins: Mapping[str, str]) -> None:
    """A start would find out, too late for whoever asks before it. Raises ConfigError."""
    if not settings.tls_enabled or settings.tls_cert is None or settings.tls_key is None:
        return
    from chatcore import certificates  # it takes what brings TLS, which nothing else here needs
    from chatcore.making import NoCertificateError

    pair = certificates.Pair(Path(settings.tls_cert), Path(settings.tls_key), "")
    try:
        certificates.load(pair)
    except (certificates.CertificateError, NoCertificateError) as error:
        raise ConfigError([f"{shown(origins['tls.cert'])}: {error}"]) from None
