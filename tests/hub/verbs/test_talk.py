"""Saying things: each line is stored once, whatever is sent again, and reaches those it is meant for."""

from __future__ import annotations

from typing import Any

from chatcore.hub.command import Away, Dm, Part, Say
from chatcore.hub.hub import Outcome
from chatcore.hub.reply import Ack, Done
from chatcore.log.dedup import ID_WINDOW
from chatcore.log.record import Direct, Said, texts_of


def said(house: Any) -> list[str]:
    """Every line that is stored, in order."""
    return [text for record in house.records if type(record) is Said for text in texts_of(record)]


def test_a_run_is_one_record_and_needs_no_answer(house: Any) -> None:
    ann = house.enter("Ann")
    head = house.world.log.head_seq
    said = Said(head + 1, 1_000, "#lobby", "s1", "Ann", "one\ntwo", 2, ("i", "j"), me=False)
    run = Say("#lobby", "one\ntwo", 2, ("i", "j"))
    assert house.do(ann, run) == Outcome((), (said,), ())
    assert house.records[-1] == said


def test_what_one_does_is_told_apart_from_what_one_says(house: Any) -> None:
    ann = house.enter("Ann")
    house.do(ann, Say("#lobby", "waves", me=True))
    assert house.records[-1].me


def test_what_is_known_of_a_text_is_kept_with_it(house: Any) -> None:
    ann = house.enter("Ann")
    house.do(ann, Say("#lobby", "hi", clean=True))
    house.do(ann, Say("#lobby", "h\x1b"))
    assert [record.clean for record in house.records[-2:]] == [True, False]


def test_without_a_room_a_line_goes_to_the_one_that_one_is_in(house: Any) -> None:
    zed = house.enter("Zed", "#den", plain=True)
    house.do(zed, Say(None, "hi"))
    assert house.records[-1].room == "#den"


def test_a_room_is_found_however_it_is_spelt_and_stored_in_its_own_spelling(house: Any) -> None:
    ann = house.enter("Ann", "#Den")
    house.do(ann, Say("#DEN", "hi"))
    assert house.records[-1].room == "#Den"


def test_one_speaks_only_in_rooms_that_one_is_in(house: Any) -> None:
    ann = house.enter("Ann")
    house.enter("Bob", "#den")
    refusal = house.refused(ann, Say("#den", "hi", 1, ("i",)))
    assert refusal.code == "not_in_room"
    assert "/join #den" in refusal.words
    assert house.refused(ann, Say("#nowhere", "hi")).code == "no_such_room"
    house.do(ann, Part("#lobby"))
    assert house.refused(ann, Say("#lobby", "hi")).code == "not_in_room"


def test_a_line_that_is_sent_again_is_stored_once_and_acknowledged_with_its_number(
    house: Any,
) -> None:
    ann = house.enter("Ann")
    house.say(ann, "one\ntwo", "i", "j")
    seq = house.records[-1].seq
    house.say(ann, "three", "k")
    assert house.say(ann, "two", "j") == Outcome((Ack("j", seq + 1),), (), ())
    assert house.say(ann, "one\ntwo", "i", "j").replies == (Ack("i", seq), Ack("j", seq + 1))
    assert said(house) == ["one", "two", "three"]


def test_of_a_run_with_retries_only_the_new_lines_are_said(house: Any) -> None:
    ann = house.enter("Ann")
    house.say(ann, "one", "i")
    seq = house.records[-1].seq
    outcome = house.say(ann, "one\ntwo\nthree", "i", "j", "k")
    assert outcome.replies == (Ack("i", seq),)
    (record,) = outcome.records
    assert (record.text, record.lines, record.ids) == ("two\nthree", 2, ("j", "k"))
    assert said(house) == ["one", "two", "three"]
    assert house.say(ann, "three", "k").replies == (Ack("k", record.seq + 1),)


def test_an_id_that_stands_twice_in_one_run_counts_once(house: Any) -> None:
    ann = house.enter("Ann")
    outcome = house.say(ann, "one\none\ntwo", "i", "i", "j")
    assert outcome.replies == ()
    assert said(house) == ["one", "two"]
    assert house.records[-1].ids == ("i", "j")


def test_a_retry_keeps_line_ends_inside_a_line_and_how_it_was_said(house: Any) -> None:
    """Whatever a retried line holds, what was stored is what counts; a new one beside it is said as it is."""
    ann = house.enter("Ann")
    house.say(ann, "a\nb", "i")
    assert house.records[-1].lines == 1
    assert house.say(ann, "a\nb", "i").records == ()
    outcome = house.do(ann, Say("#lobby", "a\nwaves", 2, ("i", "k"), me=True))
    assert [(each.text, each.me) for each in outcome.records] == [("waves", True)]


