"""The child that makes a certificate: whatever becomes of it, it is told once and nothing of it is left."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from chatcore import making
from chatcore.making import Making, NoCertificateError
from tests.conftest import DEADLINE_S, PATIENCE
from tests.held_making import HeldMaking, children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from chatcore.reactor.loop import Reactor


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldMaking]:
    site = tmp_path / "site"
    site.mkdir()
    found = HeldMaking(site, monkeypatch)
    yield found
    found.close()


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """How many more are open than at the beginning."""
    before = len(os.listdir("/proc/self/fd"))
    return lambda: len(os.listdir("/proc/self/fd")) - before


def told(real_reactor: Reactor, made: Making) -> int:
    """How often it tells of its end."""
    calls: list[None] = []
    made.watch(real_reactor, lambda: calls.append(None))
    end = time.monotonic() + DEADLINE_S * PATIENCE
    while not calls:
        assert time.monotonic() < end, "it is never told"
        real_reactor.turn()
    real_reactor.call_soon(lambda: None)
    real_reactor.turn()
    assert real_reactor.stats.faults == 0
    return len(calls)


def test_one_that_takes_too_long_is_ended(
    real_reactor: Reactor, held: HeldMaking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children(os.getpid())
    monkeypatch.setattr(making, "MAKING_S", 0.2)
    data = tmp_path / "data"
    data.mkdir()
    made = Making(str(data), [])
    assert told(real_reactor, made) == 1
    assert children(os.getpid()) == before
    with pytest.raises(NoCertificateError, match=r"it took longer than 0.2 s"):
        made.pair()
    made.close()
    assert not list(data.iterdir())


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_one_that_somebody_ends_is_a_failure(
    real_reactor: Reactor, held: HeldMaking, signum: signal.Signals
) -> None:
    before = set(children(os.getpid()))
    made = Making(None, [])
    held.begun()
    (child,) = set(children(os.getpid())) - before
    os.kill(child, signum)
    assert told(real_reactor, made) == 1
    with pytest.raises(NoCertificateError, match=r"^making a certificate failed \(.+\); pip"):
        made.pair()
    made.close()


def test_one_whose_end_the_kernel_keeps_to_itself_counts_by_what_it_made(
    real_reactor: Reactor,
) -> None:
    """Whoever starts a server may have set SIGCHLD to be ignored."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        made = Making(None, ["localhost"])
        assert told(real_reactor, made) == 1
    finally:
        signal.signal(signal.SIGCHLD, before)
    cert, _ = made.pair()
    assert b"-----BEGIN CERTIFICATE-----" in cert.read_bytes()
    made.close()


def test_what_is_wanted_no_more_leaves_nothing(
    real_reactor: Reactor, held: HeldMaking, descriptors: Callable[[], int], tmp_path: Path
) -> None:
    before = children(os.getpid())
    for data in (None, str(tmp_path)):
        made = Making(data, [])
        made.watch(real_reactor, lambda: pytest.fail("told of what nobody wants"))
        made.close()
    real_reactor.call_soon(lambda: None)
    real_reactor.turn()
    assert children(os.getpid()) == before
    assert descriptors() == 0
    assert not list(tmp_path.glob("tls.*"))


def test_a_machine_without_room_for_a_child_has_no_certificate(
    descriptors: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spawn(*_: object, **__: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "posix_spawn", spawn)
    with pytest.raises(NoCertificateError, match="temporarily unavailable"):
        Making(None, [])
    assert descriptors() == 0


@pytest.mark.parametrize("call", ["memfd_create", "pipe"])
def test_a_machine_without_descriptors_has_none_either(
    descriptors: Callable[[], int], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(NoCertificateError, match="not permitted"):
        Making(None, [])
    assert descriptors() == 0


def test_a_disk_that_is_full_is_named_and_not_the_package(
    real_reactor: Reactor, tmp_path: Path
) -> None:
    """There is nowhere to write to: the folder went away in between."""
    made = Making(str(tmp_path / "gone"), [])
    assert told(real_reactor, made) == 1
    with pytest.raises(NoCertificateError) as caught:
        made.pair()
    made.close()
    assert str(caught.value) == (
        f"making a certificate failed (No such file or directory (in {tmp_path / 'gone'})); "
        "mend that and start again, or give --tls-cert and --tls-key"
    )
