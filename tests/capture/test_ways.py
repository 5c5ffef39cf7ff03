"""Every way of building a graph: the tape holds what autograd had, and the training does not notice."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import nn

from tests.capture.oracle import Oracle, check
from tests.capture.ways import WAYS, Training, Way
from tracer import Tape, record
from tracer.options import LEVELS

ways = pytest.mark.parametrize(
    "way",
    [pytest.param(way, marks=pytest.mark.skipif(way.lacks is not None, reason=str(way.lacks))) for way in WAYS],
    ids=str,
)

# Dynamo looks at `.grad` of what is no leaf, and the interpreter's frames of a compiled region break its warning filter
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@contextmanager
def built(way: Way) -> Iterator[Training]:
    torch.manual_seed(11)
    training = way.build()
    try:
        yield training
    finally:
        training.close()


@ways
def test_every_graph_is_recorded_as_autograd_built_it(way: Way, tmp_path: Path) -> None:
    seen, losses = [], []
    with built(way) as training:
        oracle = Oracle(training.models)
        with oracle.watch(), record(tmp_path / "run.tape", strict=True):
            for step in range(way.n_steps):
                losses.append(training.step(step))
                seen.append(oracle.take())

    tape = Tape(tmp_path / "run.tape")
    assert not tape.events("capture_failed")
    assert len(tape) == way.n_steps
    for step, what in enumerate(seen):
        check(tape.graph(step), what)
    assert [step.scalars.get("loss") for step in tape.steps] == [
        None if loss is None else pytest.approx(loss, rel=1e-6) for loss in losses
    ]
