"""Colour by change alone: whatever stayed the same is grey, so that the marks of the diff stand out."""

import networkx as nx

from gui.coloring import Coloration, Subject, by_label
from gui.theme import Swatch, Theme
from tracer.model.view import Box

NAME = "change"
TITLE = "Change"
GROUP, ORDER, LEVEL = "structure", 3, "structure"


def colored(subject: Subject, theme: Theme) -> Coloration:
    return by_label(subject, NAME, label_of, swatch_of, theme)


def label_of(box: Box, graph: nx.MultiDiGraph) -> str:
    return "Unchanged"


def swatch_of(label: str, order: int, theme: Theme) -> Swatch:
    return theme.neutral
