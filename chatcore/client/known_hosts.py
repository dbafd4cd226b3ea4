"""The file of fingerprints: which certificate a server had when it was trusted, as ssh keeps its hosts.

One line a server, `host:port SHA256:base64`, or `host:port authority` where an authority vouched for the certificate:
a self-signed one is then as suspicious as another fingerprint. `#` begins a comment. Invariants: a line is only ever appended, in one
write, so two clients at once do no harm and what a person wrote stays; a line that cannot be understood is kept, told,
and never taken for another; a file that cannot be read is no empty one.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FILE_BYTES = 1024 * 1024
"""Ten thousand servers; whatever is longer is some other file."""
AUTHORITY = "authority"
"""Stands in a fingerprint's place; `SHA256:` would be none of it."""
PIN = re.compile(r"(\S+)[ \t]+(SHA256:[A-Za-z0-9+/]{43}|authority)=?")
"""32 bytes in base64 are 43 characters; the `=` behind them says nothing, as with ssh."""
FOLDER_MODE, FILE_MODE = 0o700, 0o600


class Pin(NamedTuple):
    fingerprint: str
    line: int
    """Its number in the file, from 1."""


def fingerprint_of(certificate: bytes) -> str:
    """SHA-256 of a certificate (DER), written as ssh writes it."""
    digest = base64.b64encode(hashlib.sha256(certificate).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def default_path(environ: Mapping[str, str]) -> Path:
    """`$XDG_CONFIG_HOME/chatcore/known_hosts`; a relative XDG_CONFIG_HOME counts as none (its specification)."""
    config = environ.get("XDG_CONFIG_HOME", "")
    folder = Path(config) if os.path.isabs(config) else Path(environ.get("HOME", "/"), ".config")
    return folder / "chatcore" / "known_hosts"


class KnownHosts:
    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, server: str) -> tuple[list[Pin], list[int]]:
        """What is pinned for `host:port`, and the numbers of the lines that cannot be understood. Raises OSError."""
        pins: list[Pin] = []
        unreadable: list[int] = []
        for number, line in enumerate(self._read().decode("utf-8", "replace").split("\n"), 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            found = PIN.fullmatch(text)
            if found is None:
                unreadable.append(number)
            elif found[1].casefold() == server.casefold():
                pins.append(Pin(found[2], number))
        return pins, unreadable

    def add(self, server: str, fingerprint: str) -> None:
        """Raises OSError."""
        self.path.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            size = os.fstat(fd).st_size
            # An editor may have left the last line without its end.
            is_cut = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            line_end = "\n" if is_cut else ""
            os.write(fd, f"{line_end}{server} {fingerprint}\n".encode())
        finally:
            os.close(fd)

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                return file.read(MAX_FILE_BYTES)
        except FileNotFoundError:
            return b""
