"""What a box says when the mouse rests on it."""

from html import escape
from pathlib import PurePath
from typing import Any

import networkx as nx

from tracer.model.labels import shape_text
from tracer.model.view import TRAIT_LABELS, Box


def tooltip_of(box: Box, graph: nx.MultiDiGraph | None) -> str:
    """Rich text: title, op, shapes, where it was made. Names are escaped: they come from other people's code."""
    present = [member for member in box.members if graph is not None and member in graph]
    lines = [f"<b>{escape(box.title)}</b>"]
    if box.trait:
        lines.append(f"<i>{TRAIT_LABELS[box.trait]}</i>")
    if box.kind == "module":
        lines.append(escape(box.subtitle))
    elif graph is not None and present:
        lines += _node_lines(graph.nodes[present[0]])
    if graph is not None and box.members and not present:
        lines.append("<i>Not in this step</i>")
    return "<br>".join(line for line in lines if line)


def _node_lines(node: dict[str, Any]) -> list[str]:
    shapes = ", ".join(shape_text([shape]) for shape in node.get("shapes", []))
    dtype = str(node.get("dtype") or "").removeprefix("torch.")
    tensor = " · ".join(escape(part) for part in (shapes, dtype, str(node.get("device") or "")) if part)
    where = f"in {escape(str(node['module']))}" if node.get("module") else ""
    name = node.get("parameter") if node.get("kind") == "parameter" else node.get("target") or node.get("op")
    return [escape(str(name or "")), tensor, where, _source_line(node), _inside_line(node)]


def _source_line(node: dict[str, Any]) -> str:
    source = node.get("source")
    return f"{escape(PurePath(source['file']).name)}, line {source['line']}" if source else ""


def _inside_line(node: dict[str, Any]) -> str:
    inside = node.get("inside")
    return "" if inside is None else f"{escape(inside.graph['title'])}: open to see its {len(inside):,} nodes"
