"""Colour by the type of a box's numbers; a closed module with numbers of several types is "Mixed".

A type has its colour in every graph: half precision is easily told from single.
"""

import networkx as nx

from gui.coloring import Coloration, Subject, by_label
from gui.colorings.device import UNKNOWN, common
from gui.theme import Swatch, Theme
from tracer.model.view import Box

NAME = "dtype"
TITLE = "Data type"
GROUP, ORDER, LEVEL = "structure", 5, "structure"

_HUES = ("float32", "float16", "bfloat16", "float64", "Mixed", "int64", "complex64", "float8_e4m3fn", "int8")


def colored(subject: Subject, theme: Theme) -> Coloration:
    return by_label(subject, NAME, label_of, swatch_of, theme)


def label_of(box: Box, graph: nx.MultiDiGraph) -> str:
    return common(box, graph, "dtype").removeprefix("torch.")


def swatch_of(label: str, order: int, theme: Theme) -> Swatch:
    if label == UNKNOWN:
        return theme.neutral
    hue = _HUES.index(label) if label in _HUES else order
    return theme.categories[hue % len(theme.categories)]
