"""From the command line to a running server: settings, sockets, signals, the banner; and the way out.

What the server is made of stands in `chatcore.server`. Every early end says on stderr why, and what to do.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys

from chatcore import config, diagnostics
from chatcore.banner import banner, port_unavailable
from chatcore.connection.listener import Unavailable, listen_on, raise_descriptor_limit
from chatcore.keeping import InMemory, OnDisk
from chatcore.reactor.loop import Reactor
from chatcore.server import Server
from chatcore.store.schema import StoreError

SWITCH_S = 0.0002
"""For how long a thread may keep the interpreter from another. The loop gives it up with every send, and would get it
back only after Python's usual 5 ms while the index is made: a ping then took up to 76 ms, with this 5 to 35."""

logger = logging.getLogger("chatcore.server")


def start(argv: list[str]) -> int:
    """Run a server until it is told to stop. Returns the exit code: 0, 64, 69, 74 or 78."""
    settings = config.load_or_explain(argv, os.environ)
    if isinstance(settings, int):
        return settings
    raise_descriptor_limit()
    sys.setswitchinterval(SWITCH_S)
    try:
        sockets = listen_on(((settings.host, settings.port), *settings.listen))
    except Unavailable as error:
        sys.stderr.write(port_unavailable(error.host, error.port, error.reason))
        return config.EXIT_UNAVAILABLE
    reactor = Reactor()
    try:
        keeping = InMemory(settings) if settings.data is None else OnDisk(settings, reactor)
    except StoreError as error:
        sys.stderr.write(f"chatcore: {error}\n")
        return config.EXIT_STORAGE
    console = diagnostics.configure(settings.log_level)
    server = Server(settings, sockets, reactor, keeping)
    reactor.on_signal(signal.SIGTERM, server.stop)
    reactor.on_signal(signal.SIGINT, server.stop)
    reactor.on_signal(signal.SIGHUP, lambda: reload(server, argv))
    gc.freeze()  # What was made until now stays: the collector need not look at it again.
    addresses = [sock.getsockname()[:2] for sock in sockets]
    sys.stdout.write(banner(addresses, data=settings.data))
    sys.stdout.flush()
    reactor.run()
    keeping.close()
    if unsaved := keeping.journal.failure or keeping.journal.trouble:
        logger.critical("stopped; what nobody was told is stored is lost: %s", unsaved)
        server.exit_code = config.EXIT_STORAGE
    else:
        logger.info("stopped")
    console.close()
    return server.exit_code


def reload(server: Server, argv: list[str]) -> None:
    """SIGHUP: read the configuration again and take over what can change; one with mistakes changes nothing."""
    settings = config.load_or_explain(argv, os.environ)
    if isinstance(settings, int):
        logger.error("the configuration has mistakes: the old one stays")
        return
    server.configure(settings)
    logging.getLogger("chatcore").setLevel(settings.log_level.upper())
    logger.info("configuration reloaded")
