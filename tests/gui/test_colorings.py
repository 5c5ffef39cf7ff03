"""Colourings: what each makes of hand-made statistics, and what all of them have in common."""

import gc
import weakref
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest

from gui.box_index import index_of
from gui.canvas.colors import colored
from gui.canvas.fit import fit
from gui.canvas.states import State
from gui.coloring import ALARM, Coloration, Coloring, Subject, by_number
from gui.colorings import DEFAULT, GROUPS, colorings, grouped
from gui.colorings.op_type import label_of
from gui.theme import DARK, LIGHT, Theme
from tests.gui.measured_boxes import (
    ADDMM,
    BOXES,
    ENC,
    INF,
    LINEAR,
    LOSS,
    MUL,
    NAN,
    RELU,
    graph_of,
    measured,
    op,
    parameter,
    subject_of,
)
from tracer.layout import lay_out
from tracer.model.statistics import Statistics
from tracer.model.view import Box, View

EVERY = pytest.mark.parametrize("coloring", colorings().values(), ids=lambda coloring: coloring.NAME)
BY_NUMBER = [each for each in colorings().values() if each.GROUP != "structure"]
MEASURED = [each for each in BY_NUMBER if each.LEVEL != "structure"]

FULL = measured(
    calls={
        "enc#0": (0.25, 2.0, 0.5, 0, 0, 3e-3),
        "enc.lin#0": (-8.0, 4.0, 0.0, 0, 0, 1e-3),
        "dec#0": (-0.5, 1.0, 1.0, 0, 0, 2e-3),
    },
    parameters={
        "enc.lin.weight": (4.0, 0.5, 0.04, 0.01, 1),
        "enc.lin.bias": (1.0, 2.0, 0.2, 0.2, 1),
        "dec.weight": (2.0, 0.1, 0.002, 0.001, 1),
    },
    nodes={LINEAR: (1e-3, 1000.0), RELU: (2e-3, 24.0), ADDMM: (5e-4, 0.0), MUL: (1e-4, 100_000.0)},
    operators=(
        ("aten.addmm.default", "enc.lin#0", 1e-3),
        ("aten.relu.default", "enc#0", 1e-4),
        ("aten.addmm.default", "dec#0", 4e-4),
        ("aten.mul.Tensor", "dec#0", 5e-5),
        ("aten.mul.Tensor", None, 1.0),
    ),
)


def told(name: str, statistics: Statistics | None, **more: Any) -> Coloration:
    return colorings()[name].colored(subject_of(statistics, **more), LIGHT)


def assert_coloured(name: str, subject: Subject, numbers: Mapping[str, float], alarms: tuple[str, ...] = ()) -> None:
    """The boxes with these keys have these numbers, all others none."""
    coloring: Any = colorings()[name]
    keys = [box.key for box in subject.boxes]
    values = np.array([numbers.get(key, NAN) for key in keys])
    spoilt = np.array([key in alarms for key in keys])
    expected = by_number(subject, coloring.QUANTITY, LIGHT, values, spoilt)
    found = coloring.colored(subject, LIGHT)
    assert found.colors.tolist() == expected.colors.tolist()
    assert found.legend == expected.legend
    assert found.bar == expected.bar
    assert found.alarms.tolist() == expected.alarms.tolist()


# -- what a box shows


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("forward_time", {ENC.key: 3e-3, ADDMM: 4e-4, MUL: 5e-5}),
        ("backward_time", {ENC.key: 3e-3, ADDMM: 5e-4, MUL: 1e-4}),
        ("saved_bytes", {ENC.key: 1024.0, ADDMM: 0.0, MUL: 100_000.0}),
        ("parameter_count", {ENC.key: 40.0, "dec.weight": 16.0}),
        ("gradient_norm", {ENC.key: 2.0, "dec.weight": 0.1}),
        ("update_ratio", {ENC.key: 0.2, "dec.weight": 0.001}),
        ("activation_mean", {ENC.key: 0.25, MUL: -0.5}),
        ("activation_std", {ENC.key: 2.0, MUL: 1.0}),
        ("activation_zeros", {ENC.key: 0.5, MUL: 1.0}),
        ("not_finite", {ENC.key: 0.0, MUL: 0.0, "dec.weight": 0.0}),
    ],
)
def test_a_box_shows_its_own_number_or_that_of_all_in_it(name: str, numbers: dict[str, float]) -> None:
    assert_coloured(name, subject_of(FULL), numbers)


