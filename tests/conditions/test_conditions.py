"""Every condition keeps the contract, and means what its title says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tracer.conditions import (
    breakpoint_of,
    checked,
    condition,
    condition_names,
    fields_of,
    make_test,
    scalars_of,
    sentence,
)
from tracer.errors import UsageError
from tracer.model.breakpoints import Breakpoint, Value, to_text
from tracer.model.step_facts import StepFacts
from tracer.model.structure import ModuleCall, Node, Structure

EXAMPLES: Mapping[str, Mapping[str, Value]] = {
    **{
        name: {field.name: field.default for field in fields_of(name) if field.is_example} for name in condition_names()
    },
    "structure_is": {"id": "ab"},
    "module_ran": {"module": "head"},
    "module_not_run": {"module": "head"},
    "module_ran_times": {"module": "head"},
    "op_appears": {"op": "Relu"},
}
"""Values for the fields that have none of their own."""


def example(name: str) -> Breakpoint:
    return checked(Breakpoint(1, name, EXAMPLES.get(name, {})))


@dataclass
class Grads:
    total: float | None = None
    none: frozenset[str] = frozenset()

    def norm(self) -> float | None:
        return self.total

    def zero(self) -> frozenset[str]:
        return self.none


def facts(index: int = 0, topology: str = "a", shape: str = "", **more: object) -> StepFacts:
    fields = StepFacts.__dataclass_fields__
    scalars = {name: value for name, value in more.items() if name not in fields}
    rest = {name: value for name, value in more.items() if name not in scalars}
    return StepFacts(index, topology, shape or topology, scalars, **rest)  # type: ignore[arg-type]


def structure(*paths: str, ops: tuple[str, ...] = (), unreached: tuple[str, ...] = ()) -> Structure:
    calls = tuple(ModuleCall(path, path.capitalize(), at, None, True, True) for at, path in enumerate(paths))
    nodes = tuple(Node(f"{op}:{at}", "op", op, None, None, 0, (), "", "") for at, op in enumerate(ops))
    return Structure(nodes, (), calls, unreached)


def met(text: str, *steps: StepFacts) -> list[int]:
    """The steps at which a breakpoint's condition holds, each asked with the one before."""
    test, before, found = make_test(breakpoint_of(text)), None, []
    for step in steps:
        if test(before, step):
            found.append(step.index)
        before = step
    return found


@pytest.mark.parametrize("name", condition_names())
def test_every_condition_keeps_the_contract(name: str) -> None:
    found = condition(name)
    assert found.__doc__ and found.TITLE and found.TITLE[0].islower()
    breakpoint = example(name)
    assert {field.name for field in fields_of(name)} == set(breakpoint.fields)
    assert all(field.title and field.kind for field in fields_of(name))
    assert sentence(breakpoint)
    assert breakpoint_of(to_text(breakpoint), 1) == breakpoint
    for step in (StepFacts(0, "", "", {}), facts(loss=1.0), facts(3, loss=math.nan)):
        answer = make_test(breakpoint)(None, step)
        assert answer is None or isinstance(answer, str)


@pytest.mark.parametrize(
    "name", ["topology_changed", "shape_changed", "structure_new", "structure_is", "module_ran", "module_not_run",
             "module_ran_times", "op_appears", "parameter_unreached", "loss_above", "loss_below", "loss_jumps",
             "loss_not_finite", "gradient_norm_above", "gradient_zero", "expression"]
)  # fmt: skip
def test_of_a_step_of_which_nothing_is_known_yet_nothing_is_said(name: str) -> None:
    assert make_test(example(name))(facts(), StepFacts(1, "", "", {})) is None


