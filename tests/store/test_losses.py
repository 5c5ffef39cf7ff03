"""Lost steps are runs, and none goes missing between the training's thread and the writer's."""

import threading

from tracer.store.losses import Losses


def test_steps_in_a_row_take_the_room_of_one() -> None:
    losses = Losses()
    for step in range(100_000):
        losses.add(step, "slow")
        if step % 2:
            losses.add(step, "without graph")
    assert len(losses._new["slow"]) == 1


def test_what_is_not_written_comes_again_and_what_is_comes_in_pieces() -> None:
    losses = Losses()
    for step in (3, 4, 5, 9):
        losses.add(step, "slow")
    losses.add(7, "bad")
    assert losses.next(10) == losses.next(10) == [(3, "slow"), (4, "slow"), (5, "slow"), (9, "slow"), (7, "bad")]
    assert losses.next(2) == [(3, "slow"), (4, "slow")]
    losses.written(2)
    losses.add(10, "slow")
    assert losses.next(10) == [(5, "slow"), (9, "slow"), (7, "bad"), (10, "slow")]
    losses.written(4)
    assert not losses and losses.next(10) == []


def test_two_threads_lose_nothing_between_them() -> None:
    losses, taken = Losses(), list[int]()
    is_over = threading.Event()

    def take() -> None:
        while not is_over.is_set() or losses:  # in this order
            steps = losses.next(1_000)
            losses.written(len(steps))
            taken.extend(step for step, _ in steps)

    taker = threading.Thread(target=take)
    taker.start()
    for step in range(200_000):
        losses.add(step, "slow")
    is_over.set()
    taker.join()
    assert taken == list(range(200_000))
