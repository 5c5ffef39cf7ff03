"""A recording that an exception ends, or does not: what is on the tape, and that nothing of it stays behind."""

import gc
import sys
import weakref
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.capture.oracle import Oracle, check
from tracer import Tape, record
from tracer.capture import post_mortem, recorder
from tracer.capture.locals import locals_of, tensors_in_locals
from tracer.control import run_control


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.is_failing = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.linear(x).sin()
        if self.is_failing:
            raise MemoryError("too much")
        return hidden.cos()


class Training:
    def __init__(self) -> None:
        torch.manual_seed(3)
        self.model = nn.Sequential(Layer(), nn.Sequential(Layer(), nn.ReLU()), nn.Linear(4, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    @property
    def fragile(self) -> Layer:
        return self.model[1][0]  # type: ignore[index, return-value]

    def step(self) -> None:
        self.optimizer.zero_grad()
        loss = self.model(torch.ones(2, 4)).sum()
        loss.backward()
        self.optimizer.step()

    def fail_forward(self) -> None:
        self.fragile.is_failing = True
        try:
            self.step()
        finally:
            self.fragile.is_failing = False

    def fail_backward(self) -> None:
        hook = self.fragile.linear.register_full_backward_hook(lambda *_: 1 / 0)
        try:
            self.step()
        finally:
            hook.remove()

    def fail_in_optimizer(self) -> None:
        hook = self.optimizer.register_step_pre_hook(lambda *_: 1 / 0)
        try:
            self.step()
        finally:
            hook.remove()

    def fail_in_evaluation(self) -> None:
        self.fragile.is_failing = True
        try:
            with torch.no_grad():
                self.model(torch.ones(2, 4))
        finally:
            self.fragile.is_failing = False


FAILURES = (Training.fail_forward, Training.fail_backward, Training.fail_in_optimizer, Training.fail_in_evaluation)


def end(path: Path, run: Callable[[], object], **options: Any) -> Tape:
    """The tape of a recording that what `run` raises ends, and that let it through unchanged."""
    raised: list[tuple[BaseException, object]] = []

    def run_and_remember() -> None:
        try:
            run()
        except BaseException as error:
            raised.append((error, error.__context__))
            raise

    with pytest.raises(Exception) as caught, record(path, strict=True, **options):
        run_and_remember()
    assert caught.value is raised[0][0] and caught.value.__context__ is raised[0][1]
    return Tape(path)


@pytest.mark.parametrize("fail", FAILURES)
@pytest.mark.parametrize("level", ["structure", "statistics", "full"])
def test_the_unfinished_step_is_the_last(fail: Callable[[Training], None], level: str, tmp_path: Path) -> None:
    training = Training()

    def run() -> None:
        for _ in range(3):
            training.step()
        fail(training)

    with end(tmp_path / "x.tape", run, level=level) as tape:
        assert [step.phase for step in tape.steps] == ["train"] * 3 + ["partial"]
        (event,) = tape.events("exception")
        assert (event.step, event.data["is_certain"] if fail is Training.fail_backward else True) == (3, True)
        assert not tape.events("capture_failed") and not tape.events("evaluated")
        graph, whole = tape.graph(3), tape.graph(2)
        assert set(graph) - {"output"} <= set(whole) or fail is Training.fail_backward
        where = {"fail_forward": "forward", "fail_backward": "backward", "fail_in_optimizer": "optimizer"}
        assert event.data["where"] == where.get(fail.__name__, "forward")
        if fail is Training.fail_backward:
            assert event.data["op"] == "BackwardHookFunctionBackward" and "1.0.linear" in event.data["node"]
        if fail is Training.fail_forward:
            assert event.data["call"] == "1.0#0"
        if fail is Training.fail_in_evaluation:
            assert event.data["call"] == "1.0#0~"


@pytest.mark.parametrize("fail", FAILURES)
def test_an_exception_that_the_script_catches_spoils_no_later_step(
    fail: Callable[[Training], None], tmp_path: Path
) -> None:
    training = Training()
    oracle = Oracle({"": training.model})
    with oracle.watch(), record(tmp_path / "x.tape", strict=True):
        training.step()
        for _ in range(2):
            with pytest.raises((MemoryError, ZeroDivisionError)):
                fail(training)
        training.step()
        oracle.take()
        training.step()
        built = oracle.take()
        training.step()
    with Tape(tmp_path / "x.tape") as tape:
        assert [step.phase for step in tape.steps] == ["train"] * 4
        assert not tape.events("exception") and not tape.events("capture_failed")
        check(tape.graph(2), built)
        assert tape.steps[0].topology_id == tape.steps[2].topology_id == tape.steps[3].topology_id


def test_a_loss_after_a_failed_update_counts(tmp_path: Path) -> None:
    training = Training()
    with record(tmp_path / "x.tape", strict=True):
        with pytest.raises(ZeroDivisionError):
            training.fail_in_optimizer()
        training.step()
    with Tape(tmp_path / "x.tape") as tape:
        assert {"loss:0", "loss:1"} <= set(tape.scalars)


def test_a_second_attempt_in_the_same_step(tmp_path: Path) -> None:
    """What a loop does that halves its batch where memory runs out, and then fails for good."""
    training = Training()

    def run() -> None:
        training.step()
        with pytest.raises(MemoryError):
            training.fail_forward()
        training.fail_forward()

    with end(tmp_path / "x.tape", run) as tape:
        (event,) = tape.events("exception")
        assert event.data["call"] == "1.0#1"
        assert "1.0#1/SinBackward0:0" in tape.graph(1) and "1.0#0/SinBackward0:0" not in tape.graph(1)


def test_before_anything_was_trained_there_is_no_step(tmp_path: Path) -> None:
    with end(tmp_path / "x.tape", lambda: {}["missing"]) as tape:
        (event,) = tape.events("exception")
        assert (len(tape), event.step, event.data["where"]) == (0, 0, "outside")
        assert event.data["message"] == "'missing'"


def test_it_waits_before_the_first_step_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_control.RunControl.__init__, "__defaults__", ("resume", "", 0.0, (), False))
    with end(tmp_path / "x.tape", lambda: {}["missing"], break_on_exception=True) as tape:
        assert [event.kind for event in tape.events()] == ["started", "exception", "stopped", "continued", "closed"]
        assert tape.events("stopped")[0].data["text"] == "KeyError: 'missing'"


def test_a_model_without_modules(tmp_path: Path) -> None:
    weight = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)

    def run() -> None:
        for at in range(3):
            loss = (weight * 2).sum()
            if at == 2:
                loss = loss + torch.ones(2) @ torch.ones(3)
            loss.backward()
            optimizer.step()

    with end(tmp_path / "x.tape", run) as tape:
        assert [step.phase for step in tape.steps] == ["train", "train", "partial"]
        assert [node.partition(":")[0] for node in tape.graph(2)] == ["MulBackward0", "SumBackward0", "leaf", "output"]


