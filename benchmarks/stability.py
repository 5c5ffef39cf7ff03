"""How far what stays in a graph moves on the screen while its structure changes, with three ways of laying it out.

    python -m benchmarks.stability [experts | wired] [--no-dot]

A mixture of experts and a randomly wired network of some 600 nodes, all calls open; with each step 5 % of the nodes
make room for others. Sideways distances, in shares of the drawing's width and in pixels, of the boxes that two steps
in a row have; a move of the whole scene, which a camera follows, does not count.
"""

import argparse
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from benchmarks import dot
from benchmarks.graphs import routed_graphs, wired_graphs
from tracer.layout import Layout, LayoutCache, lay_out
from tracer.model.union import Union
from tracer.model.view import View
from tracer.model.view_builder import ViewOptions, build_view

DOT_STEPS = 40
CHANGES = 0.05
FAR_PX = 100.0
MOST_SHARE = 0.02
# The union of a network that is wired anew at random grows into a thicket, whose layout takes seconds after 60 steps.
MODELS = {"experts": (routed_graphs, 200), "wired": (wired_graphs, 60)}
Places = dict[str, tuple[float, float]]
"""Centre x, y of each box that a step has, by its key."""


@dataclass(slots=True)
class Moves:
    """The sideways distances of many steps, in pixels and as shares of the width."""

    name: str
    pixels: list[NDArray[np.float64]] = field(default_factory=list)
    shares: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, before: Places, after: Places, width: float) -> None:
        survivors = [key for key in after if key in before]
        moved = np.array([after[key][0] - before[key][0] for key in survivors])
        self.pixels.append(np.abs(moved - np.median(moved)))
        self.shares.append(self.pixels[-1] / width)

    def __str__(self) -> str:
        if not self.pixels:
            return f"  {self.name:46}no such step"
        pixels, shares = np.concatenate(self.pixels), np.concatenate(self.shares)
        return (
            f"  {self.name:46}{len(self.pixels):4} steps   median {np.median(shares):7.2%} of the width, "
            f"{np.median(pixels):6.1f} px   95 % {np.quantile(pixels, 0.95):7.1f} px   "
            f"over {FAR_PX:.0f} px {(pixels > FAR_PX).mean():6.1%}"
        )


def expanded(graph: nx.MultiDiGraph) -> View:
    every = frozenset(call["key"] for call in graph.graph["module_calls"])
    return build_view(graph, ViewOptions(every, folds_repeats=False))


def expanded_union(union: Union) -> View:
    return build_view(union.graph, ViewOptions(frozenset(union.graph.graph["call_tree"]), folds_repeats=False))


def places(layout: Layout, graph: nx.MultiDiGraph) -> Places:
    """Of the boxes whose members the step has."""
    nodes = set(graph)
    centres = (layout.boxes[:, :2] + layout.boxes[:, 2:] / 2).tolist()
    return {
        box.key: (x, y)
        for box, (x, y) in zip(layout.view.boxes, centres, strict=True)
        if not nodes.isdisjoint(box.lives_with)
    }


def union_moves(graphs: list[nx.MultiDiGraph]) -> Iterator[Moves]:
    """Ours: one layout for all that was seen, and when that grows, one that begins where the last one was."""
    within, grown = Moves("union, a known structure"), Moves("union, grown")
    union, cache, layout = Union(), LayoutCache(), None
    before: Places = {}
    for number, graph in enumerate(graphs):
        moves = within
        if union.add(graph, str(number)):
            layout, moves = lay_out(expanded_union(union), layout, cache=cache), grown
        assert layout is not None
        after = places(layout, graph)
        if before:
            moves.add(before, after, layout.size[0])
        before = after
    yield from (within, grown)


def fresh_moves(graphs: list[nx.MultiDiGraph]) -> Moves:
    moves = Moves("ours, each step by itself")
    before: Places = {}
    for graph in graphs:
        layout = lay_out(expanded(graph))
        after = places(layout, graph)
        if before:
            moves.add(before, after, layout.size[0])
        before = after
    return moves


def dot_moves(graphs: list[nx.MultiDiGraph]) -> Moves:
    moves = Moves("Graphviz dot, each step by itself")
    before: Places = {}
    for graph in graphs[:DOT_STEPS]:
        after = dot.place(expanded(graph)).centres
        xs = [x for x, _ in after.values()]
        if before:
            moves.add(before, after, max(xs) - min(xs))
        before = after
    return moves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", choices=MODELS)
    parser.add_argument("--no-dot", action="store_true")
    args = parser.parse_args()
    gc.disable()
    for model in [args.model] if args.model else MODELS:
        make_graphs, steps = MODELS[model]
        graphs = list(make_graphs(steps * 2 // 3, CHANGES))
        report(model, graphs, has_dot=dot.is_there() and not args.no_dot)


def report(name: str, graphs: list[nx.MultiDiGraph], has_dot: bool) -> None:
    # A third of the steps have a structure that was there before.
    graphs = graphs + graphs[::-2]
    changed = [len(set(after) ^ set(before)) / 2 / len(after) for before, after in pairwise(graphs)]
    size = len(graphs[0])
    print(f"{name}: {len(graphs)} steps of {size} nodes, {np.mean(changed):.1%} replaced each step", flush=True)
    within, grown = union_moves(graphs)
    for moves in (within, grown, fresh_moves(graphs)):
        print(moves, flush=True)
    if not has_dot:
        print("  Graphviz dot: not asked for, or not here (sh scripts/setup.sh bench)")
    else:
        print(dot_moves(graphs), flush=True)
    still = max((float(pixels.max()) for pixels in within.pixels), default=0.0)
    share = float(np.median(np.concatenate(grown.shares)))
    print(f"Within a union nothing moves: {'met' if still == 0 else 'MISSED'} (at most {still:.1f} px)")
    answer = "met" if share < MOST_SHARE else "MISSED"
    print(f"Grown, the median moves by less than {MOST_SHARE:.0%} of the width: {answer} ({share:.2%})")


if __name__ == "__main__":
    main()
