"""`tapescope diff`: why the graphs of two steps differ, and in which nodes."""

import argparse
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import networkx as nx

from tracer.exporters.json import to_json
from tracer.model.call_tree import LIVE, call_tree
from tracer.model.causes import Cause, causes
from tracer.model.diff import GraphDiff, diff
from tracer.model.source_paths import short_path
from tracer.steps import checked_step
from tracer.store.reader import Tape
from tracer.terminal import say

NAME = "diff"
HELP = "say what changed between two steps, and why"

_OUTSIDE = "outside any module"
_WHOLE = "the step as a whole"
_WIDTH = 100


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("before", type=int, metavar="I", help="a step")
    parser.add_argument("after", type=int, metavar="J", help="another step")
    parser.add_argument("--nodes", action="store_true", help="list the nodes that differ instead of the causes")
    parser.add_argument("--json", action="store_true", help="both as JSON")


def run(args: argparse.Namespace) -> int:
    with Tape(args.tape) as tape:
        steps = [checked_step(tape, step) for step in (args.before, args.after)]
        before, after = (tape.graph(step) for step in steps)
        ends = tape.broken_off(steps[0]), tape.broken_off(steps[1])
        folder = tape.meta.get("folder", "")
    found = diff(before, after)
    if args.json:
        changed = dict(sorted(found.changed.items()))
        parts = ("added", "removed", "calls_added", "calls_removed")
        why = [asdict(cause) for cause in causes(before, after, found, folder, ends)]
        content = {**{part: sorted(getattr(found, part)) for part in parts}, "changed": changed, "causes": why}
        print(to_json(content, indent=2))
        return 0
    say(_headline(found, args.before, args.after))
    if args.nodes:
        lines = _nodes(found, before, after)
    else:
        lines = _report(causes(before, after, found, folder, ends), (after, before), folder)
    say(*lines)
    return 0


def _headline(found: GraphDiff, first: int, second: int) -> str:
    if not found:
        return f"Steps {first} and {second} have the same graph."
    return (
        f"Step {first} → {second}: {len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} changed"
    )


def _report(found: Sequence[Cause], graphs: Iterable[nx.MultiDiGraph], folder: str) -> Iterator[str]:
    """The causes under the modules that they are about, in the order of the first of each."""
    calls = [call for graph in graphs for call in graph.graph["module_calls"]]
    model = next((call["class"] for call in calls if not call["path"]), "the model itself")
    modules: dict[str, list[Cause]] = {}
    for cause in found:
        whole = _OUTSIDE if cause.source is not None and cause.kind not in ("passes", "broken off") else _WHOLE
        modules.setdefault(whole if cause.module is None else cause.module or model, []).append(cause)
    for module, group in modules.items():
        yield module
        for cause in group:
            text = f"{cause.text}{_place(cause, folder)}"
            yield from textwrap.wrap(
                text,
                _WIDTH,
                initial_indent="  ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )


def _place(cause: Cause, folder: str) -> str:
    """The line, where the sentence does not say it."""
    if cause.source is None:
        return ""
    path = short_path(cause.source.file, folder)
    is_said = cause.text.startswith(f"{path}:") or cause.kind == "broken off"
    return "" if is_said else f" ({path}:{cause.source.line})"


def _nodes(found: GraphDiff, before: nx.MultiDiGraph, after: nx.MultiDiGraph) -> Iterator[str]:
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
