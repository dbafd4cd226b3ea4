"""From the command line to a running server: settings, sockets, signals, the banner; and the way out.

What the server is made of stands in `chatcore.server`. Every early end says on stderr why, and what to do.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import sys
from typing import TYPE_CHECKING

from chatcore import config, diagnostics
from chatcore.admin import Admin, open_place, place_of
from chatcore.banner import listening, port_unavailable, ways_in
from chatcore.certificates import CertificateError
from chatcore.config.environment import strays
from chatcore.connection.listener import Unavailable, listen_on, raise_descriptor_limit
from chatcore.keeping import CannotKeepError, open_keeping
from chatcore.metrics import Sources
from chatcore.printing import open_missing, put
from chatcore.reactor.loop import Reactor
from chatcore.report import Report
from chatcore.server import Server
from chatcore.service import Service, Unusable

if TYPE_CHECKING:
    from chatcore.config import Settings

SWITCH_S = 0.0002
"""For how long a thread may keep the interpreter from another. The loop gives it up with every send, and would get it
back only after Python's usual 5 ms while the index is made: a ping then took up to 76 ms, with this 5 to 35."""

AGAIN_S = 1.0
"""Until standard output is asked again whether it takes something."""

COLLECT_AFTER = 10_000
"""Containers made, less those that went by themselves, until Python looks for rings of garbage among them. Records have
none, and a busy room's window drops as many as come in: with Python's 700 it was searched all the time, for 2 % of the
processor under load."""

logger = logging.getLogger("chatcore.server")


def start(argv: list[str], prog: str) -> int:
    """Run a server until it is told to stop. Returns the exit code: 0, 64, 69, 74 or 78."""
    open_missing()
    settings = config.load_or_explain(argv, os.environ, prog)
    if isinstance(settings, int):
        return settings
    descriptors = raise_descriptor_limit()
    _tune_interpreter()
    reactor = Reactor()
    try:
        service = Service(os.environ)
        sockets = service.sockets or listen_on(
            ((settings.host, settings.port), *settings.listen), settings.limits
        )
        keeping = open_keeping(settings, reactor)
    except Unavailable as error:
        sys.stderr.write(port_unavailable(error.host, error.port, error.reason))
        return config.EXIT_UNAVAILABLE
    except (Unusable, CannotKeepError) as error:
        sys.stderr.write(f"chatcore: {error}\n")
        return error.exit_code
    console = diagnostics.configure(settings.log_level, log_format=settings.log_format)
    for stray in strays(os.environ):
        logger.warning("a stray variable: %(stray)s", {"stray": stray})
    server = Server(settings, sockets, reactor, keeping)
    server.crowd.descriptors = descriptors
    try:
        hosts = [str(sock.getsockname()[0]) for sock in sockets]
        server.certificates.open(settings, os.environ, hosts)
        server.page.open(settings, hosts)
        admin = open_admin(settings, service, Sources(server, console))
    except (CertificateError, Unusable) as error:
        sys.stderr.write(f"chatcore: {error}\n")
        server.certificates.close()
        keeping.close()
        return error.exit_code if isinstance(error, Unusable) else config.EXIT_CONFIG
    for signum in (signal.SIGTERM, signal.SIGINT):
        reactor.on_signal(signum, lambda: stop(server, service))
    reactor.on_signal(signal.SIGHUP, lambda: reload(server, service, settings, argv))
    gc.freeze()  # What was made until now stays: the collector need not look at it again.
    addresses = [sock.getsockname()[:2] for sock in sockets]
    _print(listening(addresses, settings.data))
    service.begin(reactor, lambda: in_short(server))
    server.certificates.watch(reactor, lambda: _say_ways_in(server, addresses[0]))
    server.page.prepare(reactor)
    reactor.run()
    if admin is not None:
        admin.close()
    return _let_go(server, console)


def _tune_interpreter() -> None:
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(COLLECT_AFTER)


def _say_ways_in(server: Server, address: tuple[str, int]) -> None:
    """In the loop, which does not wait for a terminal that has been stopped: it is asked again."""
    if not select.select([], [sys.stdout], [], 0)[1]:
        server.reactor.call_later(AGAIN_S, lambda: _say_ways_in(server, address))
        return
    tls, required = server.certificates.words, server.certificates.door.required
    _print(ways_in(address, tls=tls, only_tls=required, no_page=server.page.words))


def _print(text: str) -> None:
    """Whether or not anybody reads it, or there is room for it: the server goes on."""
    error = put(text)
    if error is None or isinstance(error, BrokenPipeError):  # whoever closed a pipe knows
        return
    words = "standard output takes nothing: %(reason)s. %(first)s"
    logger.warning(words, {"reason": error.strerror, "first": text.partition("\n")[0].strip()})


def _let_go(server: Server, console: diagnostics.Console) -> int:
    """Keep what is to be kept. Returns the exit code."""
    server.certificates.close()
    keeping = server.keeping
    keeping.close()
    if unsaved := keeping.journal.failure or keeping.journal.trouble:
        words = "stopped; what nobody was told is stored is lost: %(reason)s"
        logger.critical(words, {"reason": unsaved})
        server.exit_code = config.EXIT_STORAGE
    else:
        logger.info("stopped")
    console.close()
    return server.exit_code


def open_admin(settings: Settings, service: Service, sources: Sources) -> Admin | None:
    """The admin listener. Raises Unusable, but not for the place that nobody asked for: that is only logged."""
    answer, reactor = Report(sources).answer, sources.server.reactor
    if service.admin is not None:
        return Admin(service.admin, reactor, answer)
    place = place_of(settings)
    if not place:
        return None
    try:
        return open_place(place, reactor, answer)
    except Unusable as error:
        if settings.admin_listen:
            raise
        logger.warning("no status can be asked for: %(reason)s", {"reason": str(error)})
        return None


def in_short(server: Server) -> str:
    """For `systemctl status`."""
    state = server.world.state
    return f"{len(server.exchange.connections)} connections, {len(state.rooms)} rooms"


def stop(server: Server, service: Service) -> None:
    """SIGTERM or SIGINT."""
    service.stopping()
    server.stop()


def reload(server: Server, service: Service, running: Settings, argv: list[str]) -> None:
    """SIGHUP: read the configuration again and take over what can change; one with mistakes changes nothing."""
    service.reloading()
    _take_over(server, running, argv)
    service.ready(in_short(server))


def _take_over(server: Server, running: Settings, argv: list[str]) -> None:
    try:
        settings = config.reread(argv, os.environ)
    except config.ConfigError as error:
        for mistake in error.mistakes:
            logger.error("configuration: %(mistake)s", {"mistake": mistake})
        logger.error("the configuration has mistakes: the old one stays")
        return
    _configure(server, settings)
    logging.getLogger("chatcore").setLevel(settings.log_level.upper())
    logger.info("configuration reloaded")
    if waiting := config.waiting(running, settings):
        keys = ", ".join(waiting)
        logger.warning("changed, but not in force before a restart: %(keys)s", {"keys": keys})


def _configure(server: Server, settings: Settings) -> None:
    """Take over what can change while running; the rest waits for a restart."""
    server.exchange.flood = settings.flood
    server.limits.take(settings.limits)
    server.certificates.reload(settings)
    server.page.reload(settings)
    server.exchange.admission.configure(settings.password, settings.operators)
    server.keeping.configure(settings)
