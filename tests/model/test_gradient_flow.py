"""What is found in gradients, on norms made by hand."""

from collections.abc import Mapping, Sequence
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.model.gradient_flow import (
    DEAD_STEPS,
    FEWEST_BEFORE,
    ZERO_STEPS,
    Finding,
    GradientFlow,
    Norms,
    by_module,
    findings_at,
    flow_finding,
    norms_in,
    sentence,
)
from tracer.model.statistics import EMPTY, Statistics, Table


def measured(norms: Mapping[str, float | None], dead: Mapping[str, tuple[int, int]] | None = None) -> Statistics:
    """A step with these norms, None for no gradient, and these dead units by call."""
    rows = [[0.0 if norm is None else norm, 0.0 if norm is None else 1.0] for norm in norms.values()]
    parameters = Table(tuple(norms), ("grad_norm", "has_grad"), np.array(rows, np.float64).reshape(-1, 2))
    if dead is None:
        return Statistics(parameters=parameters)
    counts = np.array(list(dead.values()), np.float64)
    return Statistics(parameters=parameters, calls=Table(tuple(dead), ("dead_units", "units"), counts))


def flow_of(steps: Sequence[Mapping[str, float | None]]) -> GradientFlow:
    flow = GradientFlow()
    for step, norms in enumerate(steps):
        flow.add(step, measured(norms))
    return flow


def kinds(findings: Sequence[Finding]) -> list[tuple[str, str, int]]:
    return [(one.kind, one.name, one.step) for one in findings]


# -- what is kept


def test_norms_stand_in_the_order_in_which_their_parameters_came() -> None:
    norms = flow_of([{"a.weight": 1.0, "b.weight": 2.0}, {"b.weight": 3.0, "c.weight": None}]).parameters()
    assert norms.names == ("a.weight", "b.weight", "c.weight")
    np.testing.assert_array_equal(norms.values, [[1, nan], [2, 3], [nan, nan]])


def test_a_gradient_that_is_not_finite_is_told_from_none() -> None:
    found = norms_in(measured({"a": nan, "b": inf, "c": None, "d": 0.0}).parameters)
    assert found["a"] == found["b"] == inf and isnan(found["c"]) and found["d"] == 0
    assert norms_in(EMPTY) == {}


@given(st.integers(1, 400), st.integers(2, 40))
def test_of_however_many_steps_few_are_kept_evenly(n_steps: int, most: int) -> None:
    flow = GradientFlow(most)
    for step in range(n_steps):
        flow.add(step, measured({"a": step + 1.0}))
    norms = flow.parameters()
    assert len(norms.steps) <= most and norms.steps[0] == 0 and flow.n_added == n_steps
    assert len(norms.steps) > most / 2 - 1 or len(norms.steps) == n_steps
    assert len(set(np.diff(norms.steps).tolist())) <= 1
    np.testing.assert_array_equal(norms.values[0], norms.steps + 1)


def test_a_step_that_was_not_measured_has_the_norms_of_the_one_before() -> None:
    norms = Norms(("a",), np.array([4, 8]), np.array([[1.0, 2.0]], np.float32))
    assert [norms.at(step)[0] for step in (4, 7, 8, 99)] == [1, 1, 2, 2] and isnan(norms.at(3)[0])


@given(st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=6))
def test_the_norm_of_a_module_is_that_of_all_its_gradients(values: list[float]) -> None:
    norms = Norms(tuple(f"m.p{at}" for at in range(len(values))), np.array([0]), np.array(values, np.float32)[:, None])
    found = by_module(norms)
    assert found.names == ("m",)
    assert found.values[0, 0] == pytest.approx(np.sqrt(np.square(np.array(values)).sum()), rel=1e-5, abs=1e-37)


def test_a_module_without_any_gradient_has_no_norm_and_one_with_infinite_an_infinite_one() -> None:
    values = np.array([[nan, nan, 3.0], [nan, inf, 4.0], [1.0, 0.0, nan]], np.float32)
    found = by_module(Norms(("m.a", "m.b", "top"), np.arange(3), values))
    assert found.names == ("m", "")
    np.testing.assert_array_equal(found.values, [[nan, inf, 5.0], [1.0, 0.0, nan]])


