"""Makes the man pages and the completion of shells from the parsers of the command lines, so that they say what is.

    python packaging/generate.py DIR

writes DIR/man1/*.1 and DIR/completions/{bash,zsh,fish}/… . The wheel takes them in (`packaging/build_hook.py`).
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    # What is described is what stands beside this file, not what is installed.
    sys.path.insert(0, str(ROOT))

import shtab
from argparse_manpage.manpage import Manpage

from chatcore import __version__, config, status, tools
from chatcore.__main__ import USAGE
from chatcore.client import options

if TYPE_CHECKING:
    from collections.abc import Iterable

MANUAL = "chatcore"

SHARED = {
    "man1": "share/man/man1",
    "bash": "share/bash-completion/completions",
    "zsh": "share/zsh/site-functions",
    "fish": "share/fish/vendor_completions.d",
}
"""Where each kind belongs below a prefix; man and the shells look there."""

SHELL_FILE = {"bash": "chatcore", "zsh": "_chatcore", "fish": "chatcore.fish"}


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each subcommand, by its name."""
    made = {
        "serve": config.parser("chatcore serve"),
        "chat": options.parser_for(None),
        "status": status.parser(),
        "check-config": config.parser("chatcore check-config"),
        "passwd": _described(
            "passwd",
            "Print the hash of a password, for the server's settings. It is asked for at a terminal, and read from "
            "a pipe.",
        ),
    }
    made |= {tool: tools.parser(tool) for tool in tools.ABOUT}
    return made


def _described(name: str, description: str) -> argparse.ArgumentParser:
    return config.Parser(prog=f"chatcore {name}", description=description, allow_abbrev=False)


def whole() -> argparse.ArgumentParser:
    """One parser with all subcommands, as completion needs it."""
    made = argparse.ArgumentParser(prog="chatcore")
    made.add_argument("--version", action="version", version=f"chatcore {__version__}")
    below = made.add_subparsers(dest="command")
    for name, parser in parsers().items():
        # Their own -h is added again, so the parents' must not be there twice.
        one = below.add_parser(
            name, parents=[parser], help=parser.description, conflict_handler="resolve"
        )
        for action in one._actions:
            _complete(action)
    return made


def _complete(action: argparse.Action) -> None:
    """Files and folders are completed as such."""
    names = {"FILE": shtab.FILE, "PATH": shtab.FILE, "DIR": shtab.DIRECTORY}
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if metavar.endswith(tuple(names)):
        action.complete = names[next(name for name in names if metavar.endswith(name))]  # type: ignore[attr-defined]


def manual(name: str, parser: argparse.ArgumentParser) -> str:
    """A man page of section 1."""
    page = Manpage(parser)
    page.prog = f"chatcore-{name}"
    page.description = (parser.description or "").split(". ")[0].split(": ")[0].rstrip(".")
    page.manual, page.source, page.date = MANUAL, f"chatcore {__version__}", _date()
    return str(page)


def _date() -> str:
    """The same sources give the same page (reproducible-builds.org/specs/source-date-epoch)."""
    built_s = float(os.environ.get("SOURCE_DATE_EPOCH") or (ROOT / "CHANGELOG.md").stat().st_mtime)
    return f"{datetime.datetime.fromtimestamp(built_s, datetime.UTC):%Y-%m-%d}"


def overview(names: Iterable[str]) -> str:
    """chatcore(1): what there is, and where it is explained."""
    usage = "\n".join(line.strip().removeprefix("usage: ") for line in USAGE.splitlines()[:-1])
    also = ",\n".join(f".BR chatcore\\-{name.replace('-', chr(92) + '-')} (1)" for name in names)
    return (
        f'.TH CHATCORE 1 "{_date()}" "chatcore {__version__}" "{MANUAL}"\n'
        ".SH NAME\nchatcore \\- a chat room of one's own that loses nothing\n"
        f".SH SYNOPSIS\n.nf\n{_escaped(usage)}\n.fi\n"
        ".SH DESCRIPTION\nOne server, one TCP port: terminals, nc and programs in the same room.\n"
        "What was acknowledged is stored; nobody loses a line or sees one twice.\n"
        f".SH SEE ALSO\n{also}\n"
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


def generate(folder: Path) -> dict[Path, str]:
    """Write all of it; each file, with its place below a prefix."""
    made: dict[Path, str] = {}

    def write(kind: str, name: str, text: str) -> None:
        path = folder / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        made[path] = f"{SHARED[kind]}/{name}"

    each = parsers()
    write("man1", "chatcore.1", overview(each))
    for name, parser in each.items():
        write("man1", f"chatcore-{name}.1", manual(name, parser))
    for shell, file in SHELL_FILE.items():
        write(shell, file, shtab.complete(whole(), shell=shell))
    return made


if __name__ == "__main__":
    for path in generate(Path(sys.argv[1])):
        sys.stdout.write(f"{path}\n")
