"""Every condition keeps the contract, and means what its title says."""

import math

import pytest

from tracer.conditions import condition, condition_names
from tracer.errors import UsageError
from tracer.model.records import StepFacts


def facts(topology: str = "a", **scalars: float) -> StepFacts:
    return StepFacts(0, topology, topology, scalars)


@pytest.mark.parametrize("name", condition_names())
def test_every_condition_has_a_name_a_title_and_bears_steps_without_a_graph(name: str) -> None:
    found = condition(name)
    assert name == found.NAME
    assert found.TITLE
    assert found.is_met(facts(""), facts("")) is False


def test_an_unknown_condition_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        UsageError, match=r"There is no condition 'moon'; choose one of loss_not_finite, topology_changed\."
    ):
        condition("moon")


def test_topology_changed_is_about_the_graph_alone() -> None:
    is_met = condition("topology_changed").is_met
    assert is_met(facts("a"), facts("b"))
    assert not is_met(facts("a", loss=1.0), facts("a", loss=9.0))
    assert not is_met(facts(""), facts("b"))


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_loss_not_finite_is_met_by_nan_and_infinities(loss: float) -> None:
    is_met = condition("loss_not_finite").is_met
    assert is_met(facts(loss=1.0), facts(loss=loss))
    assert not is_met(facts(loss=loss), facts(loss=1.0))
    assert not is_met(facts(), facts())
