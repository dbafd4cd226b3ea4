"""The shared file: what many sockets are sent out of it is what was placed, whatever is placed after that."""

from __future__ import annotations

import errno
import gc
import os
import resource
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.connection import shared_file
from chatcore.connection.shared_file import LEAST_BYTES, LEAST_READERS, SharedFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NEWS_BYTES = LEAST_BYTES
READ_S = 10.0


class Pair:
    """Two ends of a connection over loopback, ours as the server's are."""

    def __init__(self, listener: socket.socket, stack: ExitStack) -> None:
        self.theirs = stack.enter_context(socket.create_connection(listener.getsockname()))
        self.ours = stack.enter_context(listener.accept()[0])
        self.ours.setblocking(False)
        self.fd = self.ours.fileno()
        self.theirs.settimeout(READ_S)

    def read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.theirs.recv(size - len(data))
            assert part
            data += part
        return bytes(data)


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        yield [Pair(listener, stack) for _ in range(LEAST_READERS)]


def news(number: int) -> bytes:
    """Recognisable bytes that stand on no page's border."""
    return (b"%06d " % number * NEWS_BYTES)[: NEWS_BYTES + number]


def send(file: SharedFile, data: bytes, pairs: Sequence[Pair]) -> list[int]:
    sends = file.sends(data, pairs)
    assert sends is not None
    return list(sends)


def descriptors() -> int:
    gc.collect()  # those of other tests' servers, which go when the collector comes by
    return len(os.listdir("/proc/self/fd"))


def test_what_a_socket_still_holds_stays_as_it_was(
    pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is cut, and written again, several times while all of it waits in the sockets."""
    monkeypatch.setattr(shared_file, "FILE_BYTES", 4 * NEWS_BYTES)
    file, all_news = SharedFile(), [news(k) for k in range(20)]
    for each in all_news:
        assert send(file, each, pairs) == [len(each)] * len(pairs)
    everything = b"".join(all_news)
    for pair in pairs:
        assert pair.read(len(everything)) == everything


def test_the_file_never_holds_more_than_it_may(pairs: list[Pair]) -> None:
    limit = shared_file.FILE_BYTES
    file, each, placed = SharedFile(), news(1), 0
    while placed < 3 * limit:
        send(file, each, pairs)
        placed += len(each)
        assert file._fd is not None
        assert os.fstat(file._fd).st_size <= limit
        assert [pair.read(len(each)) for pair in pairs] == [each] * len(pairs)


def test_a_full_socket_takes_a_part_then_nothing_and_the_others_have_theirs(
    pairs: list[Pair],
) -> None:
    file, slow, rest = SharedFile(), pairs[3], pairs[:3] + pairs[4:]
    each, taken = news(1) * 5, [1]
    slow.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * NEWS_BYTES)
    everything = bytearray()
    while taken[-1]:
        sends = file.sends(each, pairs)
        assert sends is not None
        sent: list[int] = []
        while len(sent) < len(pairs):
            try:
                sent.extend(sends)
            except BlockingIOError:
                sent.append(0)
        assert [*sent[:3], *sent[4:]] == [len(each)] * len(rest)
        for pair in rest:
            assert pair.read(len(each)) == each
        taken.append(sent[3])
        everything += each[: sent[3]]
    assert any(0 < count < len(each) for count in taken[1:])
    assert slow.read(len(everything)) == everything


def test_a_descriptor_that_is_closed_is_an_error_of_its_own(pairs: list[Pair]) -> None:
    file, each = SharedFile(), news(1)
    pairs[0].fd = -1
    sends = file.sends(each, pairs)
    assert sends is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        next(sends)
    assert list(sends) == [len(each)] * (len(pairs) - 1)


def test_for_little_or_for_few_it_is_not_worth_it(pairs: list[Pair]) -> None:
    file = SharedFile()
    assert file.sends(bytes(LEAST_BYTES - 1), pairs) is None
    assert file.sends(bytes(LEAST_BYTES), pairs[1:]) is None
    assert file.sends(bytes(LEAST_BYTES), pairs) is not None


def test_without_such_files_everything_goes_the_usual_way(
    pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    assert SharedFile().sends(news(1), pairs) is None


@pytest.mark.parametrize("fault", [OSError(errno.ENOSYS, "not here"), 0])
def test_a_system_that_does_not_send_out_of_it_is_found_out_before_anybody_misses_something(
    pairs: list[Pair], monkeypatch: pytest.MonkeyPatch, fault: OSError | int
) -> None:
    def sendfile(fd: int, file: int, offset: int, count: int) -> int:
        if isinstance(fault, OSError):
            raise fault
        return fault

    monkeypatch.setattr(os, "sendfile", sendfile)
    before, file = descriptors(), SharedFile()
    assert file.sends(news(1), pairs) is None
    assert descriptors() == before


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "no room"), MemoryError(), 7])
def test_what_finds_no_room_goes_the_usual_way_and_the_next_is_whole(
    pairs: list[Pair], monkeypatch: pytest.MonkeyPatch, fault: Exception | int
) -> None:
    file, real = SharedFile(), os.pwrite
    send(file, news(1), pairs)

    def pwrite(fd: int, data: bytes, offset: int) -> int:
        if isinstance(fault, Exception):
            raise fault
        return real(fd, data[:fault], offset)

    with monkeypatch.context() as short_of_memory:
        short_of_memory.setattr(os, "pwrite", pwrite)
        assert file.sends(news(2), pairs) is None
    send(file, news(3), pairs)
    for pair in pairs:
        assert pair.read(len(news(1) + news(3))) == news(1) + news(3)


def test_the_descriptor_goes_with_the_file(pairs: list[Pair]) -> None:
    before, file = descriptors(), SharedFile()
    send(file, news(1), pairs)
    assert descriptors() == before + 1
    del file
    assert descriptors() == before


@pytest.mark.parametrize("left", [0, 1, 2])
def test_without_a_descriptor_for_it_it_does_without(pairs: list[Pair], left: int) -> None:
    before = descriptors()
    with ExitStack() as stack:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = os.dup(0)
        stack.callback(os.close, highest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + left, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        file = SharedFile()
    assert file.sends(news(1), pairs) is None
    assert descriptors() == before


def test_the_name_of_a_connection_that_is_closed_is_nobodys(house: Any) -> None:
    """Its number may be another's by now, and news are sent by number."""
    sock = house.plain("Ann")
    connection = house.connection_of(sock)
    sock.reset()
    house.settle()
    assert sock.closes == 1
    assert connection.fd == -1