# -- what is wrong in one step


def norms_of(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_gradients_that_shrink_towards_the_input_vanish() -> None:
    found = flow_finding("abcd", norms_of(1e-8, 1e-5, 1e-2, 1.0), 7)
    assert found is not None and kinds([found]) == [("vanishing", "a", 7)] and found.other == "d"
    assert sentence(found) == "Gradients shrink 10^8-fold from d to a"


def test_gradients_that_grow_towards_the_input_explode() -> None:
    found = flow_finding("abcd", norms_of(1e4, 1e3, 10.0, 1.0), 7)
    assert found is not None and sentence(found) == "Gradients grow 10^4-fold from d to a"


@pytest.mark.parametrize(
    "norms",
    [
        (0.1, 0.5, 0.2, 1.0),  # healthy
        (1e-9, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),  # one module alone is no trend
        (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1e9),
        (1.0,),
        (),
        (nan, inf, 0.0, 1.0),
    ],
)
def test_without_a_trend_nothing_vanishes(norms: tuple[float, ...]) -> None:
    assert flow_finding("abcdefgh"[: len(norms)], norms_of(*norms), 0) is None


def test_zero_and_missing_gradients_are_no_part_of_the_flow() -> None:
    found = flow_finding("abcdef", norms_of(0.0, nan, 1e-6, 1e-3, 1.0, inf), 0)
    assert found is not None and (found.name, found.other) == ("c", "e")


def test_parameters_that_the_loss_did_not_reach_are_told() -> None:
    found = findings_at(Norms((), np.array([], np.int64), np.empty((0, 0), np.float32)), ["b", "a"], 1204)
    assert [sentence(one) for one in found] == [f"{name} was not reached by the loss of step 1,204" for name in "ab"]


# -- what is wrong over the steps


def test_a_gradient_far_over_its_usual_size_explodes_once_for_all_modules() -> None:
    usual = {"a.w": 1.0, "b.w": 2.0, "c.w": 1.0}
    found = flow_of([*[usual] * FEWEST_BEFORE, {"a.w": 300.0, "b.w": 4000.0, "c.w": 3.0}, usual]).findings()
    assert kinds(found) == [("spike", "b", FEWEST_BEFORE)]
    assert sentence(found[0]) == "b explodes at step 5: 2,000 times its usual gradient, and 1 more"


def test_of_too_few_steps_before_nothing_is_usual() -> None:
    assert flow_of([*[{"a.w": 1.0}] * (FEWEST_BEFORE - 1), {"a.w": 1e9}]).findings() == ()


def test_a_gradient_that_is_not_finite_is_told_where_it_was_so_first() -> None:
    found = flow_of([{"a.w": 1.0}, {"a.w": nan}, {"a.w": inf}]).findings()
    assert kinds(found) == [("not_finite", "a", 1)]
    assert sentence(found[0]) == "a has a gradient that is not finite at step 1"


def test_a_gradient_of_zero_is_told_only_after_some_steps_in_a_row() -> None:
    zeros = [{"a": 0.0, "b": 1.0}] * ZERO_STEPS
    found = flow_of([{"a": 1.0, "b": 1.0}, *zeros]).findings()
    assert kinds(found) == [("zero", "a", 1)] and found[0].count == ZERO_STEPS
    assert sentence(found[0]) == "a has had a gradient of exactly zero since step 1 (3 measured steps)"
    assert flow_of(zeros[1:]).findings() == ()
    assert flow_of([*zeros, {"a": 0.5}]).findings() == ()
    assert flow_of([{"a": None}] * 9).findings() == ()


def test_units_are_dead_when_they_were_in_each_of_the_last_steps() -> None:
    flow = GradientFlow()
    for step, dead in enumerate([9, 3, 4, 3, 5, 6][:DEAD_STEPS]):
        flow.add(step, measured({}, {"act#0": (dead, 10), "fine#0": (step % 2, 10)}))
    (found,) = flow.findings()
    assert (found.kind, found.name, found.count, found.total) == ("dead", "act#0", 3, 10)
    assert sentence(found).startswith("act: up to 3 of 10 units were zero for every sample")
