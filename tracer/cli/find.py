"""`tapescope find`: what a query finds among the nodes of a step, or among the steps."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import networkx as nx

from tracer.errors import UsageError
from tracer.exporters.json import to_json
from tracer.model.call_tree import LIVE, call_tree
from tracer.model.labels import shape_text
from tracer.model.query import parse
from tracer.model.step_search import step_ranges
from tracer.model.step_table import NONE
from tracer.steps import checked_step
from tracer.store.reader import Tape
from tracer.terminal import say

NAME = "find"
HELP = "find nodes of a step, or steps; exit code 1 if there are none"

_WIDEST = 72
_EXAMPLES = """the query:
  'op:addmm module:layer3.*'               nodes: terms side by side must all hold; also or, not, parentheses
  'shape:[64,*] -param:bias'               a whole shape with any size, but no bias
  'source:model.py:42'                     what a line of the script made
  'removed or changed'                     against the step before
  'grad_norm > 10'                         what was measured, at the levels statistics and full
  'steps where module:layer4 did not run'  steps
  'steps where loss > 2 or loss not finite'
  'steps where new or shape changed'       structures never seen before; changes of shape alone"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("query", metavar="QUERY", help="what to look for; see below")
    parser.add_argument("--step", type=int, metavar="N", help="whose nodes; default: the last step with a graph")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    query = parse(args.query)
    if not query:
        raise UsageError("The query asks for nothing; write, for example, op:relu, or steps where loss > 2.")
    if query.is_about_steps and args.step is not None:
        raise UsageError("A query about steps looks at all of them; leave out --step, or 'steps where'.")
    with Tape(args.tape) as tape:
        return _find_steps(tape, args) if query.is_about_steps else _find_nodes(tape, args)


def _find_steps(tape: Tape, args: argparse.Namespace) -> int:
    found = tape.find_steps(args.query)
    ranges = step_ranges(found)
    if args.json:
        print(to_json({"query": args.query, "count": len(found), "ranges": ranges}, indent=2))
    elif ranges:
        say(", ".join(_range_text(first, last) for first, last in ranges))
    return 0 if ranges else 1


def _find_nodes(tape: Tape, args: argparse.Namespace) -> int:
    step = _last_with_graph(tape) if args.step is None else checked_step(tape, args.step)
    keys = tape.find(args.query, step)
    rows = list(_rows(tape, step, keys)) if keys else []
    if args.json:
        print(to_json({"query": args.query, "step": step, "found": rows}, indent=2))
    elif rows:
        say(*_lines(rows))
    return 0 if rows else 1


def _last_with_graph(tape: Tape) -> int:
    steps = tape.table.column("steps")[tape.table.column("structures") != NONE]
    if not len(steps):
        raise UsageError(f"No step of {tape.path} has a graph; ask for steps, for example steps where loss > 2.")
    return int(steps[-1])


def _range_text(first: int, last: int) -> str:
    """Two steps in a row are no range yet."""
    if last - first < 2:
        return ", ".join(map(str, range(first, last + 1)))
    return f"{first}-{last}"


def _rows(tape: Tape, step: int, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What there is to say of each; what was removed is in the step before."""
    graph = tape.graph(step)
    calls = call_tree(graph)
    before: nx.MultiDiGraph | None = None
    for key in keys:
        if key in calls:
            call = calls[key]
            yield {"key": key, "kind": "module", "class": call.class_name, "state": call.state, "count": call.count}
            continue
        if key not in graph and before is None:
            before = tape.graph(step - 1)
        node = graph.nodes[key] if key in graph or before is None else before.nodes[key]
        names = ("kind", "op", "module", "shapes", "dtype", "device", "source")
        yield {"key": key, **{name: node[name] for name in names}}


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    width = min(max(len(row["key"]) for row in rows), _WIDEST)
    for row in rows:
        yield f"{row['key']:<{width}}  {_detail(row)}".rstrip()


def _detail(row: Mapping[str, Any]) -> str:
    if row["kind"] == "module":
        return "  ".join(word for word in (row["class"], "" if row["state"] == LIVE else row["state"]) if word)
    source = row["source"]
    line = f"{Path(source['file']).name}:{source['line']}" if source else ""
    return "  ".join(word for word in (shape_text(row["shapes"]), row["dtype"], line) if word)
