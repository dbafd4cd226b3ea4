"""The listener: takes connections in, and neither spins nor stops when it cannot."""

from __future__ import annotations

import errno
import os
import resource
import selectors
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.connection.crowd import FAREWELLS
from chatcore.connection.limits import Limits
from chatcore.connection.listener import (
    PAUSE_FIRST_S,
    PAUSE_LAST_S,
    TCP_RTO_MAX_MS,
    Unavailable,
    listen,
    listen_on,
    raise_descriptor_limit,
)
from chatcore.dialects.http import Site, site_files
from chatcore.page import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READ = selectors.EVENT_READ
FULL = FAREWELLS["no_descriptors"]
CROWDED = FAREWELLS["connections_per_address"]
LIMITS = Limits()
ACCEPTS_A_TURN = LIMITS.accepts_a_turn


class ScriptedListening:
    """A listening socket whose callers are a script: sockets with their addresses, or errors."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.incoming: deque[Any] = deque()
        self.accepts = 0
        self.options: dict[tuple[int, int], int] = {}
        self.closes = 0

    def fileno(self) -> int:
        return self.fd

    def accept(self) -> tuple[Any, Any]:
        self.accepts += 1
        if not self.incoming:
            raise BlockingIOError
        found = self.incoming.popleft()
        if isinstance(found, OSError):
            raise found
        return found

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self.options[level, name] = value

    def close(self) -> None:
        self.closes += 1


@pytest.fixture
def listening() -> ScriptedListening:
    return ScriptedListening(2_000_000)


@pytest.fixture
def open_house(make_house: Any, listening: ScriptedListening) -> Any:
    return make_house(sockets=[listening], connections_per_address=3)


@pytest.fixture
def call(open_house: Any, listening: ScriptedListening, scripted: Any) -> Callable[..., Any]:
    """Somebody calls."""

    def called(host: str = "127.0.0.1") -> Any:
        sock = scripted()
        open_house.add(sock)
        listening.incoming.append((sock, (host, sock.fd)))
        return sock

    return called


def test_callers_are_taken_in(open_house: Any, call: Any) -> None:
    ann, bob = call(), call("::1")
    ann.say("Ann")
    bob.say("Bob")
    open_house.settle()
    assert ann.lines[0] == bob.lines[0] == "Connected to the server!"


def test_a_crowd_comes_in_over_several_turns(
    open_house: Any, listening: ScriptedListening, call: Any
) -> None:
    for _ in range(2 * ACCEPTS_A_TURN + 10):
        call()
    counts = []
    for _ in range(4):
        open_house.turn()
        counts.append(len(open_house.exchange.connections))
    assert counts[0] == ACCEPTS_A_TURN
    assert counts[-1] == 2 * ACCEPTS_A_TURN + 10


@pytest.mark.parametrize(
    "error",
    [ConnectionAbortedError(errno.ECONNABORTED, "aborted"), OSError(errno.EPROTO, "protocol")],
)
def test_a_caller_that_is_gone_already_costs_the_next_one_nothing(
    open_house: Any, listening: ScriptedListening, call: Any, error: OSError
) -> None:
    listening.incoming.append(error)
    ann = call()
    ann.say("Ann")
    open_house.settle()
    assert ann.lines[0] == "Connected to the server!"


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_without_descriptors_one_caller_is_told_and_the_loop_does_not_spin(
    open_house: Any, listening: ScriptedListening, call: Any, code: int
) -> None:
    (listener,) = open_house.server.listeners
    open_house.settle()
    listening.incoming.append(OSError(code, os.strerror(code)))
    told, ann = call(), call()
    open_house.settle()
    if code in {errno.EMFILE, errno.ENFILE}:
        assert bytes(told.sent) == FULL
        assert told.closes == 1
    assert open_house.selector.watches(listening.fd) == 0
    accepts = listening.accepts
    for _ in range(10):
        open_house.turn()
    assert listening.accepts == accepts
    ann.say("Ann")
    open_house.pass_time(PAUSE_FIRST_S)
    assert open_house.selector.watches(listening.fd) == READ
    assert ann.lines[0] == "Connected to the server!"
    assert listener._spare is not None


def test_the_pause_doubles_up_to_a_second_and_starts_anew_after_a_success(
    open_house: Any, listening: ScriptedListening, call: Any
) -> None:
    (listener,) = open_house.server.listeners
    pauses = []
    for _ in range(6):
        pauses.append(listener._pause_s)
        listening.incoming.append(OSError(errno.EMFILE, "Too many open files"))
        open_house.settle()
        assert open_house.selector.watches(listening.fd) == 0
        open_house.pass_time(pauses[-1] + 0.001)
        assert open_house.selector.watches(listening.fd) == READ
    assert pauses == [0.1, 0.2, 0.4, 0.8, PAUSE_LAST_S, PAUSE_LAST_S]
    call()
    open_house.settle()
    assert listener._pause_s == PAUSE_FIRST_S


def test_whom_the_kernel_cannot_watch_is_told_and_takes_no_place_of_its_address(
    open_house: Any, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, events: int, data: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    told, waits = call(host="192.0.2.7"), call(host="192.0.2.7")
    with monkeypatch.context() as patch:
        patch.setattr(open_house.selector, "register", full)
        open_house.turn()
    assert bytes(told.sent) == FULL
    assert told.closes == 1
    assert not waits.sent
    assert open_house.server.crowd._here == {}
    open_house.pass_time(PAUSE_FIRST_S)
    assert open_house.server.crowd._here == {"192.0.2.7": 1}


def test_a_full_server_complains_now_and_then_and_not_for_every_caller(
    open_house: Any, listening: ScriptedListening, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        listening.incoming.append(OSError(errno.EMFILE, "Too many open files"))
        open_house.settle()
        open_house.pass_time(PAUSE_LAST_S)
    complaints = [each for each in caplog.records if each.name == "chatcore.listener"]
    assert 2 <= len(complaints) <= 3


def test_without_a_spare_descriptor_it_waits_until_there_is_one(
    open_house: Any, listening: ScriptedListening, call: Any
) -> None:
    (listener,) = open_house.server.listeners
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # From here on the process itself has no descriptor left: the spare one, once given up, is taken by somebody else.
    highest = max(map(int, os.listdir("/proc/self/fd")))
    holders = [os.open(os.devnull, os.O_RDONLY) for _ in range(highest + 1)]
    taken: list[int] = []

    class Thief:
        """Takes the descriptor that was free for a moment."""

        def __init__(self) -> None:
            self.sent = b""

        def setblocking(self, flag: bool) -> None:
            taken.append(os.open(os.devnull, os.O_RDONLY))

        def send(self, data: bytes) -> int:
            raise BrokenPipeError

        def close(self) -> None:
            """Gone already."""

    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(holders) + 1, hard))
        listening.incoming.append(OSError(errno.EMFILE, "Too many open files"))
        listening.incoming.append((Thief(), ("127.0.0.1", 1)))
        open_house.turn()
        assert taken
        assert listener._spare is None
        open_house.pass_time(PAUSE_FIRST_S)
        assert open_house.selector.watches(listening.fd) == 0
        os.close(taken.pop())
        open_house.pass_time(PAUSE_LAST_S)
        assert listener._spare is not None
        assert open_house.selector.watches(listening.fd) == READ
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in (*holders, *taken):
            os.close(fd)


def test_a_closed_listener_stays_closed(open_house: Any, listening: ScriptedListening) -> None:
    (listener,) = open_house.server.listeners
    listening.incoming.append(OSError(errno.EMFILE, "Too many open files"))
    open_house.settle()
    listener.close()
    listener.close()
    open_house.pass_time(PAUSE_LAST_S)
    assert listening.closes == 1
    assert open_house.selector.watches(listening.fd) == 0


def test_a_bug_in_one_accept_does_not_end_the_accepting(
    open_house: Any, listening: ScriptedListening, call: Any
) -> None:
    listening.incoming.append((None, ("127.0.0.1", 1)))
    open_house.turn()
    assert open_house.reactor.stats.faults == 1
    ann = call()
    ann.say("Ann")
    for _ in range(3):
        open_house.turn()
    assert ann.lines[0] == "Connected to the server!"


def test_an_address_has_its_share_of_connections_and_gets_it_back(
    open_house: Any, call: Any
) -> None:
    inside = [call("10.0.0.1") for _ in range(3)]
    outside, other = call("10.0.0.1"), call("10.0.0.2")
    open_house.settle()
    assert bytes(outside.sent) == CROWDED
    assert outside.closes == 1
    assert not other.closes
    inside[0].reset()
    open_house.settle()
    late = call("10.0.0.1")
    late.say("Ann")
    open_house.settle()
    assert late.lines[0] == "Connected to the server!"


@pytest.fixture
def closing() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    yield sockets
    for sock in sockets:
        sock.close()


def test_listening_sockets_bound_the_kernels_copy_and_never_wait(
    closing: list[socket.socket],
) -> None:
    closing += listen("127.0.0.1", 0, LIMITS)
    (sock,) = closing
    assert not sock.getblocking()
    # Linux doubles what is asked for.
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * LIMITS.send_buffer_bytes
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    with socket.create_connection(sock.getsockname()), sock.accept()[0] as taken:
        assert taken.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * LIMITS.send_buffer_bytes
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_every_address_of_a_name_gets_the_same_free_port(closing: list[socket.socket]) -> None:
    closing += listen("", 0, LIMITS)
    assert len({sock.getsockname()[1] for sock in closing}) == 1


def test_a_taken_port_is_told_and_nothing_stays_open(closing: list[socket.socket]) -> None:
    closing += listen("127.0.0.1", 0, LIMITS)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="in use") as caught:
        listen("127.0.0.1", closing[0].getsockname()[1], LIMITS)
    assert caught.value.errno == errno.EADDRINUSE
    assert len(os.listdir("/proc/self/fd")) == before


def test_all_addresses_are_listened_on_or_none(closing: list[socket.socket]) -> None:
    closing += listen_on([("127.0.0.1", 0), ("127.0.0.1", 0)], LIMITS)
    assert len({sock.getsockname()[1] for sock in closing}) == 2
    taken = closing[0].getsockname()[1]
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Unavailable) as caught:
        listen_on([("127.0.0.1", 0), ("127.0.0.1", taken)], LIMITS)
    assert (caught.value.host, caught.value.port) == ("127.0.0.1", taken)
    assert caught.value.reason.errno == errno.EADDRINUSE
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_limit_of_descriptors_is_raised_as_far_as_it_goes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        raise_descriptor_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_a_reload_changes_the_next_ones_inherit(
    open_house: Any, listening: ScriptedListening, call: Any
) -> None:
    limits = open_house.server.limits
    idle = (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    asked = (socket.IPPROTO_TCP, TCP_RTO_MAX_MS)
    assert listening.options[idle] == limits.keepalive_s
    assert listening.options[asked] == 10_000
    listening.options.clear()
    call()
    open_house.settle()
    assert not listening.options, "nothing has changed"
    limits.keepalive_s, limits.unsent_s, limits.send_buffer_bytes = 8.0, 1.5, 32_768
    call()
    open_house.settle()
    assert listening.options[idle] == 8
    assert listening.options[socket.IPPROTO_TCP, socket.TCP_KEEPINTVL] == 2
    assert listening.options[asked] == 1_000
    assert listening.options[socket.SOL_SOCKET, socket.SO_SNDBUF] == 32_768


def test_an_older_kernel_without_the_longest_wait_is_lived_with(
    listening: ScriptedListening, make_house: Any
) -> None:
    set_option = listening.setsockopt

    def refuses(level: int, name: int, value: int) -> None:
        if name == TCP_RTO_MAX_MS:
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
        set_option(level, name, value)

    listening.setsockopt = refuses  # type: ignore[method-assign]
    make_house(sockets=[listening])
    assert listening.options


def test_who_reloads_the_page_is_no_flood(open_house: Any, call: Any) -> None:
    """Browsers fetch each of its files over a connection of its own."""
    open_house.server.limits.take(LIMITS)
    files = site_files((path.name, path.read_bytes()) for path in FOLDER.iterdir())
    open_house.exchange.door.site = Site(files, frozenset({"127.0.0.1"}))

    def visit() -> bool:
        came = []
        for path in files:
            came.append(call("10.0.0.1"))
            came[-1].say(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r")
            came[-1].end()
            open_house.settle()
        return all(caller.sent.startswith(b"HTTP/1.1 200 OK\r\n") for caller in came)

    visits = 0
    while visit():
        visits += 1
        assert visits < LIMITS.arrivals_per_minute
    print(f"\n{visits} visits in no time, {len(files)} files each")
    assert visits >= 10


def test_who_is_turned_away_is_told_why_once_and_counted_by_reason(
    open_house: Any, listening: ScriptedListening, call: Any
) -> None:
    crowd, limits = open_house.server.crowd, open_house.server.limits
    limits.connections_per_address, limits.arrivals_per_minute = 3, 5
    callers = [call("10.0.0.1") for _ in range(4)]
    open_house.settle()
    for caller in callers[:3]:
        caller.reset()
    open_house.settle()
    callers += [call("10.0.0.1") for _ in range(3)]
    open_house.settle()
    listening.incoming.append(OSError(errno.EMFILE, "Too many open files"))
    callers.append(call("10.0.0.2"))
    open_house.settle()
    told = [caller for caller in callers if caller.sent]
    assert [bytes(caller.sent) for caller in told] == [
        FAREWELLS[reason]
        for reason in ("connections_per_address", "arrivals_per_minute", "no_descriptors")
    ]
    assert all(caller.sent.count(b"\n") == caller.closes == 1 for caller in told)
    assert dict(crowd.turned_away) == dict.fromkeys(FAREWELLS, 1)
