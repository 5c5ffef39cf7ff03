"""Stopping, stepping, going on and being left alone: the run control by itself, on threads."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tracer.control.run_control import OnDetach, RunControl, Stop
from tracer.model.records import StepFacts


@dataclass
class Trainee:
    """A thread that passes boundaries; `stops` are the reasons of its stops, released when `permits` allow a step."""

    control: RunControl
    stops: list[str] = field(default_factory=list)
    has_stopped: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    has_continued: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    n_steps: int = 0
    exit_code: object = None
    is_over: bool = False

    def run(self) -> None:
        try:
            while not self.is_over:
                self.n_steps += 1
                self.control.boundary(StepFacts(self.n_steps, "t", "s", {}), self)
        except SystemExit as exit:
            self.exit_code = exit.code

    def stopped(self, stop: Stop) -> None:
        self.stops.append(stop.reason)
        self.has_stopped.release()

    def continued(self) -> None:
        self.has_continued.release()

    def passed(self, condition: str) -> None:
        raise AssertionError(condition)


Start = Callable[..., Trainee]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[tuple[Trainee, threading.Thread]] = []

    def start(on_detach: OnDetach = "resume", grace_secs: float = 60.0, attached: bool = True) -> Trainee:
        trainee = Trainee(RunControl(on_detach, "To go on: ring the bell", grace_secs))
        if attached:
            trainee.control.attach()
        thread = threading.Thread(target=trainee.run)
        thread.start()
        started.append((trainee, thread))
        return trainee

    yield start
    for trainee, thread in started:
        trainee.is_over = True
        trainee.control.obey("continue")
        thread.join(5)


def test_next_runs_exactly_one_step_each_time(start: Start) -> None:
    trainee = start()
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=5)
    before = trainee.n_steps
    for _ in range(200):
        trainee.control.obey("next")
        assert trainee.has_stopped.acquire(timeout=5)
    assert trainee.n_steps == before + 200
    assert trainee.stops == ["pause", *["step"] * 200]


def test_the_last_client_going_lets_a_paused_training_go_on_after_the_grace(start: Start) -> None:
    trainee = start(grace_secs=0.05)
    trainee.control.attach()
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=5)
    trainee.control.detach()
    assert not trainee.has_continued.acquire(timeout=0.5)  # one is left
    trainee.control.detach()
    assert trainee.has_continued.acquire(timeout=5)


def test_on_hold_it_waits_and_says_how_to_go_on(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    trainee = start("hold", grace_secs=0.01)
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=5)
    trainee.control.detach()
    assert not trainee.has_continued.acquire(timeout=0.8)
    trainee.control.obey("continue")
    assert trainee.has_continued.acquire(timeout=5)
    assert capfd.readouterr().err == "tapescope: paused and nobody is attached. To go on: ring the bell\n"


def test_terminate_ends_also_a_paused_training(start: Start) -> None:
    trainee = start()
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=5)
    trainee.control.obey("terminate")
    assert trainee.has_continued.acquire(timeout=5)
    trainee.is_over = True
    while trainee.exit_code is None and threading.active_count() > 1:
        threading.Event().wait(0.01)
    assert trainee.exit_code == 130
