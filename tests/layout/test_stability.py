"""What stays in a graph stays in its place while its structure changes at random."""

import random

import networkx as nx
import numpy as np
import pytest

from tests.layout.checks import assert_sound
from tests.model.graph_maker import GraphMaker
from tracer.layout import Layout, LayoutCache, lay_out
from tracer.model.union import Union
from tracer.model.view import View
from tracer.model.view_builder import ViewOptions, build_view

STEPS, UNITS, VARIANTS, CHANGES = 25, 40, 4, 0.05


def wired(choices: list[int]) -> nx.MultiDiGraph:
    """Units that each take two of the outputs of the few before; each variant has weights and inputs of its own."""
    maker = GraphMaker()
    root = maker.call("", "Wired")
    outputs = [maker.op("EmbeddingBackward0", [maker.parameter("embed.weight")], root)]
    for unit, variant in enumerate(choices):
        path = f"units.{unit}.{variant}"
        back = random.Random(path)
        added = maker.op("AddBackward0", [outputs[max(0, unit - back.randrange(6))] for _ in range(2)], root)
        call = maker.call(path, "Linear", root)
        outputs.append(maker.op("AddmmBackward0", [added, maker.parameter(f"{path}.weight")], call))
    maker.loss(maker.op("StackBackward0", outputs[-3:], root))
    return maker.graph


def changing_graphs(seed: int) -> list[nx.MultiDiGraph]:
    """With each step every unit may run in another variant; then back through every third step."""
    chance = random.Random(seed)
    choices = [0] * UNITS
    graphs = []
    for _ in range(STEPS):
        graphs.append(wired(choices))
        choices = [chance.randrange(VARIANTS) if chance.random() < CHANGES else choice for choice in choices]
    return graphs + graphs[::-3]


def view_of(union: Union) -> View:
    return build_view(union.graph, ViewOptions(frozenset(union.graph.graph["call_tree"]), folds_repeats=False))


def sideways_moves(before: Layout, after: Layout) -> np.ndarray:
    """Of the boxes of both, apart from a move of the whole scene."""
    rows = {box.key: index for index, box in enumerate(before.view.boxes)}
    pairs = [(rows[box.key], index) for index, box in enumerate(after.view.boxes) if box.key in rows]
    centres = [layout.boxes[:, 0] + layout.boxes[:, 2] / 2 for layout in (before, after)]
    moved = np.array([centres[1][new] - centres[0][old] for old, new in pairs])
    return np.abs(moved - np.median(moved))


@pytest.mark.parametrize("seed", [0, 1])
def test_survivors_stay_in_place_while_the_structure_changes_at_random(seed: int) -> None:
    union, cache, layout = Union(), LayoutCache(), None
    shares: list[np.ndarray] = []
    far = 0
    for number, graph in enumerate(changing_graphs(seed)):
        grew = union.add(graph, str(number))
        assert grew or number > 0
        if not grew:  # known structures are not laid out anew
            continue
        grown = lay_out(view_of(union), layout, cache=cache)
        if layout is not None:
            moves = sideways_moves(layout, grown)
            shares.append(moves / grown.size[0])
            far += int((moves > 100).sum())
            assert np.median(shares[-1]) < 0.02
        layout = grown
    assert layout is not None
    assert_sound(layout)
    assert len(shares) > 10
    every = np.concatenate(shares)
    assert np.median(every) < 0.001
    assert far < 0.06 * len(every)


def test_the_same_union_laid_out_again_moves_nothing_far() -> None:
    union = Union()
    for number, graph in enumerate(changing_graphs(2)[:10]):
        union.add(graph, str(number))
    layout = lay_out(view_of(union))
    again = lay_out(view_of(union), layout)
    assert np.median(sideways_moves(layout, again)) < 0.1
    assert sideways_moves(layout, again).max() < 0.02 * layout.size[0]
