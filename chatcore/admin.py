"""The admin listener: a few pages of plain HTTP for whoever runs the server, from the same loop that serves the room.

That it answers shows that the loop turns. Invariants: GET and HEAD only, one answer a connection; at most
`CONNECTIONS_MOST` at once, each for at most `DEADLINE_S`, whatever it sends; TCP on loopback only, and only for those
who ask for this machine by a loopback name (a page in somebody's browser that has its own name point here does not);
the Unix socket can be opened by its owner alone.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chatcore.service import Taken, Unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from chatcore.config import Settings
    from chatcore.reactor.loop import Reactor

    Answer: TypeAlias = Callable[..., tuple[int, str, str] | None]

SOCKET_FILE = "admin.sock"
"""Its name in the data folder."""

PATH_BYTES = 107
"""Of a Unix socket's address (unix(7)); a longer one is reached by way of its folder's descriptor."""

HEAD_BYTES = 8 * 1024
"""Of a request: what web servers take; a scraper sends 300."""

DEADLINE_S = 5.0
"""From accept to the end: loopback needs a millisecond."""

CONNECTIONS_MOST = 16
"""At once: a scraper, a health check and a person, several times over."""

BACKLOG = 16

PAUSE_S = 1.0
"""After an accept that failed: without descriptors it would fail again at once."""

OWNER_ONLY = 0o600

STATUS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}

_REQUEST = re.compile(rb"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.[01]\r?\n")
_HOST = re.compile(rb"^host[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_END = re.compile(rb"\r?\n\r?\n")


def place_of(settings: Settings) -> str:
    """Where to listen: a path or HOST:PORT; empty for nowhere."""
    if settings.admin_listen == "off":
        return ""
    if settings.admin_listen:
        return settings.admin_listen
    return str(Path(settings.data, SOCKET_FILE)) if settings.data is not None else ""


def open_place(place: str, reactor: Reactor, answer: Answer) -> Admin:
    """Listen on a path or HOST:PORT. Raises Unusable."""
    try:
        if "/" not in place:
            return Admin(_open_port(place), reactor, answer)
        return Admin(_open_path(Path(place)), reactor, answer, Path(place))
    except OSError as error:
        refusal = Taken if error.errno == errno.EADDRINUSE else Unusable
        raise refusal(
            f"admin.listen: cannot listen on {place}: {error.strerror or error}. Choose another place, or off."
        ) from None


def _open_port(place: str) -> socket.socket:
    host, _, port = place.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    family, kind, proto, _, address = found[0]
    if not ipaddress.ip_address(address[0]).is_loopback:
        raise Unusable(
            f"admin.listen: {host} is no loopback address; what is told there is for this machine only. "
            f"Take 127.0.0.1:{port}, and a tunnel to reach it from elsewhere."
        )
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _open_path(path: Path) -> socket.socket:
    """A file of that name that nobody listens behind any more is replaced; anything else is not."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        with address_of(path) as address:
            try:
                sock.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                _remove_stale(path, address)
                sock.bind(address)
        path.chmod(OWNER_ONLY)
        # Only now: nobody can connect before, so nobody else ever could.
        sock.listen(BACKLOG)
    except (OSError, Unusable):
        sock.close()
        raise
    return sock


