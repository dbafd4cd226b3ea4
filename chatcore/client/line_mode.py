"""Which console, which looks, and the ends of a visit: everything around the loop of `chatcore.client.chat`.

Invariant: whatever ends the loop, an exception included, the terminal is as it was before.
"""

from __future__ import annotations

import enum
import os
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from chatcore.client.chat import ENDING_SIGNALS, SIGNALS, Chat
from chatcore.client.console import STDERR, STDOUT, OutputLostError, StreamConsole, TerminalConsole
from chatcore.client.exits import (
    EXIT_IO,
    EXIT_OK,
    EXIT_SIGPIPE,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    SIGNAL_EXIT,
)
from chatcore.client.signals import Signals
from chatcore.client.style import Looks, Style, wants_color

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chatcore.client.console import Console
    from chatcore.client.options import Options
    from chatcore.client.trust import Trust

STDIN = 0


class Mode(enum.Enum):
    TERMINAL = "lines appear above the one being typed"
    APPENDING = "somebody types, but nothing may be redrawn"
    PIPED = "each line of standard input is said; then it leaves"
    LISTENING = "standard input is not read"


def choose_mode(
    options: Options, environ: Mapping[str, str], *, stdin_tty: bool, stdout_tty: bool
) -> Mode:
    if options.listen:
        return Mode.LISTENING
    if not stdin_tty:
        return Mode.PIPED
    dumb = environ.get("TERM", "dumb") in {"", "dumb"}
    if options.plain or options.json or dumb or not stdout_tty:
        return Mode.APPENDING
    return Mode.TERMINAL


def choose_looks(
    options: Options, environ: Mapping[str, str], mode: Mode, *, stdout_tty: bool
) -> Looks:
    return Looks(
        color=wants_color(options.color, environ, stdout_tty),
        time=options.time or ("hm" if stdout_tty else "none"),
        words=options.plain or (stdout_tty and mode is Mode.APPENDING),
    )


def run(options: Options) -> int:
    _fill_standard_descriptors()
    stdin_tty, stdout_tty = os.isatty(STDIN), os.isatty(STDOUT)
    mode = choose_mode(options, os.environ, stdin_tty=stdin_tty, stdout_tty=stdout_tty)
    if not options.alias and mode in {Mode.PIPED, Mode.LISTENING}:
        print("There is nobody to ask for an alias: give one with --alias NAME.", file=sys.stderr)
        return EXIT_USAGE
    if not options.password:
        options = replace(options, password=os.environ.get("CHATCORE_PASSWORD", ""))
    try:
        trust = _trust(options)
    except (ImportError, OSError) as fault:
        print(_no_tls_words(options, fault), file=sys.stderr)
        return EXIT_UNAVAILABLE if isinstance(fault, ImportError) else EXIT_USAGE
    looks = choose_looks(options, os.environ, mode, stdout_tty=stdout_tty)
    style = Style(looks, lambda: datetime.now().astimezone())
    if mode is Mode.TERMINAL:
        return _at_terminal(options, style, trust)
    with Signals(SIGNALS, ENDING_SIGNALS) as signals:
        fd = None if mode is Mode.LISTENING else STDIN
        asks_fd = STDERR if options.json else STDOUT
        console = StreamConsole(
            fd,
            bells=stdout_tty and not options.json,
            asks_fd=asks_fd,
            writing=signals.writing,
        )
        interactive = mode is Mode.APPENDING
        return _chat(options, console, style, signals, trust, interactive=interactive)


def _trust(options: Options) -> Trust | None:
    """Raises ImportError where Python has no TLS, OSError if `--tls-ca` holds no certificates."""
    if not options.is_encrypted:
        return None
    from chatcore.client.known_hosts import KnownHosts, default_path
    from chatcore.client.trust import Trust

    hosts = KnownHosts(default_path(os.environ))
    return Trust(options.host, options.address, options.tls_ca, hosts)


def _no_tls_words(options: Options, fault: Exception) -> str:
    if isinstance(fault, ImportError):
        return (
            "This Python has no ssl module, so it cannot encrypt. Use another Python,"
            " or --no-tls if everybody on the way may read along."
        )
    return f"--tls-ca: {options.tls_ca} holds no certificates (PEM)."


def _at_terminal(options: Options, style: Style, trust: Trust | None) -> int:
    from chatcore.client.commands import concealed
    from chatcore.client.editor import Editor
    from chatcore.client.terminal import JOB_SIGNALS, Terminal

    editor = Editor(conceal=concealed)
    # Elsewhere to be stopped needs no preparation, and the terminal itself stops whoever types.
    with (
        Signals((*SIGNALS, *JOB_SIGNALS), ENDING_SIGNALS) as signals,
        Terminal(STDIN, STDOUT, editor, signals.writing) as terminal,
    ):
        console = TerminalConsole(terminal, editor, STDIN)
        return _chat(options, console, style, signals, trust, interactive=True)


def _chat(
    options: Options,
    console: Console,
    style: Style,
    signals: Signals,
    trust: Trust | None,
    *,
    interactive: bool,
) -> int:
    chat = Chat(options, console, style, signals, interactive=interactive, trust=trust)
    try:
        code = chat.run()
    except OutputLostError as fault:
        for number in ENDING_SIGNALS & signals.take():
            return SIGNAL_EXIT + number
        if fault.is_reader_gone:
            # Quietly: whoever closed the pipe knows. Nothing is left undone by one who only listens.
            return EXIT_OK if options.listen else EXIT_SIGPIPE
        print(f"Cannot write the output: {fault.words}.", file=sys.stderr)
        return EXIT_IO
    if chat.last_words:
        with suppress(OutputLostError):  # the exit code says it as well
            console.complain(chat.last_words)
    return code


def _fill_standard_descriptors() -> None:
    """Started with one of them closed, the first socket would become standard output."""
    for fd in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