def test_without_optimizer_the_step_before_is_not_taken_for_the_unfinished_one(tmp_path: Path) -> None:
    weight = torch.ones(3, requires_grad=True)

    def run() -> None:
        for _ in range(2):
            loss = (weight * 2).sum()
            loss.backward()
        raise LookupError(loss)

    with end(tmp_path / "x.tape", run) as tape:
        assert [step.phase for step in tape.steps] == ["train", "train"]


def test_nothing_of_the_training_is_held(tmp_path: Path) -> None:
    training = Training()
    references: list[weakref.ref[object]] = []

    def run() -> None:
        batch = torch.ones(2, 4)
        hidden = training.model(batch)
        references.extend((weakref.ref(batch), weakref.ref(hidden)))
        training.fail_forward()

    try:
        with record(tmp_path / "x.tape", strict=True) as kept:
            held = torch.ones(3)
            references.append(weakref.ref(held))
            run()
    except MemoryError:
        pass
    del held
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
    assert kept.path == tmp_path / "x.tape"


def test_reading_the_variables_of_a_running_function_keeps_none_of_them() -> None:
    tensor = torch.ones(3)
    with locals_of(sys._getframe()) as names:
        assert names["tensor"] is tensor
    reference = weakref.ref(tensor)
    del tensor, names
    assert reference() is None


def test_tensors_are_found_in_containers_a_few_levels_deep() -> None:
    def frame_with(value: object) -> list[torch.Tensor]:
        return list(tensors_in_locals(sys._getframe()))

    Pair = namedtuple("Pair", "first second")
    tensor = torch.ones(1)
    loop: list[object] = [tensor]
    loop.append(loop)
    for value in (tensor, [tensor], {"a": (tensor,)}, Pair(1, tensor), OrderedDict(a=[tensor]), {tensor}, loop):
        assert frame_with(value) == [tensor]
    assert frame_with([[[[[tensor]]]]]) == [] and frame_with([1, "a", None]) == []
    assert len(frame_with([torch.ones(1) for _ in range(5_000)])) == 1_000


@pytest.mark.parametrize("place", ["forward", "backward"])
def test_a_chain_of_twenty_thousand_nodes_is_no_trouble(place: str, tmp_path: Path) -> None:
    weight = torch.ones(3, requires_grad=True)

    def run() -> None:
        hidden = weight * 1
        for at in range(20_000):
            hidden = hidden.sin()
            if at == 5_000:
                hidden.register_hook(lambda _: 1 / 0)
                hooked = hidden
        if place == "forward":
            raise ValueError(hooked.shape)
        hidden.sum().backward()

    with end(tmp_path / "x.tape", run) as tape:
        (event,) = tape.events("exception")
        assert tape.steps[0].phase == "partial" and len(tape.graph(0)) > 20_000
        if place == "backward":
            assert event.data["node"] == "SinBackward0:5000" and event.data["is_certain"]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("cannot say")


def raising(*_: object) -> None:
    raise RuntimeError("a bug of ours")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (recorder.PostMortem, "__init__"),
        (recorder.PostMortem, "complete"),
        (recorder.PostMortem, "identify"),
        (recorder.PostMortem, "look_at_frames"),
        (post_mortem, "unfinished_edges"),
        (post_mortem, "frame_facts"),
    ],
)
def test_a_bug_in_the_search_never_hides_the_users_exception(
    owner: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, raising)
    training = Training()
    with pytest.raises(MemoryError, match="too much"), record(tmp_path / "x.tape"):
        training.step()
        training.fail_forward()
    with Tape(tmp_path / "x.tape") as tape:
        (event,) = tape.events("exception")
        assert event.data["type"] == "MemoryError" and "fail_forward" in event.data["traceback"]
        assert "a bug of ours" in tape.events("capture_failed")[0].data["traceback"]
        assert tape.state == "closed"
        if name == "identify":
            assert len(tape) == 2 and "1.0#0/SinBackward0:0" in tape.graph(1)


def test_an_exception_that_cannot_be_printed_is_noted(tmp_path: Path) -> None:
    training = Training()
    with pytest.raises(Unprintable), record(tmp_path / "x.tape"):
        training.step()
        training.model(torch.ones(2, 4))
        raise Unprintable
    with Tape(tmp_path / "x.tape") as tape:
        (event,) = tape.events("exception")
        assert event.data["type"] == "Unprintable" and event.data["frames"] and len(tape) == 2
