import threading

import pytest

from gui.bounds import OutOfBounds
from gui.line import EACH, Line


def test_turns_come_in_the_order_of_coming():
    line, served = Line(), []
    tickets = [line.join(f"v{i}") for i in range(4)]
    assert [line.ahead(t) for t in tickets] == [0, 1, 2, 3]

    def serve(i):
        with tickets[i] as ticket:
            ticket.take()
            served.append(i)

    threads = [threading.Thread(target=serve, args=(i,)) for i in (3, 1, 2, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert served == [0, 1, 2, 3]
    assert len(line) == 0


def test_who_waits_is_told_position_and_time(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("gui.line.time.monotonic", lambda: clock[0])
    line = Line()
    with line.join("a"):
        clock[0] += 20
    first, second, third = (line.join(name) for name in "abc")
    assert line.estimate(third) == 40
    clock[0] += 15
    assert line.estimate(second) == 5
    assert third.sentence() == "Waiting for the model: 2 people are before you, about 25 seconds."
    assert second.sentence() == "Waiting for the model: 1 person is before you, about 5 seconds."
    clock[0] += 3600  # one that takes far longer than usual: no time is promised
    assert line.estimate(second) == 0
    assert second.sentence() == "Waiting for the model: 1 person is before you."
    assert list(first.waiting()) == []


def test_stop_gives_the_place_up_and_the_next_is_served():
    line, stop = Line(), threading.Event()
    running, waits, last = line.join("a"), line.join("b", stop), line.join("c")
    told = waits.waiting()
    assert "1 person" in next(told)
    stop.set()
    with pytest.raises(OutOfBounds, match="nothing was run"):
        next(told)
    assert line.ahead(last) == 1
    line.leave(running)
    assert line.wait(last, 0)


def test_a_waiter_that_is_dropped_does_not_hold_the_line():
    line = Line()
    first = line.join("a")

    def steps():
        with line.join("b") as ticket:
            yield from ticket.waiting()

    abandoned = steps()
    next(abandoned)
    assert len(line) == 2
    del abandoned  # as when a tab is closed: the generator is collected, its place with it
    assert len(line) == 1
    line.leave(first)
    line.leave(first)
    assert len(line) == 0


def test_a_full_line_says_so_and_nobody_stands_in_it_for_everybody():
    line = Line(most=5)
    held = [line.join("a") for _ in range(EACH)]
    with pytest.raises(OutOfBounds, match="in line for this model already"):
        line.join("a")
    held += [line.join() for _ in range(6 - EACH)]
    with pytest.raises(OutOfBounds, match=r"^6 people are in line .* try again in about"):
        line.join("z")
    line.leave(held[3])
    line.join("z")


def test_long_work_lets_those_who_wait_go_first_and_is_never_refused():
    line = Line(most=1)
    long = line.join("long")
    assert list(long.let_others()) == []  # nobody waits: it just goes on
    short = line.join("short")
    with pytest.raises(OutOfBounds, match="no more fit"):
        line.join("third")
    waiting = long.let_others()
    assert "1 person is before you" in next(waiting)
    assert short.began is not None
    assert long.began is None
    line.leave(short)
    assert list(waiting) == []
    assert long.began is not None
    line.leave(long)
    assert list(long.let_others()) == []
    assert len(line) == 0


def test_long_work_that_is_stopped_while_others_go_first_ends_without_a_word():
    line, stop = Line(), threading.Event()
    long, short = line.join("long", stop), line.join("short")
    waiting = long.let_others()
    next(waiting)
    stop.set()
    assert list(waiting) == []
    assert len(line) == 1
    line.leave(short)


def test_all_models_of_a_page_have_one_line(tmp_path):
    from gui.shelf import Model, Shelf

    shelf = Shelf(Model("a", "a"), lambda model: None, shipped=tmp_path)
    assert shelf.first.line is shelf.line  # also while nobody stands in it


def began(tickets):
    return "".join(t.who for t in tickets if t.began is not None)


def test_neighbours_whose_wishes_go_together_have_their_turn_at_once_and_overtake_nobody():
    line = Line(together=3)
    first = line.join("a", beside="m")
    assert line.serving() == 1  # nobody is waited for
    rest = [
        line.join(w, beside=b) for w, b in zip("bcdeff", ["m"] * 3 + [None, "m", "m"], strict=True)
    ]
    assert began(rest) == "bc"  # who comes while another has the turn has it as well
    line.leave(rest[0])
    assert began(rest[1:]) == "cd"  # and who waits, as soon as there is a place
    line.leave(first)
    line.leave(rest[2])
    assert began(rest[1:]) == "cd"  # but nobody overtakes the one who goes alone
    line.leave(rest[1])
    assert began(rest[3:]) == "e"
    line.leave(rest[3])
    assert [t.began is not None for t in rest[4:]] == [True, False]  # both are f's: not at once
    line.leave(rest[4])
    assert rest[5].began is not None


def test_a_second_wish_waits_behind_all_who_came_before():
    line = Line(together=2)
    one, two = line.join("a", beside="m"), line.join("b", beside="m")
    waits = line.join("c", beside="m")
    line.leave(one)
    again = line.join("a", beside="m")
    assert waits.began is not None
    assert again.began is None
    line.leave(two)
    assert again.began is not None


def test_long_work_lets_those_who_wait_go_beside_each_other_and_then_goes_on():
    line = Line(together=4)
    long = line.join("long")
    some = [line.join(who, beside="m") for who in "ab"]
    waiting = long.let_others()
    next(waiting)
    late = line.join("c", beside="m")
    assert began([*some, late]) == "ab"  # the long work waits before it
    for ticket in some:
        line.leave(ticket)
    assert list(waiting) == []
    assert (long.began is not None, late.began) == (True, None)


def test_the_estimate_counts_turns_not_people(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("gui.line.time.monotonic", lambda: clock[0])
    line = Line(together=2)
    with line.join("a", beside="m"):
        clock[0] += 10
    tickets = [line.join(name, beside="m") for name in "abcdef"]
    assert [line.estimate(t) for t in tickets] == [0, 0, 10, 10, 20, 20]
    assert tickets[3].sentence() == (
        "Waiting for the model: 3 people are before you, about 10 seconds."
    )
