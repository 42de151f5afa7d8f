"""The send window: everything arrives, whatever is lost or repeated on the way; never too much at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.window import SendWindow
from kaukoluenta.acknowledgement import Acknowledgement

SIZE = 5


def ack(upto: int, *missing: tuple[int, int]) -> Acknowledgement:
    return Acknowledgement("e", upto, missing)


def send(window: SendWindow, head: int, oldest: int = 1) -> list[int]:
    wanted = window.wanted(oldest, head)
    for seq in wanted:
        window.sent(seq)
    return wanted


def test_no_more_than_the_window_is_in_flight() -> None:
    window = SendWindow(0, SIZE)
    assert send(window, head=9) == [1, 2, 3, 4, 5]
    assert send(window, head=9) == []
    assert window.acknowledged(ack(2), head=9)
    assert send(window, head=9) == [6, 7]


def test_a_new_connection_sends_again_what_lies_above_the_acknowledgement() -> None:
    window = SendWindow(3, SIZE)
    assert send(window, head=6) == [4, 5, 6]
    window.start_over()
    assert send(window, head=6) == [4, 5, 6]


def test_a_hole_is_sent_again_at_once_and_once() -> None:
    window = SendWindow(0, SIZE)
    send(window, head=4)
    window.acknowledged(ack(3, (2, 2)), head=4)
    assert window.settled == 1
    assert send(window, head=4) == [2]
    window.acknowledged(ack(4, (2, 2)), head=4)
    assert send(window, head=4) == [], "4 was out before 2 went again: nothing says yet that 2 is lost"


def test_a_hole_that_is_lost_again_is_sent_again_when_something_sent_later_has_arrived() -> None:
    window = SendWindow(0, SIZE)
    send(window, head=3)
    window.acknowledged(ack(3, (2, 2)), head=3)
    assert send(window, head=5) == [2, 4, 5]
    window.acknowledged(ack(4, (2, 2)), head=5)
    assert send(window, head=5) == [2]


def test_a_forged_acknowledgement_beyond_the_newest_batch_changes_nothing() -> None:
    window = SendWindow(0, SIZE)
    send(window, head=3)
    assert not window.acknowledged(ack(4), head=3)
    assert (window.settled, window.in_flight) == (0, 3)


def test_a_collector_that_lost_its_store_is_sent_everything_that_is_kept() -> None:
    window = SendWindow(0, SIZE)
    send(window, head=5)
    window.acknowledged(ack(5), head=5)
    window.acknowledged(ack(0), head=5)
    assert send(window, head=5, oldest=3) == [3, 4, 5]


def test_a_collector_restored_while_batches_are_under_way_is_sent_what_it_lost_too() -> None:
    window = SendWindow(0, SIZE)
    send(window, head=5)
    window.acknowledged(ack(3), head=5)
    window.acknowledged(ack(1), head=5)
    assert send(window, head=5) == [2, 3, 4, 5]


def test_pruned_batches_that_a_collector_misses_do_not_stop_the_rest() -> None:
    window = SendWindow(0, SIZE)
    window.acknowledged(ack(8, (1, 8)), head=20)
    assert send(window, head=20, oldest=8) == [8, 9, 10, 11, 12]


def test_nonsense_in_an_acknowledgement_is_cut_to_what_can_be() -> None:
    window = SendWindow(0, SIZE)
    window.acknowledged(ack(3, (-5, 10**15), (9, 2)), head=3)
    assert send(window, head=3) == [1, 2, 3]


class Collector:
    """Holds what it was given; acknowledges as the contract says."""

    def __init__(self) -> None:
        self.held: set[int] = set()

    def acknowledgement(self) -> Acknowledgement:
        upto = max(self.held, default=0)
        return ack(upto, *((seq, seq) for seq in range(1, upto) if seq not in self.held))


STEPS = ["batch", "deliver", "lose", "twice", "ack", "reconnect", "overtake", "restore"]
steps = st.lists(st.sampled_from(STEPS))


@given(steps)
def test_after_any_history_a_quiet_time_delivers_everything(history: list[str]) -> None:
    window, collector, wire, head = SendWindow(0, SIZE), Collector(), list[int](), 0
    for step in history:
        match step:
            case "batch":
                head += 1
            case "deliver" if wire:
                collector.held.add(wire.pop(0))
            case "lose" if wire:
                wire.pop(0)
            case "twice" if wire:
                wire.insert(0, wire[0])
            case "overtake" if wire:
                wire.append(wire.pop(0))
            case "ack":
                assert window.acknowledged(collector.acknowledgement(), head)
                assert window.settled <= len(collector.held)
            case "reconnect":
                window.start_over()
            case "restore":
                collector.held = {seq for seq in collector.held if seq % 2}
        wire += send(window, head)
        assert window.in_flight <= SIZE
    for _ in range(head + 1):
        window.start_over()
        collector.held.update(send(window, head))
        window.acknowledged(collector.acknowledgement(), head)
    assert window.settled == head
    assert collector.held == set(range(1, head + 1))