def test_values_that_are_unknown_do_not_count_beside_known_ones() -> None:
    nodes = {LINEAR: (NAN, 1000.0), RELU: (2e-3, NAN), ADDMM: (NAN, NAN)}
    subject = subject_of(measured(nodes=nodes))
    assert_coloured("backward_time", subject, {ENC.key: 2e-3})
    assert_coloured("saved_bytes", subject, {ENC.key: 1000.0})


def test_a_parameter_without_a_gradient_has_no_number_and_is_no_alarm() -> None:
    parameters = {"enc.lin.weight": (4.0, NAN, 0.0, 0.0, 0), "dec.weight": (2.0, 0.1, 0.1, 0.1, 1)}
    assert_coloured("gradient_norm", subject_of(measured(parameters=parameters)), {"dec.weight": 0.1})


@pytest.mark.parametrize("bad", [NAN, INF])
def test_a_gradient_that_is_not_finite_is_an_alarm_of_all_around_it(bad: float) -> None:
    parameters = {"enc.lin.weight": (4.0, bad, 0.1, 0.1, 1), "enc.lin.bias": (1.0, 3.0, 0.1, 0.1, 1)}
    statistics = measured(parameters=parameters | {"dec.weight": (2.0, 0.1, 0.1, 0.1, 1)})
    assert_coloured("gradient_norm", subject_of(statistics), {"dec.weight": 0.1}, alarms=(ENC.key,))
    entry = told("gradient_norm", statistics).legend[0]
    assert (entry.label, entry.mark) == ("NaN or Inf: 1 box", ALARM)


def test_an_update_of_values_that_were_zero_has_no_ratio_and_is_no_alarm() -> None:
    parameters = {"dec.weight": (0.0, 0.1, 0.1, INF, 1), "enc.lin.bias": (NAN, 0.1, 0.1, NAN, 1)}
    assert_coloured("update_ratio", subject_of(measured(parameters=parameters)), {}, alarms=(ENC.key,))


@pytest.mark.parametrize("name", ["activation_mean", "activation_std", "activation_zeros"])
@pytest.mark.parametrize("counts", [(3, 0), (0, 1)])
def test_an_output_with_nan_or_inf_is_an_alarm(name: str, counts: tuple[int, int]) -> None:
    calls = {"enc#0": (NAN, NAN, 0.5, *counts, 1e-3), "dec#0": (0.5, 0.5, 0.5, 0, 0, 1e-3)}
    assert_coloured(name, subject_of(measured(calls=calls)), {MUL: 0.5}, alarms=(ENC.key,))


def test_nan_is_counted_where_most_of_it_is_and_marked() -> None:
    calls = {"enc#0": (0.0, 1.0, 0.0, 0, 2, 1e-3), "enc.lin#0": (NAN, NAN, 0.0, 5, 1, 1e-3)}
    calls |= {"dec#0": (0.0, 1.0, 0.0, 0, 0, 1e-3)}
    coloration = told("not_finite", measured(calls=calls))
    assert coloration.alarms.tolist() == [True, False, False, False, False, False]
    assert coloration.bar is not None
    assert [tick.text for tick in coloration.bar.ticks][::2] == ["5", "10"]
    assert [entry.label for entry in coloration.legend] == ["All finite", "Not measured"]


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_spoilt_parameter_is_an_alarm_of_the_colouring_by_nan(column: int) -> None:
    row = [1.0, 1.0, 1.0, 1.0, 1.0]
    row[column] = NAN
    coloration = told("not_finite", measured(parameters={"dec.weight": row, "enc.lin.weight": (1.0,) * 5}))
    alarming = [box.key for box, is_alarm in zip(BOXES, coloration.alarms, strict=True) if is_alarm]
    assert alarming == ["dec.weight"]


def test_an_op_that_shares_its_way_out_of_a_module_has_none_of_its_output() -> None:
    first, second = "cell#0/AddBackward0:0", "cell#0/MulBackward0:0"
    graph = graph_of(
        {"cell#0": None},
        {first: op(first), second: op(second), LOSS: op(LOSS)},
        [(first, second), (first, LOSS), (second, LOSS)],
    )
    boxes = tuple(Box(key, "op", "", "", None, (key,)) for key in (first, second))
    statistics = measured(calls={"cell#0": (0.5, 1.0, 0.0, 0, 0, 1e-3)})
    assert_coloured("activation_mean", subject_of(statistics, boxes=boxes, graph=graph), {})


