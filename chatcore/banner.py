"""What the server tells the person who starts it: where it listens and how to join, or why it cannot."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_PORT = 59000
CLIENT = "clients/client_1.py"
"""Stands beside the package in the sources, and nowhere where it is installed."""

INSTALLED = "chatcore chat"

NOT_KEPT = "nothing; everything is in memory (--ephemeral) and gone when the server stops"


def listening(addresses: Sequence[tuple[str, int]], data: str | None) -> str:
    """The lines printed as soon as the server listens; the first contains `listening on HOST:PORT`.

    `data`: the folder that history is kept in; None: nothing is kept.
    """
    # What is in a folder's name must not reach the terminal raw.
    kept = f"in {data if data.isprintable() else ascii(data)}" if data else NOT_KEPT
    return f"chatcore is listening on {', '.join(map(_shown, addresses))}\n  kept:   {kept}\n"


def ways_in(
    address: tuple[str, int], *, tls: str = "", only_tls: bool = False, no_page: str = ""
) -> str:
    """The lines that follow when it is known whether people can come encrypted, which may be a moment later.

    `tls`: the certificate's fingerprint, or why there is none; `only_tls`: others must come by it; `no_page`: why
    there is no page for browsers, empty if there is one.
    """
    host, port = address
    lines = []
    if tls:
        lines.append(f"  tls:    {tls if tls.isprintable() else ascii(tls)}")
    where, local = _shown((_reachable(host), port)), _is_loopback(host)
    # Beyond this machine the clients encrypt unless they are told not to.
    unencrypted = "" if local or not tls or tls.startswith("SHA256:") else " --no-tls"
    lines.append(f"  join:   {_client()} {where}{unencrypted}")
    plain = local or not only_tls
    without = (
        f"nc {_reachable(host)} {port}" if plain else f"openssl s_client -quiet -connect {where}"
    )
    lines.append(f"  or:     {without}")
    page = f"none. {no_page}" if no_page else f"{'http' if plain else 'https'}://{where}/"
    lines.append(f"  page:   {page}")
    if _is_loopback(host):
        lines.append(
            f"  Only this machine can join. For the whole network: --host 0.0.0.0, then nc {_lan_name()} {port}"
        )
    return "\n".join(lines) + "\n"


def _client() -> str:
    """The command that starts a client here."""
    beside = Path(__file__).parents[1].joinpath(CLIENT).exists()
    return f"{python()} {CLIENT}" if beside else INSTALLED


def python() -> str:
    """This interpreter, as one would type it: Debian has a `python3` and no `python`."""
    name = Path(sys.executable).name
    found = any(Path(folder, name).exists() for folder in os.get_exec_path())
    return name if found else sys.executable


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


def _reachable(host: str) -> str:
    """The address that somebody on the network would join at."""
    return _lan_name() if ipaddress.ip_address(host.partition("%")[0]).is_unspecified else host


def _lan_name() -> str:
    return socket.gethostname()


def port_unavailable(host: str, port: int, error: OSError) -> str:
    """Why the port cannot be had, who has it, and what to do."""
    where = _shown((host, port))
    if error.errno == errno.EADDRINUSE:
        owner = port_owner(port)
        who = f" It belongs to {owner}." if owner else ""
        # Nobody is found where an outgoing connection has it, or where one may not look.
        else_held = (
            ""
            if owner
            else (
                "If nothing listens there, an outgoing connection has it: reserve the port with\n"
                f"  sysctl -w net.ipv4.ip_local_reserved_ports={port}\n"
            )
        )
        return (
            f"chatcore: {where} is taken.{who} Stop that program, or choose another port: --port {port + 1}, or "
            f"--port 0 for a free one.\n{else_held}"
        )
    if error.errno == errno.EACCES:
        return f"chatcore: not allowed to listen on {where}. Ports below 1024 need rights: choose a higher --port.\n"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"chatcore: {host} is no address of this machine. Choose another --host.\n"
    return f"chatcore: cannot listen on {where}: {error.strerror or error}. Choose another --host or --port.\n"


def port_owner(port: int) -> str:
    """The process that has the TCP port, as `name (pid 123)`; empty if that cannot be found out."""
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            if int(columns[1].rpartition(":")[2], 16) == port and columns[9] != "0":
                inodes.add(f"socket:[{columns[9]}]")
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(entry) in inodes for entry in folder.iterdir()):
                name = (folder.parent / "comm").read_text().strip()
                return f"{name} (pid {folder.parent.name})"
        except OSError:
            # Ended meanwhile, or somebody else's.
            continue
    return ""
