"""The window of ids: the newest 256 are known with their number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatcore.log.dedup import ID_WINDOW, IdWindow


def test_each_id_of_a_run_has_its_own_number() -> None:
    window = IdWindow()
    window.add(("a", "b", "c"), 10)
    assert [window.seq_of(each) for each in ("a", "b", "c", "d")] == [10, 11, 12, None]


def test_knows_any_tells_whether_a_run_holds_a_retry() -> None:
    window = IdWindow()
    assert not window.knows_any(("a",))
    window.add(("a",), 1)
    assert window.knows_any(("x", "a"))
    assert not window.knows_any(("x", "y"))
    assert not window.knows_any(())


def test_256_ids_are_known_and_the_257th_pushes_the_oldest_out() -> None:
    assert ID_WINDOW == 256
    window = IdWindow()
    for k in range(256):
        window.add((str(k),), k + 1)
    assert window.seq_of("0") == 1
    window.add(("256",), 257)
    assert window.seq_of("0") is None
    assert window.seq_of("1") == 2
    assert window.seq_of("256") == 257


@given(st.lists(st.integers(1, 90), max_size=12))
def test_exactly_the_newest_are_known_whatever_the_runs(runs: list[int]) -> None:
    window, said = IdWindow(), 0
    for lines in runs:
        window.add(tuple(map(str, range(said, said + lines))), said + 1)
        said += lines
    for k in range(said):
        assert window.seq_of(str(k)) == (k + 1 if k >= said - ID_WINDOW else None)


def test_a_run_longer_than_the_window_leaves_its_newest_ids() -> None:
    window = IdWindow()
    window.add(tuple(map(str, range(300))), 1)
    assert [window.seq_of(each) for each in ("43", "44", "299")] == [None, 45, 300]
