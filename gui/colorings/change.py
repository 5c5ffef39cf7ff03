"""Colour by change alone: whatever stayed the same is grey, so that the marks of the diff stand out."""

import networkx as nx

from gui.theme import Swatch, Theme
from tracer.model.view import Box

NAME = "change"
TITLE = "Change"


def label_of(box: Box, graph: nx.MultiDiGraph) -> str:
    return "Unchanged"


def swatch_of(label: str, order: int, theme: Theme) -> Swatch:
    return theme.neutral
