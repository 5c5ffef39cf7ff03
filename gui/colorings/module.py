"""Colour by the part of the model that made a box: the first name of its module path, with a number that follows."""

import networkx as nx

from gui.coloring import Coloration, Subject, by_label
from gui.theme import Swatch, Theme
from tracer.model.view import Box

NAME = "module"
TITLE = "Module"
GROUP, ORDER, LEVEL = "structure", 2, "structure"

_NO_MODULE = "Outside modules"


def colored(subject: Subject, theme: Theme) -> Coloration:
    return by_label(subject, NAME, label_of, swatch_of, theme)


def label_of(box: Box, graph: nx.MultiDiGraph) -> str:
    path = _path_of(box, graph)
    names = path.split(".")
    if len(names) > 1 and names[1].isdecimal():
        return f"{names[0]}.{names[1]}"
    return names[0] or _NO_MODULE


def swatch_of(label: str, order: int, theme: Theme) -> Swatch:
    return theme.neutral if label == _NO_MODULE else theme.categories[order % len(theme.categories)]


def _path_of(box: Box, graph: nx.MultiDiGraph) -> str:
    if box.kind == "module":
        return box.key.rpartition("#")[0]
    node = next((graph.nodes[member] for member in box.members if member in graph), None)
    if node is None:  # of another step's graph; with its own part's colour it keeps that of the others
        return box.key.partition("#")[0] if "#" in box.key else ""
    if node.get("parameter"):
        return str(node["parameter"]).rpartition(".")[0]
    return str(node.get("module") or "")
