"""The terminal client: `python clients/client_1.py`, `python -m chatcore chat`.

It knows the native dialect (docs/PROTOCOL.md) and nothing of the server's inside. From the wire to the screen:

    network   one socket, made without blocking       wire       bytes ↔ messages, hostile ones included
    tunnel    TLS over that socket                     trust      whom to believe, known_hosts
    link      ids, acknowledgements, retry, return     model      events → lines, rooms, the own alias
    style     lines → text: colour, time, made safe    console    a terminal with an editor, or a stream
    chat      the loop that brings them together       line_mode  which console, looks and exit code

`link`, `model`, `style` and what they stand on are pure: no socket, no clock, no randomness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None, alias: str | None = None) -> int:
    """Run a client; `alias` is the preset one. Returns the exit code, of which `--help` tells the meanings."""
    from chatcore.client.line_mode import run
    from chatcore.client.options import parse_options

    return run(parse_options(argv, alias))
