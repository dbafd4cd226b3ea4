"""`python -m chatcore`: the server, the client and the tools of whoever runs a server, as one command."""

from __future__ import annotations

import sys
from importlib import import_module

from chatcore import __version__
from chatcore.printing import say

USAGE = """\
usage: chatcore serve [...]            run a server
       chatcore chat [HOST[:PORT]]     join a room from this terminal
       chatcore status [...]           ask a running server how it does
       chatcore check-config [...]     print every setting and where it comes from, or all that is wrong with them
       chatcore passwd [...]           make the hash of a password, for the settings
       chatcore modlog [...]           print what moderators and operators did
       chatcore backup FILE [...]      copy the log, also while the server runs
       chatcore check [...]            read all that is kept, and say what is wrong with it
       chatcore export [...]           print what was said, as lines or as JSON
       chatcore --version
Each explains itself: chatcore serve --help, chatcore chat --help, and so on.
"""

COMMANDS = {
    "chat": ("chatcore.client", "main"),
    "status": ("chatcore.status", "run"),
    "passwd": ("chatcore.passwords", "main"),
}
"""For each the module that is imported when it is asked for, and the function in it that takes the arguments and
returns the exit code."""

SERVER = ("serve", "check-config")
"""They take the same command line."""

TOOLS = ("modlog", "backup", "check", "export")
"""They work with a data folder, and share their beginning."""

EXIT_USAGE = 64


def main(argv: list[str] | None = None) -> int:
    """Run the subcommand; returns its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    match arguments:
        case [name, *rest] if name in SERVER:
            from chatcore.server import main as serve

            return serve(rest, f"chatcore {name}")
        case [name, *rest] if name in COMMANDS:
            module, function = COMMANDS[name]
            code: int = getattr(import_module(module), function)(rest)
            return code
        case [tool, *rest] if tool in TOOLS:
            from chatcore.tools import run

            return run(tool, rest)
        case ["--version"]:
            return say(f"chatcore {__version__}\n")
        case ["--help" | "-h"]:
            return say(USAGE)
        case [name, *_]:
            from chatcore.hub.text import shown

            kind = "option" if name.startswith("-") else "command"
            sys.stderr.write(f"chatcore: There is no {kind} {shown(name)}.\n{USAGE}")
        case _:
            sys.stderr.write(USAGE)
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