def test_an_unknown_condition_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        UsageError, match=r"^There is no condition 'moon'; choose one of elapsed, .*topology_changed\.$"
    ):
        condition("moon")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("loss_above value=high", "'Value' wants a number, not 'high'."),
        ("loss_above value=nan", "'Value' wants a number, not 'nan'."),
        ("loss_above level=3", "The condition loss_above has no field 'level'; it has value."),
        ("topology_changed n=3", "The condition topology_changed has no field 'n'; it has none."),
        ("loss_above", "The condition loss_above needs value=…; write, for example, loss_above value=1.0"),
        ("loss >", "'loss >' is no expression; write, for example, loss > 2 * mean(loss[-20:])."),
        ("every_n n=0", "'Every' is 0; give 1 or more."),
        ("step_is step=2.5", "'Step' wants a whole number, not '2.5'."),
        ("module_ran", "'Module' is empty; give a path, a class or a glob: layer4, Dropout, encoder.*."),
        ("loss_not_finite hit='< 3'", "'< 3' is no hit condition; write 5, >= 5, > 5 or % 5."),
        ("loss_not_finite hit='% 0'", "'% 0' is no hit condition; write 5, >= 5, > 5 or % 5."),
        ("step_is x", "'x' in the breakpoint 'step_is x' is no field; write name=value, once or off."),
        ("loss_not_finite log='{x'", "The braces of '{x' do not match; write {loss} for a value, {{ for a brace."),
        ("loss_above value='3", "The quotes of the breakpoint \"loss_above value='3\" do not match; write, say, "
                                "loss_above value=3"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words(text: str, error: str) -> None:
    with pytest.raises(UsageError) as raised:
        breakpoint_of(text)
    assert str(raised.value) == error


def test_a_text_that_is_no_condition_may_be_an_expression() -> None:
    found = breakpoint_of("loss > 2 * mean(loss[-20:])", 7)
    assert (found.id, found.condition) == (7, "expression")
    assert sentence(found) == "loss > 2 * mean(loss[-20:])"


def test_topology_and_shape_are_told_apart() -> None:
    steps = facts(0, "a"), facts(1, "b"), facts(2, "b", "other"), facts(3, ""), facts(4, "b", "other")
    assert met("topology_changed", *steps[:3]) == [1]
    assert met("shape_changed", *steps[:3]) == [2]
    assert met("topology_changed", facts(0, "a", loss=1.0), facts(1, "a", loss=9.0)) == []


def test_a_structure_is_new_or_a_given_one() -> None:
    steps = facts(0, "a1", is_new=True), facts(1, "b2", is_new=True), facts(2, "a1")
    assert met("structure_new", *steps) == [1]  # the first step's is no news
    assert met("structure_is id=A", *steps) == [0, 2]
    assert met("structure_is id=b2", *steps) == [1]


def test_modules_are_found_by_path_class_and_glob_also_where_they_ran_without_grad() -> None:
    evaluated = (ModuleCall("head", "Linear", 0, None, False, False, count=3),)
    steps = (
        facts(0, structure=structure("head", "layer4.0", "layer4.1")),
        facts(1, structure=structure("layer4.0")),
        facts(2, structure=structure("layer4.1"), evaluated=evaluated),
    )
    assert met("module_ran module=head", *steps) == [0, 2]
    assert met("module_ran module=layer4", *steps) == []
    assert met("module_ran module=Head", *steps) == [0]
    assert met("module_not_run module=head", *steps) == [1]
    assert met("module_ran_times module=layer4.* times=2", *steps) == [0]
    assert met("module_ran_times module=head times=3", *steps) == [2]


def test_an_op_appears_where_the_step_before_had_it_not() -> None:
    plain, dropped = structure(ops=("AddmmBackward0",)), structure(ops=("AddmmBackward0", "NativeDropoutBackward0"))
    steps = [facts(at, structure=each) for at, each in enumerate((plain, dropped, dropped, plain, dropped))]
    assert met("op_appears op=*dropout*", *steps) == [1, 4]
    assert met("op_appears op=Addmm", *steps) == [0]


def test_the_loss_is_compared() -> None:
    losses = (1.0, 3.0, math.nan, math.inf, -math.inf, 0.5)
    steps = [facts(at, loss=loss) for at, loss in enumerate(losses)]
    assert met("loss_not_finite", *steps) == [2, 3, 4]
    assert met("loss_above value=2", *steps) == [1, 3]
    assert met("loss_below value=0.7", *steps) == [4, 5]


def test_a_jump_is_measured_in_the_spread_of_the_steps_before() -> None:
    history = {"loss": [1.0, 1.1, 0.9, 1.0, 1.05, 0.95]}
    assert met("loss_jumps sigma=3", facts(6, loss=1.1, history=history)) == []
    assert met("loss_jumps sigma=3", facts(6, loss=2.0, history=history)) == [6]
    assert met("loss_jumps sigma=3", facts(6, loss=math.nan, history=history)) == [6]
    assert met("loss_jumps sigma=3", facts(2, loss=2.0, history={"loss": [1.0, 1.0]})) == []  # too few to tell
    assert met("loss_jumps sigma=3", facts(6, loss=1.5, history={"loss": [1.0] * 9})) == [6]


def test_gradients_are_asked_for() -> None:
    def step(at: int, norm: float, *zero: str) -> StepFacts:
        return facts(at, gradients=Grads(norm, frozenset(zero)))

    steps = [
        step(0, 1.0, "a.w"),
        step(1, 200.0, "a.w", "b.w"),
        step(2, math.nan, "a.w"),
        step(3, 1.0),
        step(4, 1.0, "a.w"),
    ]
    assert met("gradient_norm_above value=100", *steps) == [1, 2]
    assert met("gradient_zero parameter=a.* steps=3", *steps) == [2]
    assert met("gradient_zero steps=1", *steps) == [0, 1, 4]


def test_an_unreached_parameter_is_told_once_a_row() -> None:
    steps = [facts(at, structure=structure(unreached=("head.w",) if at != 3 else ())) for at in range(8)]
    assert met("parameter_unreached steps=2", *steps) == [1, 5]
    assert met("parameter_unreached parameter=tail steps=2", *steps) == []


def test_steps_and_time_are_counted() -> None:
    steps = [facts(at, elapsed_secs=20.0 * at) for at in range(8)]
    assert met("step_is step=3", *steps) == [3]
    assert met("every_n n=3", *steps) == [3, 6]
    assert met("elapsed minutes=1", *steps) == [3]
    assert met("elapsed minutes=1", *steps[4:]) == []  # it was over before


def test_an_expression_waits_for_the_scalars_it_names() -> None:
    test = make_test(breakpoint_of("accuracy < 0.5 and loss > 1"))
    assert test(None, facts(0, loss=2.0)) is None
    assert test(None, facts(0, loss=2.0, accuracy=0.25)) == (
        "accuracy < 0.5 and loss > 1 (accuracy is 0.25, loss is 2)"
    )
    assert test(None, facts(0, loss=2.0, accuracy=0.75)) == ""


def test_the_scalars_that_are_named_are_known() -> None:
    assert scalars_of(breakpoint_of("loss > 2 * mean(acc[-3:]) + step")) == {"loss", "acc"}
    assert scalars_of(breakpoint_of("every_n n=3 log='{lr} {step}'")) == {"lr"}
    assert scalars_of(breakpoint_of("topology_changed")) == frozenset()