def test_ids_are_ones_own(house: Any) -> None:
    ann, bob = house.enter("Ann"), house.enter("Bob")
    house.say(ann, "hi", "i")
    house.say(bob, "ho", "i")
    assert said(house) == ["hi", "ho"]


def test_the_last_256_ids_are_recognised_and_no_more_are_promised(house: Any) -> None:
    ann = house.enter("Ann")
    for k in range(ID_WINDOW + 1):
        house.say(ann, f"line {k}", f"i{k}")
    newest = len(said(house))
    for k in range(1, ID_WINDOW + 1):
        assert len(house.say(ann, f"line {k}", f"i{k}").replies) == 1
    assert len(said(house)) == newest
    house.say(ann, "line 0", "i0")
    assert len(said(house)) == newest + 1


def test_ids_of_refused_lines_may_be_used_again(house: Any) -> None:
    ann = house.enter("Ann")
    house.refused(ann, Say("#nowhere", "hi", 1, ("i",)))
    house.say(ann, "hi", "i")
    assert said(house) == ["hi"]


def test_a_stored_line_is_acknowledged_also_when_it_could_not_be_said_any_more(house: Any) -> None:
    """Said, and the room left, and the connection lost before either was answered: the retry asks what came of it."""
    ann = house.enter("Ann")
    house.say(ann, "one\ntwo", "i", "j")
    seq = house.records[-1].seq
    house.do(ann, Part("#lobby"))
    outcome = house.say(ann, "one\ntwo\nthree", "i", "j", "k")
    assert outcome.replies[:2] == (Ack("i", seq), Ack("j", seq + 1))
    refused = outcome.replies[2]
    assert (refused.id, refused.refusal.code) == ("k", "not_in_room")
    assert house.say(ann, "one", "i", room="#gone").replies == (Ack("i", seq),)
    assert said(house) == ["one", "two"]


def test_a_direct_line_goes_to_whoever_holds_the_alias_however_it_is_spelt(house: Any) -> None:
    ann, bob = house.enter("Ann"), house.enter("Bob")
    outcome = house.do(ann, Dm("BOB", "psst", "i"))
    seq = house.world.log.head_seq
    assert outcome.records == (Direct(seq, 1_000, ann.sid, "Ann", bob.sid, "Bob", "psst", "i"),)


def test_a_direct_line_that_is_sent_again_is_stored_once_even_when_the_other_has_left(
    house: Any,
) -> None:
    ann, bob = house.enter("Ann"), house.enter("Bob")
    house.do(ann, Dm("Bob", "psst", "i"))
    seq = house.world.log.head_seq
    house.leave(bob)
    assert house.do(ann, Dm("Bob", "psst", "i")) == Outcome((Ack("i", seq),), (), ())
    assert house.say(ann, "psst", "i").replies == (Ack("i", seq),), "one space of ids"


def test_direct_lines_without_or_with_other_ids_are_all_stored(house: Any) -> None:
    ann = house.enter("Ann")
    for line_id in (None, None, "i", "j"):
        assert len(house.do(ann, Dm("Ann", "note", line_id)).records) == 1


def test_nobody_of_that_name_is_said_so(house: Any) -> None:
    ann = house.enter("Ann")
    refusal = house.refused(ann, Dm("Nobody", "psst", "i"))
    assert refusal.code == "no_such_person"
    assert "Nobody" in refusal.words


def test_who_writes_to_somebody_away_is_told_after_the_line(house: Any) -> None:
    ann, zed = house.enter("Ann", plain=True), house.enter("Zoë")
    assert house.do(ann, Dm("Zoë", "hi")).then == ()
    house.do(zed, Away("日本"))
    outcome = house.do(ann, Dm("zoë", "hi"))
    assert type(outcome.records[0]) is Direct
    assert outcome.then == (Done("Zoë is away: 日本", {}),)
    house.do(zed, Away())
    assert house.do(ann, Dm("Zoë", "hi")).then == ()


def test_a_client_that_follows_who_is_away_is_not_told_again(house: Any) -> None:
    ann, zed = house.enter("Ann"), house.enter("Zoë")
    house.do(zed, Away("tea"))
    assert house.do(ann, Dm("Zoë", "hi", "i")).then == ()
