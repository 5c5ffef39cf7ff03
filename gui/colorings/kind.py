"""Colour by what a box stands for."""

import networkx as nx

from gui.coloring import Coloration, Subject, by_label
from gui.theme import Swatch, Theme
from tracer.model.view import GRAPHLESS, TRAIT_LABELS, Box

NAME = "kind"
TITLE = "Kind"
GROUP, ORDER, LEVEL = "structure", 0, "structure"

_LABELS = {
    "op": "Operation",
    "module": "Module, closed",
    "parameter": "Parameter",
    "input": "Input",
    "output": "Output",
}
_GRAPHLESS = {trait: label for trait, label in TRAIT_LABELS.items() if trait in GRAPHLESS}
_KINDS = {label: kind for kind, label in _LABELS.items()}


def colored(subject: Subject, theme: Theme) -> Coloration:
    return by_label(subject, NAME, label_of, swatch_of, theme)


def label_of(box: Box, graph: nx.MultiDiGraph) -> str:
    return _GRAPHLESS.get(box.trait) or _LABELS[box.kind]


def swatch_of(label: str, order: int, theme: Theme) -> Swatch:
    return theme.kinds["graphless" if label in _GRAPHLESS.values() else _KINDS[label]]
