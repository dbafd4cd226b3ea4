"""`python -m chatcore`: the server and the client as one command."""

from __future__ import annotations

import sys

from chatcore import __version__

USAGE = """\
usage: chatcore serve [...]            run a server
       chatcore chat [HOST[:PORT]]     join a room from this terminal
       chatcore --version
Each explains itself: chatcore serve --help, chatcore chat --help.
"""

EXIT_USAGE = 64


def main(argv: list[str] | None = None) -> int:
    """Run the subcommand; returns its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    match arguments:
        case ["serve", *rest]:
            from chatcore.server import main as serve

            return serve(rest)
        case ["chat", *rest]:
            from chatcore.client import main as chat

            return chat(rest)
        case ["--version"]:
            sys.stdout.write(f"chatcore {__version__}\n")
            return 0
        case ["--help" | "-h"]:
            sys.stdout.write(USAGE)
            return 0
        case _:
            pass
    sys.stderr.write(USAGE)
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
