"""What a box says when the mouse rests on it."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import Any

import networkx as nx

from tracer.model.labels import shape_text
from tracer.model.view import TRAIT_LABELS, Box

_MOST_SHAPES = 4


def tooltip_of(box: Box, graph: nx.MultiDiGraph | None, copies: int = 0) -> str:
    """Rich text: title, op, shapes, where it was made. Names are escaped: they come from other people's code.

    `copies` is how many of a fold the step has, where the box is drawn for all of them.
    """
    present = [member for member in box.members if graph is not None and member in graph]
    lines = [f"<b>{escape(box.title)}</b>"]
    if box.trait:
        lines.append(f"<i>{TRAIT_LABELS[box.trait]}</i>")
    if box.kind == "module":
        lines += _module_lines(box, graph, present)
    elif graph is not None and present:
        lines += _node_lines(graph.nodes[present[0]])
    if box.fold and copies:
        lines.append(f"One of {copies:,} alike in this step, drawn once")
    if graph is not None and box.members and not present:
        lines.append("<i>Not in this step</i>")
    return "<br>".join(line for line in lines if line)


def _module_lines(box: Box, graph: nx.MultiDiGraph | None, present: Sequence[str]) -> list[str]:
    """What it is, and what leaves it: the shapes of its ops that others go on with."""
    lines = [escape(box.subtitle)]
    if graph is None or not present:
        return lines
    inside = set(present)
    ends = [node for node in present if any(after not in inside for after in graph.adj[node])]
    shapes = dict.fromkeys(
        _tensor_text(graph.nodes[node]) for node in ends if graph.nodes[node].get("kind") != "parameter"
    )
    texts = [text for text in shapes if text]
    if texts:
        more = f" and {len(texts) - _MOST_SHAPES} more" if len(texts) > _MOST_SHAPES else ""
        lines.append("gives " + ", ".join(texts[:_MOST_SHAPES]) + more)
    return lines


def _node_lines(node: Mapping[str, Any]) -> list[str]:
    where = f"in {escape(str(node['module']))}" if node.get("module") else ""
    name = node.get("parameter") if node.get("kind") == "parameter" else node.get("target") or node.get("op")
    return [escape(str(name or "")), _tensor_text(node), where, _source_line(node), _inside_line(node)]


def _tensor_text(node: Mapping[str, Any]) -> str:
    shapes = ", ".join(shape_text([shape]) for shape in node.get("shapes", []))
    dtype = str(node.get("dtype") or "").removeprefix("torch.")
    return " · ".join(escape(part) for part in (shapes, dtype, str(node.get("device") or "")) if part)


def _source_line(node: Mapping[str, Any]) -> str:
    source = node.get("source")
    if not source:
        return ""
    function = f" in {escape(str(source['function']))}" if source.get("function") else ""
    return f"{escape(PurePath(source['file']).name)}, line {source['line']}{function}"


def _inside_line(node: Mapping[str, Any]) -> str:
    inside = node.get("inside")
    return "" if inside is None else f"{escape(inside.graph['title'])}: open to see its {len(inside):,} nodes"
