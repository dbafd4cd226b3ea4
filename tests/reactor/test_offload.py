"""Work beside the loop: whoever hands it over is answered once, in the loop, whatever becomes of it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from chatcore.reactor.offload import Offload

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.reactor.loop import Reactor


@pytest.fixture
def answered(
    real_reactor: Reactor, wait_for: Callable[..., None]
) -> Callable[[Offload, Callable[[], object]], object]:
    """Has work done, and turns the loop until it is answered."""

    def answered(offload: Offload, work: Callable[[], object]) -> object:
        answers: list[object] = []
        offload.do(work, answers.append)
        assert offload.busy
        assert not answers

        def turned() -> list[object]:
            real_reactor.call_soon(lambda: None)
            real_reactor.turn()
            return answers

        wait_for(turned, "an answer")
        assert not offload.busy
        assert len(answers) == 1
        return answers[0]

    return answered


def test_work_is_done_by_a_thread_and_answered_in_the_loop(
    real_reactor: Reactor, answered: Callable[..., object]
) -> None:
    offload = Offload(real_reactor.call_from_thread)
    assert answered(offload, threading.current_thread) is not threading.current_thread()
    assert answered(offload, lambda: 42) == 42
    assert real_reactor.stats.faults == 0


@pytest.mark.parametrize("fault", [ValueError, MemoryError, OSError])
def test_work_with_a_fault_is_answered_with_nothing_and_logged(
    fault: type[Exception],
    real_reactor: Reactor,
    answered: Callable[..., object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def work() -> None:
        raise fault("broken")

    offload = Offload(real_reactor.call_from_thread)
    with caplog.at_level(logging.ERROR):
        assert answered(offload, work) is None
    assert "internal error" in caplog.text
    assert answered(offload, lambda: 1) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_has_answered_before(
    real_reactor: Reactor, answered: Callable[..., object]
) -> None:
    def work() -> None:
        raise SystemError("nobody expects this one")

    offload = Offload(real_reactor.call_from_thread)
    assert answered(offload, work) is None
    assert answered(offload, lambda: 1) == 1


def test_where_no_thread_can_be_started_the_answer_is_nothing(
    real_reactor: Reactor,
    answered: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    offload = Offload(real_reactor.call_from_thread)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert answered(offload, lambda: 1) is None
    assert "cannot start a thread" in caplog.text
    assert answered(offload, lambda: 1) == 1


def test_there_is_no_thread_where_there_is_no_work(
    real_reactor: Reactor, answered: Callable[..., object], wait_for: Callable[..., None]
) -> None:
    before = threading.active_count()
    offload = Offload(real_reactor.call_from_thread)
    assert threading.active_count() == before
    answered(offload, lambda: 1)
    wait_for(lambda: threading.active_count() == before, "the thread has gone")