def test_an_op_before_views_of_the_same_numbers_has_those_of_the_output() -> None:
    product, view = "lin#0/MmBackward0:0", "lin#0/ViewBackward0:0"
    graph = graph_of(
        {"lin#0": None}, {product: op(product), view: op(view), LOSS: op(LOSS)}, [(product, view), (view, LOSS)]
    )
    boxes = tuple(Box(key, "op", "", "", None, (key,)) for key in (product, LOSS))
    statistics = measured(calls={"lin#0": (0.5, 1.0, 0.0, 0, 0, 1e-3)})
    assert_coloured("activation_mean", subject_of(statistics, boxes=boxes, graph=graph), {product: 0.5})


def test_operators_are_paired_with_nodes_only_where_there_are_as_many() -> None:
    operators = (
        ("aten.addmm.default", "dec#0", 1e-3),
        ("aten.mul.Tensor", "dec#0", 1e-3),
        ("aten.mul_.Scalar", "dec#0", 1),
    )
    calls = {"enc#0": (0.0, 0.0, 0.0, 0, 0, 5e-3)}
    subject = subject_of(measured(calls=calls, operators=operators))
    assert_coloured("forward_time", subject, {ENC.key: 5e-3, ADDMM: 1e-3})


# -- folds


def unrolled() -> tuple[nx.MultiDiGraph, tuple[Box, ...]]:
    """Three turns of a loop over a cell with an op each, drawn once; the weight is shared."""
    keys = [f"cell#{turn}/MulBackward0:0" for turn in range(3)]
    graph = graph_of(
        {"#0": None, "cell#0": "#0", "cell#1": "#0", "cell#2": "#0"},
        {"cell.w": parameter("cell.w", 5, 5)} | {key: op(key) for key in keys},
        [*(("cell.w", key) for key in keys), *pairwise(keys)],
    )
    return graph, (Box("cell#0", "module", "cell", "", "#0", ("cell.w", *keys), tuple(keys), fold="cell#0"),)


TURNS = measured(
    calls={f"cell#{turn}": (0.1 * turn, 1.0 + turn, 0.25 * turn, turn, 0, 1e-3 * (turn + 1)) for turn in range(3)},
    parameters={"cell.w": (1.0, 0.7, 0.1, 0.1, 1)},
    nodes={f"cell#{turn}/MulBackward0:0": (1e-4 * (turn + 1), 10.0) for turn in range(3)},
)


def test_an_op_of_a_folded_frame_shows_all_its_copies() -> None:
    graph, boxes = unrolled()
    keys = boxes[0].members[1:]
    subject = subject_of(TURNS, boxes=(Box(keys[0], "op", "Mul", "", "cell#0", keys),), graph=graph)
    assert_coloured("backward_time", subject, {keys[0]: 6e-4})
    assert colorings()["backward_time"].colored(subject, LIGHT).note == "×n: sum of all copies"


@pytest.mark.parametrize(
    ("name", "number", "note"),
    [
        ("forward_time", 6e-3, "sum"),
        ("backward_time", 6e-4, "sum"),
        ("saved_bytes", 30.0, "sum"),
        ("parameter_count", 25.0, "sum"),
        ("gradient_norm", 0.7, "greatest"),
    ],
)
def test_a_fold_shows_all_its_copies_together(name: str, number: float, note: str) -> None:
    graph, boxes = unrolled()
    subject = subject_of(TURNS, boxes=boxes, graph=graph)
    assert_coloured(name, subject, {"cell#0": number})
    assert colorings()[name].colored(subject, LIGHT).note == f"×n: {note} of all copies"


def test_the_mean_of_a_fold_is_that_of_its_copies() -> None:
    graph, boxes = unrolled()
    calm = {f"cell#{turn}": (0.1 * turn, 1.0 + turn, 0.25 * turn, 0, 0, 1e-3) for turn in range(3)}
    subject = subject_of(measured(calls=calm), boxes=boxes, graph=graph)
    assert_coloured("activation_mean", subject, {"cell#0": 0.1})
    assert_coloured("activation_std", subject, {"cell#0": 2.0})
    assert_coloured("activation_zeros", subject, {"cell#0": 0.25})


def test_nan_in_one_copy_is_an_alarm_of_the_fold() -> None:
    graph, boxes = unrolled()
    subject = subject_of(TURNS, boxes=boxes, graph=graph)
    assert colorings()["activation_mean"].colored(subject, LIGHT).alarms.tolist() == [True]
    assert colorings()["not_finite"].colored(subject, LIGHT).alarms.tolist() == [True]


