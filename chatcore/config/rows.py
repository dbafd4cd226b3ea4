"""The rows: every setting with its key, its default, what it takes and what it is for.

Nothing about a setting stands anywhere else; the documents' tables are compared with this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from chatcore.config.operators import operators
from chatcore.config.spelling import spelt
from chatcore.config.values import (
    MOST_PORT,
    a_path,
    above_0,
    addresses,
    admin_address,
    between,
    host_names,
    motd,
    one_of,
    origins,
    password,
    some_text,
    whole,
    yes_or_no,
)
from chatcore.connection.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.config import Settings

LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("auto", "human", "json")

GRACE_S_MOST = 7 * 24 * 3600
"""A session lives no longer than this without a connection (`hub.session.TOKEN_DAYS`)."""

KIB = 1024
MIB = 1024 * KIB


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
    limit: bool = False
    """The field is one of `Limits`."""
    restart: bool = False
    """A running server keeps the value that it started with."""
    secret: bool = False
    """Never shown, only that it is set."""

    @property
    def variable(self) -> str | None:
        if self.flag is None:
            return None
        return "CHATCORE_" + self.flag.strip("-").replace("-", "_").upper()

    def value(self, settings: Settings) -> Any:
        return getattr(settings.limits if self.limit else settings, self.field)

    def shown(self, settings: Settings) -> str:
        """The value as anybody may see it."""
        value = self.value(settings)
        return "(set)" if self.secret and value else spelt(value)


_Start = partial(Row, restart=True)
"""What holds from the start to the end."""


def _limit(key: str, check: Callable[[object], Any], words: str) -> Row:
    """A field of `Limits`; its default stands there."""
    name = key.partition(".")[2]
    return Row(key, name, getattr(Limits(), name), check, words, limit=True)


SERVER = (
    _Start(
        "server.host",
        "host",
        "127.0.0.1",
        some_text,
        "address to listen on; 0.0.0.0 opens it to the network",
        "--host",
    ),
    _Start(
        "server.port",
        "port",
        59000,
        whole(0, MOST_PORT),
        "port to listen on; 0 takes a free one",
        "--port",
    ),
    _Start(
        "server.listen",
        "listen",
        (),
        addresses,
        "one more HOST:PORT to listen on; may be repeated",
        "--listen",
    ),
    _Start(
        "server.data",
        "data",
        None,
        some_text,
        "folder for history and sessions (default: ~/.local/state/chatcore)",
        "--data",
    ),
    _Start(
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
    _Start(
        "server.log_format",
        "log_format",
        "auto",
        one_of(*LOG_FORMATS),
        "human, json, or auto: human on a terminal and in the journal, JSON lines elsewhere",
        "--log-format",
    ),
    Row(
        "server.password",
        "password",
        None,
        password,
        "password that everybody needs to come in, or its hash from `chatcore passwd`",
        secret=True,
    ),
    Row(
        "server.motd",
        "motd",
        "",
        motd,
        "words for everybody who arrives; may have several lines",
    ),
    Row(
        "operators",
        "operators",
        (),
        operators,
        "who may kick and ban: a table [[operators]] for each, with name, and hash from `chatcore passwd`",
    ),
)

TLS = (
    _Start(
        "tls.enabled",
        "tls_enabled",
        True,
        yes_or_no,
        "take encrypted connections too, on the same port",
    ),
    Row(
        "tls.cert",
        "tls_cert",
        None,
        a_path,
        "certificate and its chain, PEM; without it the server makes its own",
        "--tls-cert",
    ),
    Row(
        "tls.key",
        "tls_key",
        None,
        a_path,
        "private key of that certificate, PEM, without a passphrase",
        "--tls-key",
    ),
    Row(
        "tls.required",
        "tls_required",
        False,
        yes_or_no,
        "refuse connections from beyond this machine that are not encrypted",
        "--require-tls",
    ),
)

WEB = (
    Row(
        "web.enabled",
        "web_enabled",
        True,
        yes_or_no,
        "show the page to browsers, on the same port",
    ),
    Row(
        "web.names",
        "web_names",
        (),
        host_names,
        "names by which browsers call this server, besides its own and its addresses",
    ),
    Row(
        "web.origins",
        "web_origins",
        (),
        origins,
        "other sites whose pages may join over WebSocket",
    ),
)

ADMIN = (
    _Start(
        "admin.listen",
        "admin_listen",
        "",
        admin_address,
        "where metrics and status are read: a path, HOST:PORT of loopback, or off (default: admin.sock in the data folder)",
    ),
)

ROOM = (
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
        above_0("lines a second"),
        "lines a second after that: more than anybody reads",
    ),
    Row(
        "presence.grace_s",
        "grace_s",
        15.0,
        between(0, GRACE_S_MOST, "seconds"),
        "seconds for which the alias of a lost connection is held",
    ),
    _Start(
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

LIMITS = (
    _limit(
        "limits.connections_per_address",
        whole(0),
        "connections one address may have, loopback exempt; 0 for any number",
    ),
    _limit(
        "limits.arrivals_per_minute",
        whole(0),
        "new connections of one address in a minute, loopback exempt; 0 for any number",
    ),
    _limit(
        "limits.accepts_a_turn",
        whole(1, 4_096),
        "connections taken in one turn of the loop: 256 are a few milliseconds",
    ),
    _limit(
        "limits.send_buffer_bytes",
        whole(4 * KIB, 16 * MIB),
        "bytes the kernel holds for one reader; what does not fit waits in the log, which all share",
    ),
    _limit(
        "limits.reply_bytes",
        whole(16 * KIB, 256 * KIB),
        "bytes of answers that somebody may leave unread before their next command waits",
    ),
    _limit(
        "limits.handshakes",
        whole(1, 100_000),
        "TLS handshakes under way at once, 44 KiB each; others wait for their turn",
    ),
    _limit(
        "limits.handshakes_a_turn",
        whole(1, 1_000),
        "steps of TLS handshakes in one turn of the loop, 0.2 to 0.4 ms each",
    ),
    _limit(
        "limits.logins_per_minute",
        whole(1, 1_000),
        "passwords that one address, and one account, may try in a minute",
    ),
    _limit(
        "limits.logins_waiting",
        whole(1, 10_000),
        "passwords that may wait to be checked, one after the other; further ones are refused",
    ),
)

TIMEOUTS = (
    _limit(
        "timeouts.greeting_s",
        between(0.05, 10, "seconds"),
        "seconds of silence before a connection is greeted: programs speak first, people wait",
    ),
    _limit(
        "timeouts.handshake_s",
        between(1, 600, "seconds"),
        "seconds from accept to the end of the TLS handshake",
    ),
    _limit(
        "timeouts.join_s",
        between(2, 3_600, "seconds"),
        "seconds from accept to joined: time to think of a name",
    ),
    _limit(
        "timeouts.keepalive_s",
        between(1, 32_767, "seconds"),
        "seconds of silence before the kernel asks whether the peer is there; it is given up after twice that",
    ),
    _limit(
        "timeouts.unsent_s",
        between(1, 3_600, "seconds"),
        "seconds a peer may acknowledge nothing of what was sent; one that only reads slowly acknowledges",
    ),
    _limit(
        "timeouts.drain_s",
        between(0.1, 60, "seconds"),
        "seconds a peer that the server is done with has to end its side",
    ),
    _limit(
        "timeouts.progress_s",
        between(1, 3_600, "seconds"),
        "seconds a connection that is to be closed may take nothing of what is still due to it",
    ),
)

ROWS: tuple[Row, ...] = (*SERVER, *TLS, *WEB, *ADMIN, *ROOM, *LIMITS, *TIMEOUTS)

BY_KEY = {row.key: row for row in ROWS}
