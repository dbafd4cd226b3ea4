"""The command line of the clients: what was asked for, checked, as one value. Usage errors exit 64 (EX_USAGE)."""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from chatcore import __version__
from chatcore.client.exits import EXIT_IO, EXIT_SIGPIPE, EXIT_USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import SupportsWrite

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 59000
MAX_PORT = 65535
MAX_PASSWORD_CHARACTERS = 4096
"""More than any password: the file is another one."""

EPILOG = """\
At a terminal: lines appear above the one being typed; /help lists the commands, Ctrl-D or /quit leaves.
Piped, `echo hi | %(prog)s`: every line of standard input (empty ones excepted) is said and waited for; then it
leaves. A line that begins with / is a command; // says a slash.

Beyond this machine the connection is encrypted. A certificate for which nobody vouches is trusted on first use: its
fingerprint is kept in ~/.config/chatcore/known_hosts, and from then on it must be that one.

exit status:
  0    left, and everything said is stored
  1    lines were refused, or not acknowledged within --timeout
  64   wrong usage
  69   cannot connect (--no-reconnect; piped: no connection within --timeout, or 30 s)
  74   the output cannot be written: its disk is full
  76   there is no chat server of ours at that address, or none that can be trusted (TLS)
  77   the server refused: alias taken or password needed and nobody to ask, banned, room not allowed, ...
  79   the server has another certificate than the one it was known by: nothing was said to it
  129, 130, 141, 143   ended by SIGHUP, Ctrl-C, SIGPIPE, SIGTERM (the terminal is restored);
       with --listen, it is 0 when whoever reads the output closes it
"""


@dataclass(frozen=True, slots=True)
class Options:
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    alias: str = ""
    """Empty: to be asked for."""
    room: str = "#lobby"
    reconnect: bool = True
    timeout_s: float | None = None
    color: str = "auto"
    time: str | None = None
    """None: `hm` at a terminal, `none` elsewhere."""
    plain: bool = False
    listen: bool = False
    json: bool = False
    tls: bool | None = None
    """None: neither `--tls` nor `--no-tls` was said."""
    tls_ca: str = ""
    """Empty: what the system trusts, and the fingerprints of known servers."""
    password: str = field(default="", repr=False)
    """The server's."""

    @property
    def is_encrypted(self) -> bool:
        """Beyond this machine unless somebody says no: there are others on the way."""
        return not is_loopback(self.host) if self.tls is None else self.tls

    @property
    def is_plainly(self) -> bool:
        """Nothing is encrypted, and it would be: that is worth a word wherever one types."""
        return self.tls is False

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """As far as its name tells: this is asked before anything is looked up."""
    if host.casefold().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """argparse ends in a traceback, or in silence, where nothing takes what --help and --version print."""
        if file is not sys.stdout:
            super()._print_message(message, file)
        elif fault := _not_printed(message):
            if isinstance(fault, BrokenPipeError):
                self.exit(EXIT_SIGPIPE)
            self.exit(EXIT_IO, f"Cannot write the output: {fault.strerror}.\n")


def _not_printed(text: str) -> OSError | None:
    """Print it; returns why that cannot be."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as fault:
        # Python would flush, and complain, once more.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return fault
    return None


def parse_options(argv: Sequence[str] | None, alias: str | None) -> Options:
    """`alias`: the preset one; `--alias` wins."""
    parser = parser_for(alias)
    given = parser.parse_args(argv)
    if given.tls is False and given.tls_ca:
        parser.error("argument --no-tls: not allowed with argument --tls-ca")
    host, port = given.address
    return Options(
        host,
        port,
        (alias or "") if given.alias is None else given.alias,
        given.room if given.room.startswith("#") else f"#{given.room}",
        given.reconnect,
        given.timeout,
        given.color,
        given.time,
        given.plain,
        given.listen,
        given.json,
        True if given.tls_ca else given.tls,
        given.tls_ca or "",
        given.password or "",
    )


def parser_for(alias: str | None) -> argparse.ArgumentParser:
    """The command line; `alias`: the preset one."""
    parser = _Parser(
        prog=None if alias else "chatcore chat",
        description="Talk in a chat room.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "address",
        nargs="?",
        type=_address,
        default=(DEFAULT_HOST, DEFAULT_PORT),
        metavar="HOST[:PORT]",
        help=f"where the server is (default: {DEFAULT_HOST}:{DEFAULT_PORT}); IPv6 as [::1]:{DEFAULT_PORT}",
    )
    preset = f"default: {alias}" if alias else "asked for at a terminal"
    add("--alias", type=_not_empty, metavar="NAME", help=f"your name in the room ({preset})")
    add(
        "--room",
        type=_not_empty,
        default="#lobby",
        metavar="R",
        help="the room to go to (default: #lobby)",
    )
    add(
        "--no-reconnect",
        dest="reconnect",
        action="store_false",
        help="end when the connection is lost",
    )
    add(
        "--timeout",
        type=_seconds,
        metavar="S",
        help="piped: seconds to wait for an acknowledgement",
    )
    add(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="a non-empty NO_COLOR wins",
    )
    add(
        "--time",
        choices=("hm", "iso", "none"),
        help="the time before each line (default: hm at a terminal)",
    )
    add(
        "--plain",
        action="store_true",
        help="only append, words instead of glyphs; so for TERM=dumb",
    )
    add("--listen", action="store_true", help="only print what is said; standard input is not read")
    add("--json", action="store_true", help="print records only, as JSON, one object a line")
    _add_security(parser)
    add("--version", action="version", version=f"chatcore {__version__}")
    return parser


def _add_security(parser: argparse.ArgumentParser) -> None:
    tls = parser.add_mutually_exclusive_group()
    tls.add_argument(
        "--tls",
        action="store_true",
        default=None,
        help="encrypt (default: unless the server is on this machine)",
    )
    tls.add_argument(
        "--no-tls",
        dest="tls",
        action="store_false",
        help="do not encrypt: everybody on the way can read along; the prompt says (plain)",
    )
    parser.add_argument(
        "--tls-ca",
        type=_readable,
        metavar="FILE",
        help="trust what these certificates (PEM) vouch for, and nothing else",
    )
    parser.add_argument(
        "--password-file",
        dest="password",
        type=_first_line,
        metavar="FILE",
        help="holds the server's password (or the variable CHATCORE_PASSWORD does)",
    )


def _readable(path: str) -> str:
    try:
        with open(path, "rb"):
            return path
    except OSError as fault:
        raise argparse.ArgumentTypeError(f"cannot read {path}: {fault.strerror}") from fault


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            line = file.readline(MAX_PASSWORD_CHARACTERS).rstrip("\r\n")
    except OSError as fault:
        raise argparse.ArgumentTypeError(f"cannot read {path}: {fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise argparse.ArgumentTypeError(f"{path} is not UTF-8") from fault
    if not line:
        raise argparse.ArgumentTypeError(f"the first line of {path} is empty")
    return line


def _address(text: str) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise argparse.ArgumentTypeError(f"{text!r} is no address; write [::1]:{DEFAULT_PORT}")
        port = rest[1:]
    elif text.count(":") > 1:  # a bare IPv6 address has no port
        host, rest, port = text, "", ""
    else:
        host, rest, port = text.partition(":")
    if not host or (rest and not port):
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST[:PORT]")
    return host, _port(port) if port else DEFAULT_PORT


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no port; it is a number from 1 to {MAX_PORT}"
        )
    return int(text)


def _not_empty(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty")
    return text.strip()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds
