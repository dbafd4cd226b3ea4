"""What was sent can be called back, and looking for it costs nothing."""

from __future__ import annotations

from chatcore.client.history import MAX_LINES, History


def test_the_unsent_line_is_there_again_after_the_last() -> None:
    history = History()
    for line in ("one", "two"):
        history.add(line)
    assert [history.browse(-1, "half") for _ in range(3)] == ["two", "one", None]
    assert [history.browse(1, "one, changed") for _ in range(3)] == ["two", "half", None]


def test_the_same_line_again_is_kept_once() -> None:
    history = History()
    for line in ("a", "a", "b", "a"):
        history.add(line)
    assert list(history.lines) == ["a", "b", "a"]


def test_it_is_bounded() -> None:
    history = History()
    for number in range(MAX_LINES + 10):
        history.add(str(number))
    assert len(history.lines) == MAX_LINES
    assert history.browse(-1, "") == str(MAX_LINES + 9)


def test_what_is_sent_ends_the_looking() -> None:
    history = History()
    history.add("one")
    history.browse(-1, "")
    history.add("two")
    assert history.browse(-1, "") == "two"