def _remove_stale(path: Path, address: str) -> None:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise Unusable(f"admin.listen: {path} is there, and is no socket. Choose another path.")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise Taken(
                f"admin.listen: another server answers at {path}. Stop it, or choose another path."
            )


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """The address of a Unix socket, which may be longer than addresses are: then it is reached through its folder."""
    if len(os.fsencode(path)) <= PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Admin:
    """One listening socket; see the module. `answer` gives status, content type and body for a path, or None."""

    def __init__(
        self, sock: socket.socket, reactor: Reactor, answer: Answer, path: Path | None = None
    ) -> None:
        """`path`: the file that the socket was made with, to be removed in the end."""
        sock.setblocking(False)
        self._sock = sock
        self._path = path
        self._inode = path.stat().st_ino if path is not None else 0
        self._reactor = reactor
        self._answer = answer
        self._visitors: set[_Visitor] = set()
        self._watch(read=True)

    def _watch(self, *, read: bool) -> None:
        self._reactor.watch(self._sock.fileno(), self, read=read, write=False)

    def _go_on(self) -> None:
        if self._sock.fileno() >= 0:
            self._watch(read=True)

    @property
    def private(self) -> bool:
        """Only the owner of the server can ask."""
        return self._sock.family == socket.AF_UNIX

    def on_readable(self) -> None:
        try:
            sock, _ = self._sock.accept()
        except OSError:
            # It ended before it was taken, or there is no descriptor for it, which the room's listener says.
            self._watch(read=False)
            self._reactor.call_later(PAUSE_S, self._go_on)
            return
        sock.setblocking(False)
        if len(self._visitors) < CONNECTIONS_MOST:
            self._visitors.add(_Visitor(sock, self._reactor, self.respond, self._visitors.discard))
            return
        with suppress(OSError):
            sock.send(_response(503, "text/plain", "Too many ask at once.\n", body=True))
        sock.close()

    def on_writable(self) -> None:
        """Never asked for."""

    def on_fault(self, fault: Exception) -> None:
        """A bug met one accept: the next one may do better."""

    def respond(self, head: bytes) -> bytes:
        """The whole response to a request's head."""
        request = _REQUEST.match(head)
        if request is None:
            return _refusal(400, "That is no HTTP request.")
        if request[1] not in (b"GET", b"HEAD"):
            return _refusal(405, "There is only GET and HEAD.", "Allow: GET, HEAD\r\n")
        hosts = _HOST.findall(head)
        if len(hosts) > 1 or (hosts and not (self.private or is_loopback_name(hosts[0]))):
            return _refusal(403, "Ask for localhost.")
        path = request[2].partition(b"?")[0].decode("ascii")
        found = self._answer(path, private=self.private)
        if found is None:
            return _refusal(404, "There are /metrics, /healthz, /readyz and /status.")
        return _response(*found, body=request[1] == b"GET")

    def close(self) -> None:
        """Let go of everything; the socket's file too, if it is still this one."""
        for visitor in list(self._visitors):
            visitor.close()
        self._reactor.forget(self._sock.fileno())
        self._sock.close()
        if self._path is not None:
            with suppress(OSError):
                if self._path.stat().st_ino == self._inode:
                    self._path.unlink()


def is_loopback_name(host: bytes) -> bool:
    """Of a Host field: the name or address of this machine to itself, with or without a port."""
    name = host.decode("latin-1").lower()
    name = name[1 : name.find("]")] if name.startswith("[") else name.partition(":")[0]
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _refusal(status: int, words: str, more: str = "") -> bytes:
    return _response(status, "text/plain", f"{words}\n", more, body=True)


def _response(status: int, kind: str, text: str, more: str = "", *, body: bool) -> bytes:
    data = text.encode()
    head = (
        f"HTTP/1.1 {status} {STATUS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode() + (data if body else b"")


class _Visitor:
    """One connection: reads a head, writes an answer, waits for the peer's end."""

    def __init__(
        self,
        sock: socket.socket,
        reactor: Reactor,
        respond: Callable[[bytes], bytes],
        gone: Callable[[_Visitor], None],
    ) -> None:
        self._sock = sock
        self._reactor = reactor
        self._respond = respond
        self._gone = gone
        self._head = b""
        self._rest = b""
        self._answered = False
        self._timer = reactor.call_later(DEADLINE_S, self.close)
        reactor.watch(sock.fileno(), self, read=True, write=False)

    def on_readable(self) -> None:
        try:
            data = self._sock.recv(HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        elif not self._answered:
            self._head += data
            self._consider()

    def _consider(self) -> None:
        end = _END.search(self._head)
        if end is not None and end.end() <= HEAD_BYTES:
            self._send(self._respond(self._head[: end.end()]))
        elif len(self._head) > HEAD_BYTES:
            self._send(_refusal(431, f"A request's head may have {HEAD_BYTES} bytes."))

    def _send(self, response: bytes) -> None:
        self._answered = True
        self._head = b""
        self._rest = response
        self.on_writable()

    def on_writable(self) -> None:
        try:
            self._rest = self._rest[self._sock.send(self._rest) :]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if not self._rest:
            # What still comes is read and thrown away: closing before would reset the answer away.
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)
        self._reactor.watch(self._sock.fileno(), self, read=True, write=bool(self._rest))

    def on_fault(self, fault: Exception) -> None:
        self.close()

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            self._timer.cancel()
            self._reactor.forget(self._sock.fileno())
            self._sock.close()
            self._gone(self)
