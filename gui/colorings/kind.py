"""Colour by what a box stands for."""

import networkx as nx

from gui.theme import Swatch, Theme
from tracer.model.view import Box

NAME = "kind"
TITLE = "Kind"

_LABELS = {
    "op": "Operation",
    "module": "Module, closed",
    "parameter": "Parameter",
    "input": "Input",
    "output": "Output",
}
_KINDS = {label: kind for kind, label in _LABELS.items()}


def label_of(box: Box, graph: nx.MultiDiGraph) -> str:
    return _LABELS[box.kind]


def swatch_of(label: str, order: int, theme: Theme) -> Swatch:
    return theme.kinds[_KINDS[label]]
