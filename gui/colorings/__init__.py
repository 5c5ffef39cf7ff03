"""Colourings: one file each. Being in this folder is all the registration there is; `Coloring` is the contract."""

from functools import cache
from typing import Protocol, cast

import networkx as nx

from gui.theme import Swatch, Theme
from tracer.model.view import Box
from tracer.plugins import load, names

DEFAULT = "kind"


class Coloring(Protocol):
    """Sorts the boxes of a step into labelled categories, and gives each category its look."""

    NAME: str
    TITLE: str

    def label_of(self, box: Box, graph: nx.MultiDiGraph) -> str:
        """The category, as the legend names it. At least one member of the box is in the graph."""

    def swatch_of(self, label: str, order: int, theme: Theme) -> Swatch:
        """The look of a category; `order` counts the categories in order of first appearance."""


@cache
def colorings() -> dict[str, Coloring]:
    """Every colouring by NAME, the default first, the rest by title."""
    found = [cast(Coloring, load(module)) for module in names(__name__).values()]
    found.sort(key=lambda coloring: (coloring.NAME != DEFAULT, coloring.TITLE))
    return {coloring.NAME: coloring for coloring in found}
