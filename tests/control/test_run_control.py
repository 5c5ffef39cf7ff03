"""Stopping, stepping, going on and being left alone: the run control by itself, on threads."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tracer.control.breakpoints import Hit
from tracer.control.run_control import Moment, OnDetach, RunControl, Stop
from tracer.errors import UsageError
from tracer.model.breakpoints import Breakpoint
from tracer.model.step_facts import StepFacts


@dataclass
class Trainee:
    """A thread that passes boundaries; `stops` are the reasons of its stops, released when `permits` allow a step."""

    control: RunControl
    stops: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    hits: list[tuple[int, str, bool]] = field(default_factory=list)
    lists: list[list[int]] = field(default_factory=list)
    wishes: list[tuple[str, object]] = field(default_factory=list)
    has_stopped: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    has_continued: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    n_steps: int = 0
    exit_code: object = None
    is_over: bool = False

    def run(self) -> None:
        try:
            while not self.is_over:
                self.n_steps += 1
                facts = StepFacts(self.n_steps, "t", "s", {"loss": float(self.n_steps)})
                if self.control.is_watching:
                    self.control.before_optimizer(facts, self, lambda: self.stops.append("early"))
                self.control.boundary(facts, self)
        except SystemExit as exit:
            self.exit_code = exit.code

    def stopped(self, stop: Stop) -> None:
        self.stops.append(stop.reason)
        self.texts.append(stop.text)
        self.has_stopped.release()

    def continued(self) -> None:
        self.has_continued.release()

    def hit(self, hit: Hit, moment: Moment, is_attended: bool) -> None:
        self.hits.append((hit.breakpoint.id, moment, is_attended))

    def breakpoints_set(self, breakpoints: Sequence[Breakpoint]) -> None:
        self.lists.append([each.id for each in breakpoints if each.is_enabled])

    def set_level(self, level: str, every: int) -> None:
        raise AssertionError(level)

    def trace_sources(self) -> None:
        raise AssertionError

    def set_hyperparameter(self, optimizer: str, group: int, name: str, value: object) -> None:
        self.wishes.append((name, value))

    def set_trainable(self, names: Sequence[str], is_trainable: bool) -> None:
        raise AssertionError(names)


Start = Callable[..., Trainee]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[tuple[Trainee, threading.Thread]] = []

    def start(on_detach: OnDetach = "resume", grace_secs: float = 60.0, attached: bool = True, **more: Any) -> Trainee:
        trainee = Trainee(RunControl(on_detach, "To go on: ring the bell", grace_secs, **more))
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
        thread.join(60)


def test_next_runs_exactly_one_step_each_time(start: Start) -> None:
    trainee = start()
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=60)
    before = trainee.n_steps
    for _ in range(200):
        trainee.control.obey("next")
        assert trainee.has_stopped.acquire(timeout=60)
    assert trainee.n_steps == before + 200
    assert trainee.stops == ["pause", *["step"] * 200]


def test_the_last_client_going_lets_a_paused_training_go_on_after_the_grace(start: Start) -> None:
    trainee = start(grace_secs=0.05)
    trainee.control.attach()
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=60)
    trainee.control.detach()
    assert not trainee.has_continued.acquire(timeout=0.5)  # one is left
    trainee.control.detach()
    assert trainee.has_continued.acquire(timeout=60)


def test_on_hold_it_waits_and_says_how_to_go_on(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    trainee = start("hold", grace_secs=0.01)
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=60)
    trainee.control.detach()
    assert not trainee.has_continued.acquire(timeout=0.8)
    trainee.control.obey("continue")
    assert trainee.has_continued.acquire(timeout=60)
    assert capfd.readouterr().err == "tapescope: paused and nobody is attached. To go on: ring the bell\n"


def test_terminate_ends_also_a_paused_training(start: Start) -> None:
    trainee = start()
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=60)
    trainee.control.obey("terminate")
    assert trainee.has_continued.acquire(timeout=60)
    trainee.is_over = True
    while trainee.exit_code is None and threading.active_count() > 1:
        threading.Event().wait(0.01)
    assert trainee.exit_code == 130


def step_is(step: int, number: int = 1, **more: Any) -> Breakpoint:
    return Breakpoint(number, "step_is", {"step": step}, **more)


def test_a_breakpoint_stops_before_the_optimizer_and_a_step_from_there_ends_at_the_next_step(start: Start) -> None:
    trainee = start(breakpoints=[step_is(20)])
    assert trainee.has_stopped.acquire(timeout=60)
    assert (trainee.n_steps, trainee.stops, trainee.texts) == (20, ["early", "breakpoint"], ["this is step 20"])
    assert trainee.hits == [(1, "before the optimizer", True)]
    trainee.control.obey("next")
    assert trainee.has_stopped.acquire(timeout=60)
    assert trainee.n_steps == 21
    assert trainee.stops == ["early", "breakpoint", "step"]
    trainee.control.set_breakpoints([step_is(21), step_is(22, 2)])  # where it stands it stopped already
    trainee.control.obey("continue")
    assert trainee.has_stopped.acquire(timeout=60)
    assert (trainee.n_steps, trainee.texts[-1]) == (22, "this is step 22")


def test_with_nobody_attached_a_breakpoint_leaves_word_and_does_not_stop(start: Start) -> None:
    trainee = start(attached=False, breakpoints=[step_is(20)])
    while not trainee.hits:
        threading.Event().wait(0.001)
    assert trainee.hits == [(1, "before the optimizer", False)]
    assert trainee.stops == []


def test_the_first_stop_waits_for_a_client_that_is_expected(start: Start) -> None:
    trainee = start(attached=False, grace_secs=0.01, breakpoints=[step_is(20)], is_expected=True)
    assert trainee.has_stopped.acquire(timeout=60)
    assert not trainee.has_continued.acquire(timeout=0.5)
    trainee.control.attach()
    assert not trainee.has_continued.acquire(timeout=0.5)
    trainee.control.detach()
    assert trainee.has_continued.acquire(timeout=60)  # from now on it is not expected any more


def test_hit_conditions_one_shots_and_disabled_ones(start: Start) -> None:
    every = {"condition": "every_n", "fields": {"n": 10}}
    trainee = start(
        breakpoints=[
            Breakpoint(1, hit_condition="% 3", **every),
            Breakpoint(2, is_one_shot=True, **every),
            Breakpoint(3, is_enabled=False, **every),
        ]
    )
    stopped_at = []
    for _ in range(3):
        assert trainee.has_stopped.acquire(timeout=60)
        stopped_at.append(trainee.n_steps)
        trainee.control.obey("continue")
    assert stopped_at == [10, 30, 60]
    assert trainee.lists == [[1]]  # the one-shot is disabled, which is told
    assert {number for number, *_ in trainee.hits} == {1, 2}


def test_a_list_that_makes_no_sense_changes_nothing(start: Start) -> None:
    trainee = start(breakpoints=[step_is(10_000_000)])
    for bad in ([step_is(1, 1), step_is(2, 1)], [Breakpoint(1, "moon")], [step_is(n, n) for n in range(300)]):
        with pytest.raises(UsageError):
            trainee.control.set_breakpoints(bad)
    assert trainee.control.breakpoints == (step_is(10_000_000),)
    assert trainee.stops == []


def test_what_stays_keeps_its_hits_and_what_is_new_begins_anew(start: Start) -> None:
    trainee = start()
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=60)
    first = Breakpoint(1, "every_n", {"n": 1}, hit_condition="% 4")
    trainee.control.set_breakpoints([first])
    begun = trainee.n_steps
    trainee.control.obey("continue")
    assert trainee.has_stopped.acquire(timeout=60)
    assert trainee.n_steps == begun + 4
    trainee.control.set_breakpoints([first, Breakpoint(2, "every_n", {"n": 1}, hit_condition="3")])
    trainee.control.obey("continue")
    assert trainee.has_stopped.acquire(timeout=60)
    assert trainee.n_steps == begun + 7
    trainee.control.obey("continue")
    assert trainee.has_stopped.acquire(timeout=60)
    assert trainee.n_steps == begun + 8


def test_continue_until_stops_once_and_leaves_the_breakpoints_alone(start: Start) -> None:
    trainee = start(breakpoints=[step_is(10_000_000)])
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=60)
    trainee.control.obey("continue", Breakpoint(0, "every_n", {"n": 50}))
    assert trainee.has_stopped.acquire(timeout=60)
    assert trainee.n_steps % 50 == 0 and trainee.stops[-1] == "breakpoint"
    assert trainee.control.breakpoints == (step_is(10_000_000),)
    assert trainee.lists == []
    trainee.control.obey("continue")
    assert not trainee.has_stopped.acquire(timeout=0.3)


def test_wishes_are_granted_while_the_training_waits(start: Start) -> None:
    trainee = start()
    trainee.control.obey("pause")
    assert trainee.has_stopped.acquire(timeout=60)
    granted = threading.Event()

    def wish(witness: Any) -> None:
        witness.set_hyperparameter("SGD", 0, "lr", 0.5)
        granted.set()

    trainee.control.wish(wish)
    assert granted.wait(5)
    assert trainee.wishes == [("lr", 0.5)]
    assert not trainee.has_continued.acquire(timeout=0.3)


def test_a_stop_out_of_turn_waits_like_any_other(start: Start) -> None:
    control = RunControl(grace_secs=0.01)
    trainee = Trainee(control)
    control.stop_now(Stop("exception", "ValueError: x"), trainee)  # nobody is there: it goes on after the grace
    assert trainee.stops == ["exception"]