def test_a_fold_whose_first_copy_the_step_lacks_shows_the_others() -> None:
    graph, boxes = unrolled()
    graph.remove_node("cell#0/MulBackward0:0")
    calls = {f"cell#{turn}": (0.0, 1.0, 0.0, 0, 0, 1e-3) for turn in (1, 2)}
    graph.graph["module_calls"] = [record for record in graph.graph["module_calls"] if record["key"] != "cell#0"]
    subject = subject_of(measured(calls=calls), boxes=boxes, graph=graph)
    assert_coloured("forward_time", subject, {"cell#0": 2e-3})


# -- labels


def test_devices_and_types_are_told_and_mixed_where_a_module_has_several() -> None:
    by_device = told("device", None)
    assert [by_device.legend[color].label for color in by_device.colors] == [*["cuda:0"] * 4, "cpu", "Unknown"]
    by_type = told("dtype", None)
    assert by_type.legend[by_type.colors[0]].label == "Mixed"
    assert by_type.legend[by_type.colors[1]].label == "float32"


def test_a_type_has_the_same_colour_whatever_comes_before_it() -> None:
    later = told("dtype", None, boxes=BOXES[1:])
    assert later.swatches[later.colors[0]] == LIGHT.categories[0]
    mixed_first = told("dtype", None)
    assert mixed_first.swatches[mixed_first.colors[1]] == LIGHT.categories[0]


def test_a_part_of_the_model_keeps_its_colour_in_steps_without_it() -> None:
    boxes = tuple(Box(key, "op", "", "", None, (key,)) for key in (LINEAR, ADDMM))
    graph = graph_of({}, {ADDMM: op(ADDMM)}, [])
    absent = Subject(boxes, np.array([False, True]), graph)
    whole = colorings()["module"].colored(subject_of(None, boxes=boxes), LIGHT)
    alone = colorings()["module"].colored(absent, LIGHT)
    assert alone.swatches[alone.colors[1]] == whole.swatches[whole.colors[1]]
    assert [entry.label for entry in alone.legend] == ["dec"]


# -- what all have in common


@EVERY
def test_a_colouring_is_registered_as_its_file_says(coloring: Coloring) -> None:
    assert coloring.__name__.rpartition(".")[2] == coloring.NAME  # type: ignore[attr-defined]
    assert coloring.TITLE[0].isupper()
    assert len(coloring.TITLE) <= 20
    assert coloring.GROUP in GROUPS
    assert coloring.LEVEL in ("structure", "statistics", "full")
    assert coloring.NAME in next(names for names in grouped() if coloring.NAME in names)


def test_every_colouring_stands_once_in_the_groups_in_an_order_of_its_own() -> None:
    assert [name for names in grouped() for name in names] == list(colorings())
    assert next(iter(colorings())) == DEFAULT
    places = [(each.GROUP, each.ORDER) for each in colorings().values()]
    assert len(set(places)) == len(places)


@EVERY
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("statistics", [None, Statistics(), FULL], ids=["none", "empty", "full"])
def test_every_box_has_a_colour_whatever_was_measured(
    coloring: Coloring, theme: Theme, statistics: Statistics | None
) -> None:
    boxes = (
        *BOXES,
        Box("x", "input", "x", "", None, ("x",)),
        Box("val#0~", "module", "val", "", None, (), trait="no grad"),
    )
    subject = replace(subject_of(statistics), boxes=boxes, is_present=np.arange(len(boxes)) != 2)
    coloration = coloring.colored(subject, theme)
    assert coloration.colors.dtype == np.uint8
    assert len(coloration.colors) == len(boxes)
    assert coloration.colors[subject.is_present].max() < len(coloration.swatches)
    assert len(coloration.alarms) in (0, len(boxes))
    assert coloration.legend or coloration.bar or coloration.note


@EVERY
def test_a_view_without_boxes_has_no_colours(coloring: Coloring) -> None:
    coloration = coloring.colored(subject_of(FULL, boxes=()), LIGHT)
    assert len(coloration.colors) == 0
    assert coloration.bar is None


@pytest.mark.parametrize("coloring", MEASURED, ids=lambda coloring: coloring.NAME)
@pytest.mark.parametrize("statistics", [None, Statistics()], ids=["none", "empty"])
def test_a_step_that_was_not_measured_says_how_to(coloring: Coloring, statistics: Statistics | None) -> None:
    coloration = coloring.colored(subject_of(statistics), LIGHT)
    assert coloration.is_unmeasured
    assert coloration.note == f"Not measured in this step; record with --level {coloring.LEVEL}"
    assert {coloration.swatches[color] for color in coloration.colors} == {LIGHT.neutral}


