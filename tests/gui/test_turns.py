"""A lock that is given in the order in which it was asked for."""

import threading

from gui.turns import Turns


def test_who_takes_it_again_and_again_lets_those_who_wait_come_first():
    turns, order, asked = Turns(), [], []

    def want(name):
        asked.append(name)
        with turns:
            order.append(name)

    threads = []
    with turns:
        assert turns.locked()
        for name in "abc":
            threads.append(threading.Thread(target=want, args=(name,)))
            threads[-1].start()
            while len(turns._waiting) < len(threads):
                threading.Event().wait(0.002)
    with turns:  # asked for behind the three
        assert order == ["a", "b", "c"]
    for thread in threads:
        thread.join(20)
    assert not turns.locked()


def test_an_error_passes_it_on():
    turns = Turns()
    try:
        with turns:
            raise ValueError
    except ValueError:
        pass
    with turns:
        assert turns.locked()
    assert not turns.locked()


def test_nobody_is_in_it_beside_another():
    turns, inside, most = Turns(), [], []

    def work():
        for _ in range(200):
            with turns:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert max(most) == 1
    assert len(most) == 1200
    assert not turns.locked()
