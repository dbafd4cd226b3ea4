"""`python -m chatcore`: the server, the client and the tools of whoever runs a server, as one command."""

from __future__ import annotations

import sys

from chatcore import __version__

USAGE = """\
usage: chatcore serve [...]            run a server
       chatcore chat [HOST[:PORT]]     join a room from this terminal
       chatcore backup FILE [...]      copy the log, also while the server runs
       chatcore check [...]            read all that is kept, and say what is wrong with it
       chatcore export [...]           print what was said, as lines or as JSON
       chatcore --version
Each explains itself: chatcore serve --help, chatcore chat --help, and so on.
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
        case ["backup" | "check" | "export" as tool, *rest]:
            from chatcore.tools import run

            return run(tool, rest)
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
