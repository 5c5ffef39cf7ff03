"""`tapescope diff`: what changed between the graphs of two steps."""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import networkx as nx

from tracer.exporters.json import to_json
from tracer.model.call_tree import LIVE, call_tree
from tracer.model.diff import GraphDiff, diff
from tracer.steps import checked_step
from tracer.store.reader import Tape

NAME = "diff"
HELP = "say what changed between two steps"

_OUTSIDE = "outside any module"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("before", type=int, metavar="I", help="a step")
    parser.add_argument("after", type=int, metavar="J", help="another step")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    with Tape(args.tape) as tape:
        before, after = (tape.graph(checked_step(tape, step)) for step in (args.before, args.after))
    found = diff(before, after)
    if args.json:
        changed = dict(sorted(found.changed.items()))
        parts = ("added", "removed", "calls_added", "calls_removed")
        print(to_json({**{part: sorted(getattr(found, part)) for part in parts}, "changed": changed}, indent=2))
    else:
        print("\n".join(_lines(found, before, after, args.before, args.after)))
    return 0


def _lines(found: GraphDiff, before: nx.MultiDiGraph, after: nx.MultiDiGraph, first: int, second: int) -> Iterator[str]:
    if not found:
        yield f"Steps {first} and {second} have the same graph."
        yield from _calls_beside(found, before, after)
        return
    counts = f"{len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} changed"
    yield f"Step {first} → {second}: {counts}"
    yield from (f"  + {line}" for line in _by_module(found.added, after))
    yield from (f"  − {line}" for line in _by_module(found.removed, before))
    for key, differences in sorted(found.changed.items()):
        for name, (old, new) in differences.items():
            if name != "inputs":
                yield f"  ~ {key}: {name} {_short(old)} → {_short(new)}"
            else:
                yield f"  ~ {key}: fed by {_sources(old)} → {_sources(new)}"
    yield from _calls_beside(found, before, after)


def _calls_beside(found: GraphDiff, before: nx.MultiDiGraph, after: nx.MultiDiGraph) -> Iterator[str]:
    """The outermost calls beside the graph, forward-only or detached, that only one of the steps has."""
    for sign, keys, graph in (("+", found.calls_added, after), ("−", found.calls_removed, before)):
        calls = call_tree(graph)
        for key in sorted(keys):
            call = calls[key]
            if call.state != LIVE and call.parent not in keys:
                yield f"  {sign} call of {call.path or call.class_name}: {call.state}, ×{call.count}"


def _by_module(keys: Iterable[str], graph: nx.MultiDiGraph) -> Iterator[str]:
    """ "layer1.0: 3 ops (AddmmBackward0 ×2, ReluBackward0)"."""
    groups: dict[str, Counter[str]] = {}
    for key in sorted(keys):
        node = graph.nodes[key]
        name = node["parameter"] or node["op"]
        module = _OUTSIDE if node["module"] is None else node["module"] or "the model itself"
        groups.setdefault(module, Counter())[name] += 1
    for module, names in groups.items():
        listed = ", ".join(name if n == 1 else f"{name} ×{n}" for name, n in names.items())
        yield f"{module}: {names.total()} nodes ({listed})"


def _short(value: object) -> str:
    if isinstance(value, list):
        return " ".join("×".join(map(str, shape)) or "scalar" for shape in value)
    return str(value)


def _sources(inputs: list[tuple[str, int, int]]) -> str:
    return ", ".join(source for source, _, _ in inputs) or "nothing"
