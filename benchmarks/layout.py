"""CPU milliseconds from a view to a drawing's positions, each with its bar, beside Graphviz dot.

    python -m benchmarks.layout [default | expanded | large | opening] [--no-dot]

Medians, but a view is built once: what is known of a graph makes the next one cheap. Garbage collection is off, as in
the app's workers. The graphs are real, see benchmarks/graphs.py. dot gets the boxes and links alone, no frames, and is
given up after 60 s.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import networkx as nx

from benchmarks import dot
from benchmarks.graphs import classifier_graph, classifiers, lstm_graph, transformer_graph
from tracer.layout import LayoutCache, lay_out
from tracer.model.view import View
from tracer.model.view_builder import ViewOptions, build_view, default_open

REPEATS = 5
PARTS = ("default", "expanded", "large", "opening")
DEFAULT_MS, THOUSAND_MS, TEN_THOUSAND_MS, FIFTY_THOUSAND_MS, OPENING_MS = 60, 60, 500, 2_500, 50
DOT_FROM_BOXES, DOT_UP_TO_BOXES = 100, 15_000  # smaller views it places at once, larger ones not within minutes


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured; `bar_ms` is None where nothing is asked for."""

    name: str
    view: View
    view_ms: float
    layout_ms: float
    bar_ms: float | None

    @property
    def is_met(self) -> bool:
        return self.bar_ms is None or self.layout_ms <= self.bar_ms

    def __str__(self) -> str:
        bar = "" if self.bar_ms is None else f" of {self.bar_ms:5,} {'met   ' if self.is_met else 'MISSED'}"
        size = f"{len(self.view.boxes):6,} boxes {len(self.view.links):6,} links"
        return f"  {self.name:44}{size}   view {self.view_ms:7.1f} ms   layout {self.layout_ms:7.1f} ms{bar}"


def cpu_ms(action: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median of CPU times."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        times.append((time.process_time() - started) * 1_000)
    return statistics.median(times)


def first_view(graph: nx.MultiDiGraph, options: ViewOptions) -> tuple[View, float]:
    """A view and what it cost to build: once, as what is known of a graph makes the next one cheap."""
    started = time.process_time()
    view = build_view(graph, options)
    return view, (time.process_time() - started) * 1_000


def default_figure(name: str) -> Figure:
    """As the app opens it at first."""
    graph = classifier_graph(name)
    view, view_ms = first_view(graph, ViewOptions(default_open(graph)))
    return Figure(f"{name} ({len(graph):,} nodes)", view, view_ms, cpu_ms(lambda: lay_out(view)), DEFAULT_MS)


def expanded_options(graph: nx.MultiDiGraph, closed: str | None = None) -> ViewOptions:
    """Every call but one open, every fold taken apart, views and transposes shown."""
    everything = frozenset(call["key"] for call in graph.graph["module_calls"])
    return ViewOptions(everything - {closed}, show_bookkeeping=True, folds_repeats=False)


def expanded_figure(name: str, graph: nx.MultiDiGraph, bar_ms: float | None, repeats: int = REPEATS) -> Figure:
    view, view_ms = first_view(graph, expanded_options(graph))
    return Figure(f"{name} ({len(graph):,} nodes)", view, view_ms, cpu_ms(lambda: lay_out(view), repeats), bar_ms)


def expanded_figures() -> Iterator[Figure]:
    for name in ("resnet18", "inception_v3", "vit_b_16", "efficientnet_v2_s", "swin_t"):
        yield expanded_figure(name, classifier_graph(name), THOUSAND_MS)
    yield expanded_figure("12-layer transformer", transformer_graph(12), THOUSAND_MS)
    yield expanded_figure("densenet201", classifier_graph("densenet201"), TEN_THOUSAND_MS)
    yield expanded_figure("96-layer transformer", transformer_graph(96), TEN_THOUSAND_MS)
    yield expanded_figure("LSTMCell ×650", lstm_graph(650), TEN_THOUSAND_MS)


def large_figures() -> Iterator[Figure]:
    yield expanded_figure("640-layer transformer", transformer_graph(640), FIFTY_THOUSAND_MS, repeats=3)
    yield expanded_figure("LSTMCell ×3250", lstm_graph(3_250), FIFTY_THOUSAND_MS, repeats=3)


def opening_figures() -> Iterator[Figure]:
    graph = transformer_graph(96)
    for key in ("layers.48#0", "layers.48.linear1#0"):
        yield opening_figure(f"96-layer transformer, all open but {key}", graph, key, OPENING_MS)
    yield opening_figure("LSTMCell ×650, all open but cell#300", lstm_graph(650), "cell#300", None)


def opening_figure(name: str, graph: nx.MultiDiGraph, key: str, bar_ms: float | None) -> Figure:
    """Opening the one closed call of a drawing that has been opened and closed before."""
    options = expanded_options(graph, key), expanded_options(graph)
    closed, opened = (build_view(graph, each) for each in options)
    cache = LayoutCache()
    before = lay_out(closed, lay_out(opened, lay_out(closed, cache=cache), cache=cache), cache=cache)
    times = []
    for _ in range(REPEATS):
        times.append(cpu_ms(partial(lay_out, opened, before, cache=cache), repeats=1))
        before = lay_out(closed, lay_out(opened, before, cache=cache), cache=cache)
    return Figure(name, opened, cpu_ms(lambda: build_view(graph, options[1])), statistics.median(times), bar_ms)


def print_dot(figures: list[Figure]) -> None:
    """Two at a time: most take their 60 s."""
    waiting = [figure for figure in figures if DOT_FROM_BOXES <= len(figure.view.boxes) <= DOT_UP_TO_BOXES]
    print(f"Graphviz dot, for the {len(waiting)} expanded views above of up to {DOT_UP_TO_BOXES:,} boxes")
    while waiting:
        pair, waiting = waiting[:2], waiting[2:]
        for figure, child in [(figure, dot.start(figure.view)) for figure in pair]:
            try:
                took = f"{dot.finish(child, figure.view).cpu_secs * 1_000:9,.0f} ms"
            except dot.TookTooLong:
                took = f"given up after {dot.LIMIT_SECS} s"
            print(f"  {figure.name:44}{took}   ours {figure.layout_ms:7.1f} ms", flush=True)


def print_figures(title: str, figures: Iterator[Figure]) -> list[Figure]:
    print(title)
    found = []
    for figure in figures:
        print(figure, flush=True)
        found.append(figure)
    missed = [figure.name for figure in found if not figure.is_met]
    slowest = max(found, key=lambda figure: figure.layout_ms)
    print(
        f"  {len(found)} views, {len(missed)} bars missed; the slowest is {slowest.name}: {slowest.layout_ms:.1f} ms\n"
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("--no-dot", action="store_true")
    args = parser.parse_args()
    parts = (args.part,) if args.part else PARTS
    gc.disable()
    if "default" in parts:
        print_figures("Default view of every torchvision classification model", map(default_figure, classifiers()))
    expanded: list[Figure] = []
    if "expanded" in parts:
        expanded = print_figures("Fully expanded", expanded_figures())
    if "large" in parts:
        print_figures("Fully expanded, about 50,000 nodes", large_figures())
    if "opening" in parts:
        print_figures("Opening one call more", opening_figures())
    if expanded and not args.no_dot:
        print_dot(expanded) if dot.is_there() else print("Graphviz dot is not here: sh scripts/setup.sh bench")


if __name__ == "__main__":
    main()