@pytest.mark.parametrize("coloring", BY_NUMBER, ids=lambda coloring: coloring.NAME)
def test_boxes_without_a_number_are_neutral_and_told_so(coloring: Coloring) -> None:
    coloration = coloring.colored(subject_of(FULL), LIGHT)
    output = len(BOXES) - 1
    assert coloration.swatches[coloration.colors[output]] == LIGHT.neutral
    assert coloration.legend[-1].swatch == LIGHT.neutral


@pytest.mark.parametrize("coloring", BY_NUMBER, ids=lambda coloring: coloring.NAME)
def test_boxes_that_the_step_lacks_do_not_stretch_the_scale(coloring: Coloring) -> None:
    subject = subject_of(FULL)
    alone = replace(subject, is_present=np.array([True, *[False] * 5]))
    coloration = coloring.colored(alone, LIGHT)
    expected = coloring.colored(subject_of(FULL, boxes=(ENC,)), LIGHT)
    assert coloration.bar == expected.bar
    assert coloration.colors[0] == expected.colors[0]


def test_numbers_are_not_overridden_by_changes_but_kinds_are() -> None:
    boxes = tuple(Box(key, "op", "", "", None, (key,)) for key in (LINEAR, RELU, ADDMM, MUL))
    layout = lay_out(View(boxes, (), ()))
    fitted = fit(layout, subject_of(FULL).graph)
    states = np.array([State.PRESENT, State.ADDED, State.CHANGED, State.REMOVED], dtype=np.uint8)
    no_frames = np.zeros(0, dtype=np.uint8)
    by_time = colored(fitted, states, no_frames, colorings()["backward_time"], FULL, LIGHT)
    assert by_time.title == "Backward time"
    overridden = (LIGHT.added, LIGHT.changed, LIGHT.removed)
    assert [by_time.swatches[color] in overridden for color in by_time.colors] == [False, False, False, True]
    by_kind = colored(fitted, states, no_frames, colorings()["kind"], FULL, LIGHT)
    assert [by_kind.swatches[color] in overridden for color in by_kind.colors] == [False, True, True, True]
    assert [entry.mark for entry in by_time.legend if entry.mark] == ["+", "−", "~"]


# -- what is found once


def test_what_boxes_stand_for_is_found_once_for_a_graph() -> None:
    subject = subject_of(FULL)
    assert index_of(subject.boxes, subject.graph) is index_of(subject.boxes, subject.graph)
    assert index_of((*BOXES, ENC), subject.graph) is not subject.index


def test_nothing_of_a_graph_is_kept_when_it_is_gone() -> None:
    subject = subject_of(FULL)
    for coloring in colorings().values():
        coloring.colored(subject, LIGHT)
    index, graph = weakref.ref(subject.index), weakref.ref(subject.graph)
    del subject
    gc.collect()
    assert graph() is None
    assert index() is None


def test_tables_of_equal_keys_are_looked_up_once_and_those_of_others_anew() -> None:
    subject = subject_of(FULL)
    held = subject.index.nodes
    keys = tuple(f"{key[:1]}{key[1:]}" for key in FULL.nodes.keys)
    assert held.sums(keys, np.ones(4))[:3].tolist() == [2.0, 1.0, 1.0]
    assert held.sums(keys[::-1], np.array([1.0, 2.0, 3.0, 4.0]))[:3].tolist() == [7.0, 2.0, 1.0]
    assert np.isnan(held.sums((), np.empty(0))).all()


@pytest.mark.parametrize(
    ("ops", "family"),
    [
        (("ConvolutionBackward0",), "Convolution"),
        (("TBackward0", "AddmmBackward0"), "Linear algebra"),
        (("ViewBackward0",), "View and indexing"),
        (("AddmmBackward0", "ReluBackward0"), "Module, closed"),
        (("AddmmBackward0", "ViewBackward0") * 20, "Linear algebra"),
        ((), "Module, closed"),
    ],
)
def test_a_closed_module_of_ops_of_one_family_has_its_colour(ops: tuple[str, ...], family: str) -> None:
    graph = nx.MultiDiGraph()
    for number, name in enumerate(ops):
        graph.add_node(str(number), kind="op", op=name)
    graph.add_node("weight", kind="parameter", op="AccumulateGrad")
    assert label_of(Box("m#0", "module", "m", "", None, tuple(graph)), graph) == family
